// pawl gate plan: what a test set can show, and how often a rule is red by chance.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <span>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/project_name.h"
#include "engine/cli/record.h"
#include "engine/core/evidence.h"
#include "engine/core/trial.h"
#include "engine/gate/history.h"
#include "engine/gate/planning.h"
#include "engine/gate/verdict_json.h"
#include "engine/gate/wording.h"
#include "engine/store/verdicts.h"
#include "pipelines/plan.h"

namespace pawl::cli {
namespace {

constexpr int64_t kRunsAtOnce = 100;
constexpr size_t kGreenRunsLookedAt = 100;
constexpr size_t kGreenRunsUsed = 10;
constexpr double kTolerances[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05};
constexpr double kSeldomRed = 0.01;  // by chance: one run in a hundred

// Where the next value of a gated metric should fall, by those of the last green runs alone.
struct Spread {
  std::string metric;
  size_t runs = 0;
  gate::Interval next;
};

// What is known of the test set, and where from.
struct Known {
  int64_t examples = 0;     // 0: nothing, the numbers below say no more
  double disagreement = 0;  // share of the examples on which two good models differ in being right
  std::string from;
  std::vector<gate::MetricRule> rules;  // of the newest run that was looked at
  std::vector<Spread> spreads;          // of metrics that enough green runs have
  std::string project = {};
  size_t green_runs = 0;
  std::vector<std::string> alike = {};  // runs whose model answered as their baseline's did
};

// Trials are of other code, perhaps, and what a waiver let pass is no good model.
Result<bool> is_green_model(Db& db, const store::Run& run, const std::string& target) {
  if (run.branch != run.target || core::is_trial(run)) return false;
  if (!target.empty() && run.target != target) return false;
  PAWL_ASSIGN(const bool waived, is_waived(db, run));
  return !waived;
}

// Of the target branch that has the newest one, newest first.
Result<std::vector<store::Run>> green_runs(Db& db, const std::string& project) {
  store::RunFilter filter;
  filter.project = project;
  filter.verdict = "PASS";
  filter.limit = kRunsAtOnce;
  std::vector<store::Run> out;
  while (true) {
    PAWL_ASSIGN(auto runs, store::list_runs(db, filter));
    for (store::Run& run : runs) {
      PAWL_ASSIGN(const bool fits, is_green_model(db, run, out.empty() ? "" : out.front().target));
      filter.before_number = run.number;
      if (fits) out.push_back(std::move(run));
      if (out.size() == kGreenRunsLookedAt) return out;
    }
    if (runs.empty()) return out;
  }
}

// `runs`: newest first.
Result<std::vector<Spread>> spreads_of(Db& db, const std::vector<store::Run>& runs, double alpha) {
  std::vector<Spread> out;
  if (runs.empty()) return out;
  auto plan = pipeline::plan_from_json(runs.front().plan);
  if (!plan.ok()) return out;
  std::map<std::string, std::vector<double>> values;
  for (const store::Run& run : std::span(runs).first(std::min(runs.size(), kGreenRunsUsed))) {
    PAWL_ASSIGN(const auto metrics, core::load_metrics(db, run.id, plan->gate));
    for (const gate::Metric& metric : metrics) values[metric.name].push_back(metric.value);
  }
  for (const gate::MetricRule& rule : plan->gate.metrics) {
    const std::vector<double>& history = values[rule.metric];
    const auto next = gate::prediction_interval(history, alpha);
    if (!next.ok()) continue;
    const bool grows = rule.direction == gate::Direction::higher;
    out.push_back({rule.metric, history.size(), gate::within_range(*next, history, grows)});
  }
  return out;
}

std::optional<gate::PairedCounts> counts_of(const gate::Verdict& verdict) {
  for (const gate::Reason& reason : verdict.reasons) {
    if (reason.counts && reason.slice.empty()) return reason.counts;
  }
  return std::nullopt;
}

// Numbers of several projects say nothing of any of them.
Result<std::string> project_here(const std::string& wanted) {
  auto name = project_name(wanted, trigger::Repository("."));
  if (name.ok() || !wanted.empty()) return name;
  return Error(ErrorCode::usage,
               "this folder is no git repository: say whose runs to look at, --project NAME");
}

Error nothing_known(const Known& known) {
  std::string text =
      fmt::format("no green run of project {} was compared with another model by a paired test",
                  sanitize_for_terminal(known.project));
  if (!known.alike.empty()) {
    text = fmt::format(
        "every green run of project {} that was compared by a paired test ({}) answered as its "
        "baseline did",
        sanitize_for_terminal(known.project), fmt::join(known.alike, ", "));
  }
  return Error(
      ErrorCode::not_found,
      fmt::format(
          "{}: the sums take one that answers otherwise, and where a metric falls next is told from {} green "
          "runs of the target branch on, there {} {}. Or give the size of the test set and how often two "
          "good "
          "models differ, --examples N --disagreement P",
          text, gate::kMinHistory, known.green_runs == 1 ? "is" : "are", known.green_runs));
}

// Green runs and their baselines are pairs of good models on the same test set. A model that answers as its
// baseline does was most likely not trained on anything else: it says nothing of how two models differ.
Result<Known> known_from_record(const std::string& home, const std::string& wanted, double alpha) {
  PAWL_ASSIGN(Record record, open_record(home));
  Known known;
  PAWL_ASSIGN(known.project, project_here(wanted));
  PAWL_ASSIGN(const auto runs, green_runs(record.db, known.project));
  known.green_runs = runs.size();
  PAWL_ASSIGN(known.spreads, spreads_of(record.db, runs, alpha));
  double disagreeing = 0;
  double examples = 0;
  std::vector<std::string> used;
  for (const store::Run& run : runs) {
    PAWL_ASSIGN(auto row, store::verdict_of(record.db, run.id));
    if (!row) continue;
    PAWL_ASSIGN(const gate::Verdict verdict, gate::verdict_from_json(row->body));
    const auto counts = counts_of(verdict);
    if (!counts || (known.examples != 0 && counts->n != known.examples)) continue;
    if (known.examples == 0) {
      known.examples = counts->n;
      if (auto plan = pipeline::plan_from_json(run.plan); plan.ok()) known.rules = plan->gate.metrics;
    }
    const auto number = fmt::format("{}", run.number);
    if (counts->b + counts->c == 0) {
      known.alike.push_back(number);
      continue;
    }
    disagreeing += static_cast<double>(counts->b + counts->c);
    examples += static_cast<double>(counts->n);
    used.push_back(number);
    if (used.size() == kGreenRunsUsed) break;
  }
  if (used.empty()) {
    known.examples = 0;
    if (!known.spreads.empty()) return known;
    return nothing_known(known);
  }
  known.disagreement = disagreeing / examples;
  known.from = fmt::format("green run{} {} against {}", used.size() == 1 ? "" : "s", fmt::join(used, ", "),
                           used.size() == 1 ? "its baseline" : "their baselines");
  return known;
}

Result<Known> known_from(const Global& global, const GatePlanOptions& options) {
  const bool size = options.examples != 0;
  const bool share = options.disagreement != 0;
  if (!size && !share) return known_from_record(global.home, options.project, options.alpha);
  if (!size || !share) return Error(ErrorCode::usage, "--examples and --disagreement belong together");
  if (options.examples < 1 || !(options.disagreement > 0 && options.disagreement <= 1)) {
    return Error(ErrorCode::usage,
                 "--examples is 1 or more, --disagreement a share above 0 and at most 1: 0.05 for 5 %");
  }
  Known known;
  known.examples = options.examples;
  known.disagreement = options.disagreement;
  return known;
}

Result<void> check(const GatePlanOptions& options) {
  if (!(options.alpha > 0 && options.alpha < 0.5))
    return Error(ErrorCode::usage, "--alpha is above 0 and below 0.5: 0.05 for 5 %");
  if (!(options.power >= 0.5 && options.power < 1))
    return Error(ErrorCode::usage, "--power is from 0.5 to below 1: 0.8 for 80 %");
  return {};
}

std::string rate(double share) {
  return share < 1e-6 ? "never" : fmt::format("{:.2g} %", 100 * share);
}

// The smallest of the usual tolerances that is seldom red by chance.
std::optional<double> quiet_max_drop(const Known& known) {
  for (const double tolerance : kTolerances) {
    if (gate::false_red_rate(known.examples, known.disagreement, tolerance) <= kSeldomRed) return tolerance;
  }
  return std::nullopt;
}

struct RuleAdvice {
  std::string metric;
  std::optional<double> max_drop;
  double red_by_chance = 0;
  std::optional<double> margin;
  bool honest = true;  // the margin is one that the test set can show
};

// Only of rules on the share of right answers: the disagreement says nothing of other metrics.
std::vector<RuleAdvice> advice_on(const Known& known, std::optional<double> smallest) {
  std::vector<RuleAdvice> out;
  for (const gate::MetricRule& rule : known.rules) {
    if (!rule.paired || rule.paired->of != gate::PairedTest::Of::accuracy) continue;
    RuleAdvice advice;
    advice.metric = rule.metric;
    if (rule.max_drop && !rule.max_drop_relative) {
      advice.max_drop = rule.max_drop;
      advice.red_by_chance = gate::false_red_rate(known.examples, known.disagreement, *rule.max_drop);
    }
    advice.margin = rule.paired->margin;
    advice.honest = smallest && rule.paired->margin >= *smallest;
    out.push_back(std::move(advice));
  }
  return out;
}

Json json_of(const std::vector<Spread>& spreads) {
  Json out = Json::array();
  for (const Spread& it : spreads) {
    out.push_back(
        {{"metric", it.metric}, {"green_runs", it.runs}, {"low", it.next.low}, {"high", it.next.high}});
  }
  return out;
}

std::string text_of(const std::vector<Spread>& spreads, double alpha) {
  std::string out;
  for (const Spread& it : spreads) {
    out += fmt::format(
        "By the last {} green runs alone, the next {} falls between {} and {} {:.4g} % of the time.\n",
        it.runs, it.metric, gate::format_number(it.next.low), gate::format_number(it.next.high),
        100 * (1 - 2 * alpha));
  }
  return out;
}

std::string left_out(const Known& known) {
  if (known.alike.empty()) return "";
  const bool one = known.alike.size() == 1;
  return fmt::format("{} green run{} left out, whose model answers as its baseline does: {}\n",
                     known.alike.size(), one ? "" : "s", fmt::join(known.alike, ", "));
}

std::string too_few_for_spread(const Known& known) {
  if (known.green_runs == 0) return "";  // the record was not looked at
  return fmt::format("\nWhere a metric falls next is told from {} green runs that have it on; there {} {}.\n",
                     gate::kMinHistory, known.green_runs == 1 ? "is" : "are", known.green_runs);
}

Json json_of(const Known& known, const GatePlanOptions& options, std::optional<double> smallest) {
  if (known.examples == 0) {
    return {{"alpha", options.alpha},
            {"next", json_of(known.spreads)},
            {"project", known.project},
            {"green_runs", known.green_runs},
            {"alike", known.alike.size()}};
  }
  Json chance = Json::array();
  for (const double tolerance : kTolerances) {
    chance.push_back(
        {{"max_drop", tolerance},
         {"red_by_chance", gate::false_red_rate(known.examples, known.disagreement, tolerance)}});
  }
  Json rules = Json::array();
  for (const RuleAdvice& advice : advice_on(known, smallest)) {
    Json rule = {{"metric", advice.metric}};
    if (advice.max_drop) {
      rule["max_drop"] = *advice.max_drop;
      rule["red_by_chance"] = advice.red_by_chance;
    }
    rule["margin"] = *advice.margin;
    rule["margin_can_be_shown"] = advice.honest;
    rules.push_back(std::move(rule));
  }
  Json out = {{"examples", known.examples},
              {"disagreement", known.disagreement},
              {"from", known.from},
              {"alpha", options.alpha},
              {"power", options.power},
              {"smallest_margin", smallest ? Json(*smallest) : Json(nullptr)},
              {"max_drop", chance},
              {"rules", rules},
              {"next", json_of(known.spreads)}};
  if (!known.project.empty()) {
    out["project"] = known.project;
    out["green_runs"] = known.green_runs;
    out["alike"] = known.alike.size();
  }
  return out;
}

std::string text_of(const Known& known, const GatePlanOptions& options, std::optional<double> smallest) {
  if (known.examples == 0) return text_of(known.spreads, options.alpha) + left_out(known);
  std::string out = fmt::format("{} test examples; two good models differ on {:.3g} % of them{}\n{}\n",
                                known.examples, 100 * known.disagreement,
                                known.from.empty() ? "" : fmt::format(" ({})", known.from), left_out(known));
  if (smallest) {
    out += fmt::format(
        "A paired test shows a drop of {} or more: {:.3g} % of the time, and at most {:.3g} % of the "
        "time\none "
        "that is not there. A margin below that is a wish.\n\n",
        paint(gate::describe_points(*smallest), Tone::bold), 100 * options.power, 100 * options.alpha);
  } else {
    out += "This test set is too small for any margin.\n\n";
  }
  std::vector<std::vector<Cell>> rows;
  for (const double tolerance : kTolerances) {
    const double red = gate::false_red_rate(known.examples, known.disagreement, tolerance);
    rows.push_back(
        {{gate::describe_points(tolerance)}, {rate(red), red > kSeldomRed ? Tone::warn : Tone::plain}});
  }
  out += render_table({"max_drop", "red by chance when both models are equally good"}, rows);
  if (const auto quiet = quiet_max_drop(known)) {
    out += fmt::format(
        "\nA max_drop of {} is the smallest of these that is red by chance in fewer than one run of {:g}.\n",
        gate::describe_points(*quiet), 1 / kSeldomRed);
  }
  for (const RuleAdvice& advice : advice_on(known, smallest)) {
    out += fmt::format("\nYour gate on {}:\n", advice.metric);
    if (advice.max_drop) {
      out += fmt::format("  max_drop {}: red by chance {}\n", gate::describe_points(*advice.max_drop),
                         rate(advice.red_by_chance));
    }
    out += fmt::format("  margin {}: {}\n", gate::describe_points(*advice.margin),
                       advice.honest ? "this test set can show it"
                                     : "more than this test set can show; strict mode would be inconclusive, "
                                       "lenient would miss most such drops");
  }
  out += known.spreads.empty() ? too_few_for_spread(known) : "\n" + text_of(known.spreads, options.alpha);
  out +=
      "\nThis is the chance in the examples. Training again with another seed moves a metric too: measure "
      "that "
      "with\na few seeds, and keep margins above it (docs/gate.md).\n";
  return out;
}

}  // namespace

int gate_plan(const Global& global, const GatePlanOptions& options) {
  if (auto checked = check(options); !checked.ok()) return fail(checked.error());
  auto known = known_from(global, options);
  if (!known.ok()) return fail(known.error());
  std::optional<double> smallest;
  if (known->examples > 0)
    smallest = gate::detectable_drop(known->examples, known->disagreement, options.alpha, options.power);
  if (global.json) {
    print_json(json_of(*known, options, smallest));
  } else {
    print(text_of(*known, options, smallest));
  }
  return 0;
}

}  // namespace pawl::cli
