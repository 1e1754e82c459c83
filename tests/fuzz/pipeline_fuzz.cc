// Any text as a .pawl.yml: no crash, places that exist, and a plan that survives its own text.
#include <cstdint>
#include <string>

#include "engine/base/error.h"
#include "pipelines/match.h"
#include "pipelines/parse.h"
#include "pipelines/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pawl::pipeline;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  ParseResult result = parse_pipeline(text, ".pawl.yml");
  bool failed = false;
  for (const pawl::Diagnostic& diagnostic : result.diagnostics) {
    failed |= diagnostic.level == pawl::Diagnostic::Level::error;
    PAWL_CHECK(!diagnostic.message.empty());
    PAWL_CHECK(diagnostic.line >= 0 && static_cast<size_t>(diagnostic.line) <= size + 1);
    PAWL_CHECK(diagnostic.column >= 0 && static_cast<size_t>(diagnostic.column) <= size + 2);
  }
  PAWL_CHECK(!pawl::render(result.diagnostics).empty() || result.diagnostics.empty());
  PAWL_CHECK(result.ok() == !failed);
  if (!result.ok()) return 0;
  Triggers on = result.pipeline->on;
  (void)push_matches(on, "main", ChangedPaths{{"src/a.py", "docs/x"}});
  for (const Cron& cron : on.schedule) PAWL_CHECK(cron.next_after({}).time_since_epoch().count() > 0);
  Plan plan = make_plan(*std::move(result.pipeline));
  auto back = plan_from_json(to_json(plan));
  PAWL_CHECK(back.ok() && *back == plan);
  return 0;
}
