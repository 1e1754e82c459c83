// Any text as a condition: a mistake at a place that exists, or a value that survives its own text, can be
// evaluated, and has a finite number of examples.
#include <cstdint>
#include <string_view>

#include "engine/base/error.h"
#include "engine/gate/condition.h"
#include "engine/gate/sample_size.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl::gate;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto condition = parse_condition(text, "condition");
  if (!condition) {
    const pawl::Diagnostic& mistake = condition.error();
    PAWL_CHECK(!mistake.message.empty() && !pawl::render(mistake).empty());
    PAWL_CHECK(mistake.line >= 1 && static_cast<std::size_t>(mistake.line) <= size + 1);
    PAWL_CHECK(mistake.column >= 1 && static_cast<std::size_t>(mistake.column) <= size + 1);
    return 0;
  }
  PAWL_CHECK(!condition->clauses.empty());
  const auto back = parse_condition(to_string(*condition), "condition");
  // The canonical text may be longer than the cap on what people write: "1e-3" is "0.001".
  PAWL_CHECK(back ? *back == *condition : to_string(*condition).size() > kMaxConditionBytes);
  (void)evaluate(*condition, {0.9, 0.8, 0.15});
  for (const Sided sided : {Sided::one, Sided::two}) {
    const SamplePlan plan = plan_samples(*condition, {0.999, {Adaptivity::full, 32}, sided});
    PAWL_CHECK(plan.clauses.size() == condition->clauses.size());
    for (const ClausePlan& clause : plan.clauses) PAWL_CHECK(clause.examples > 0 && !clause.split.empty());
    PAWL_CHECK(plan.examples <= kMaxExamples && plan.labelled <= plan.examples);
  }
  return 0;
}
