// pawl gate samples: how large a test set has to be.

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/gate/condition.h"
#include "engine/gate/sample_size.h"

namespace pawl::cli {
namespace {

// What d may turn out to be when it is measured first.
constexpr double kMeasured[] = {0.02, 0.05, 0.1, 0.2};

Result<gate::Guarantee> guarantee_of(const GateSamplesOptions& options) {
  gate::Guarantee guarantee;
  if (!(options.reliability >= 0.5 && options.reliability <= gate::kMaxReliability)) {
    return Error(ErrorCode::usage,
                 fmt::format("--reliability {} is not from 0.5 to below 1: write 0.999 for 99.9 %",
                             options.reliability));
  }
  if (options.steps < 1 || options.steps > gate::kMaxSteps) {
    return Error(ErrorCode::usage,
                 fmt::format("--steps {} is not from 1 to {}", options.steps, gate::kMaxSteps));
  }
  guarantee.reliability = options.reliability;
  guarantee.terms.steps = options.steps;
  for (auto adaptivity : {gate::Adaptivity::none, gate::Adaptivity::full, gate::Adaptivity::first_change}) {
    if (options.adaptivity == to_string(adaptivity)) guarantee.terms.adaptivity = adaptivity;
  }
  guarantee.sided = options.sided == to_string(gate::Sided::two) ? gate::Sided::two : gate::Sided::one;
  return guarantee;
}

// "66,847".
std::string grouped(int64_t count) {
  std::string digits = std::to_string(count);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return count == gate::kMaxExamples ? digits + " or more" : digits;
}

std::string percent(double share) {
  return fmt::format("{:.12g} %", 100 * share);
}

// The examples that are enough for each value d may turn out to have, where that is fewer than without.
struct AfterMeasuring {
  double measured;
  double examples;
};

std::vector<AfterMeasuring> after_measuring(const gate::Condition& condition, size_t index,
                                            const gate::ClausePlan& plan, const gate::Guarantee& guarantee) {
  std::vector<AfterMeasuring> rows;
  for (double measured : kMeasured) {
    double examples = gate::examples_after_measuring(condition.clauses[index], condition.clauses.size(),
                                                     guarantee, measured);
    if (examples < plan.exact) rows.push_back({measured, std::ceil(examples)});
  }
  return rows;
}

Json clause_json(const gate::Condition& condition, size_t index, const gate::ClausePlan& plan,
                 const gate::Guarantee& guarantee) {
  Json split = Json::array();
  for (const auto& share : plan.split) split.push_back({{"of", share.of}, {"tolerance", share.tolerance}});
  Json out = {{"clause", to_string(condition.clauses[index])},
              {"examples", plan.examples},
              {"labels", plan.labels},
              {"rule", to_string(plan.rule)},
              {"split", split},
              {"not_optimised", plan.not_optimised}};
  if (plan.measure_first) {
    Json then = Json::array();
    for (const auto& row : after_measuring(condition, index, plan, guarantee)) {
      then.push_back({{"measured", row.measured}, {"examples", row.examples}});
    }
    out["measure_first"] = {{"tolerance", plan.measure_first->tolerance},
                            {"examples", plan.measure_first->examples},
                            {"then", then}};
  }
  return out;
}

Json plan_json(const gate::Condition& condition, const gate::SamplePlan& plan,
               const gate::Guarantee& guarantee) {
  Json clauses = Json::array();
  for (size_t i = 0; i < plan.clauses.size(); ++i) {
    clauses.push_back(clause_json(condition, i, plan.clauses[i], guarantee));
  }
  Json out = {{"ok", true},
              {"condition", to_string(condition)},
              {"reliability", guarantee.reliability},
              {"adaptivity", to_string(guarantee.terms.adaptivity)},
              {"steps", guarantee.terms.steps},
              {"sided", to_string(guarantee.sided)},
              {"examples", plan.examples},
              {"labelled", plan.labelled},
              {"fresh_sets", plan.fresh_sets},
              {"clauses", clauses}};
  if (plan.active) {
    out["active_labels"] = {{"per_commit", plan.active->per_commit}, {"one_commit", plan.active->one_commit}};
  }
  return out;
}

std::string clause_table(const gate::Condition& condition, const gate::SamplePlan& plan) {
  std::vector<std::vector<Cell>> rows;
  for (size_t i = 0; i < plan.clauses.size(); ++i) {
    const gate::ClausePlan& clause = plan.clauses[i];
    std::string split;
    for (const auto& share : clause.split) {
      split += fmt::format("{}{:.4g} for {}", split.empty() ? "" : ", ", share.tolerance, share.of);
    }
    rows.push_back({{to_string(condition.clauses[i])},
                    {grouped(clause.examples)},
                    {clause.labels ? "yes" : "no"},
                    {std::string(to_string(clause.rule))},
                    {split}});
  }
  return render_table({"clause", "examples", "labels", "rule", "tolerance"}, rows);
}

std::string meaning(const gate::Guarantee& guarantee) {
  std::string sees;
  switch (guarantee.terms.adaptivity) {
    case gate::Adaptivity::none:
      sees = "Developers must not learn the answers.";
      break;
    case gate::Adaptivity::full:
      sees = "Developers may see pass or fail every time, and never a score.";
      break;
    case gate::Adaptivity::first_change:
      sees = "Developers may see each failure, never a score; the first pass retires the test set.";
      break;
  }
  const char* const sure = guarantee.sided == gate::Sided::two
                               ? "no answer 'true' and no answer 'false' is wrong."
                               : "none is accepted that does not meet the condition (mode fp-free),\n"
                                 "or none rejected that meets it (mode fn-free).";
  return fmt::format(
      "One test set of this size judges {} commit{}. {}\nWith probability {} or more {}\nBetween true and "
      "false "
      "is 'unknown', within the tolerance: rejected in fp-free, accepted in fn-free.\n",
      grouped(guarantee.terms.steps), guarantee.terms.steps == 1 ? "" : "s", sees,
      percent(guarantee.reliability), sure);
}

std::string measure_first_text(const gate::Condition& condition, size_t index, const gate::ClausePlan& plan,
                               const gate::Guarantee& guarantee) {
  std::string then;
  for (const auto& row : after_measuring(condition, index, plan, guarantee)) {
    then += fmt::format("{}{} at d = {}", then.empty() ? "" : ", ",
                        grouped(static_cast<int64_t>(row.examples)), percent(row.measured));
  }
  if (then.empty()) return {};
  return fmt::format(
      "Fewer are enough for {} when the models seldom differ:\nmeasure d to +/- {:.4g} on {} other examples, "
      "without labels. Then the test takes\n{}.\n",
      to_string(condition.clauses[index]), plan.measure_first->tolerance,
      grouped(plan.measure_first->examples), then);
}

std::string plan_text(const gate::Condition& condition, const gate::SamplePlan& plan,
                      const gate::Guarantee& guarantee) {
  std::string out =
      fmt::format("{} examples, {} of them with labels\n\n{}\n{}", paint(grouped(plan.examples), Tone::bold),
                  grouped(plan.labelled), clause_table(condition, plan), meaning(guarantee));
  if (guarantee.terms.steps > 1) {
    out += fmt::format("A new test set for every commit would take {} in all.\n", grouped(plan.fresh_sets));
  }
  if (plan.active) {
    out += fmt::format(
        "Only examples on which the two models differ need a label: at most {} a commit ({} if a single "
        "commit "
        "is judged).\n",
        grouped(plan.active->per_commit), grouped(plan.active->one_commit));
  }
  for (size_t i = 0; i < plan.clauses.size(); ++i) {
    const gate::ClausePlan& clause = plan.clauses[i];
    if (clause.measure_first) out += measure_first_text(condition, i, clause, guarantee);
    if (!clause.not_optimised.empty()) {
      out += fmt::format("Not optimised, {}: {}.\n", to_string(condition.clauses[i]), clause.not_optimised);
    }
  }
  return out;
}

}  // namespace

int gate_samples(const Global& global, const GateSamplesOptions& options) {
  auto guarantee = guarantee_of(options);
  if (!guarantee.ok()) return fail(guarantee.error());
  auto condition = gate::parse_condition(options.condition, "condition");
  if (!condition) {
    if (global.json) {
      print_json({{"ok", false}, {"diagnostics", Json::array({diagnostic_json(condition.error())})}});
    } else {
      std::fputs(render(condition.error()).c_str(), stderr);
    }
    return 2;
  }
  const gate::SamplePlan plan = gate::plan_samples(*condition, *guarantee);
  if (global.json) {
    print_json(plan_json(*condition, plan, *guarantee));
  } else {
    print(plan_text(*condition, plan, *guarantee));
  }
  return 0;
}

}  // namespace pawl::cli
