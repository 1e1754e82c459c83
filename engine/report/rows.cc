#include "engine/report/rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/gate/wording.h"

namespace pawl::report {
namespace {

using gate::Check;
using gate::format_number;
using gate::Reason;
using gate::Status;

std::string check_text(Check check) {
  switch (check) {
    case Check::max_drop:
      return "largest drop";
    case Check::paired:
      return "paired test";
    case Check::test_set:
      return "test set";
    case Check::disjoint_from:
      return "disjoint from";
    default:
      return std::string(to_string(check));
  }
}

std::string result_text(Status status) {
  switch (status) {
    case Status::pass:
      return "pass";
    case Status::fail:
      return "FAIL";
    case Status::error:
      return "ERROR";
    case Status::no_baseline:
      return "NO BASELINE";
    case Status::inconclusive:
      return "INCONCLUSIVE";
    case Status::bootstrap:
      return "first run";
    case Status::waived:
      return "waived";
    case Status::not_judged:
      return "not judged";
  }
  return "ERROR";
}

std::string number_text(const std::optional<double>& value) {
  return value ? format_number(*value) : "";
}

// Beyond the margin by its own interval, and no proof after the correction for `tests` of them.
bool is_doubted(const Reason& reason) {
  const bool corrected = reason.p_margin && reason.p_adjusted && reason.level;
  return corrected && reason.status == Status::pass && *reason.p_adjusted > (1 - *reason.level) / 2;
}

std::string with_test(const Reason& reason) {
  const std::string test = describe_test(reason);
  return test.empty() ? reason.sentence : fmt::format("{}; {}", reason.sentence, test);
}

std::string evidence_text(const Reason& reason, std::size_t tests) {
  if (reason.check != Check::paired || !reason.counts || !reason.interval) {
    const bool plain =
        reason.check == Check::floor || reason.check == Check::ceiling || reason.check == Check::max_drop;
    return plain ? "" : with_test(reason);
  }
  const double margin = -reason.limit.value_or(0);
  const gate::Standing standing = gate::standing_of(*reason.interval, margin);
  std::string difference = gate::describe_difference(reason.counts->difference(), *reason.interval,
                                                     reason.level.value_or(0), margin, standing);
  if (standing == gate::Standing::worse && is_doubted(reason))
    difference = gate::with_doubt(std::move(difference), tests, *reason.p_margin, *reason.p_adjusted);
  return fmt::format("{}; {} newly wrong, {} newly right of {}; {}", difference, reason.counts->c,
                     reason.counts->b, reason.counts->n, describe_test(reason));
}

// "3 days before this run"
std::string age_text(std::int64_t ms) {
  struct Unit {
    std::int64_t ms;
    const char* name;
  };
  constexpr Unit kUnits[] = {{86'400'000, "day"}, {3'600'000, "hour"}, {60'000, "minute"}};
  for (const Unit& unit : kUnits) {
    const std::int64_t count = ms / unit.ms;
    if (count >= 1) return fmt::format("{} {}{} before this run", count, unit.name, count == 1 ? "" : "s");
  }
  return ms >= 0 ? "just before this run" : "after this run began";
}

// What the gate compares it says; any other metric shares the fate of those.
bool is_comparable(const gate::Verdict& verdict, const std::string& metric) {
  bool compared = false;
  bool any_refused = false;
  for (const Reason& reason : verdict.reasons) {
    const bool refused = reason.status == Status::no_baseline;
    any_refused = any_refused || refused;
    if (reason.subject != metric || !reason.slice.empty()) continue;
    if (refused) return false;
    compared = compared || reason.baseline;
  }
  return compared || !any_refused;
}

GateRow row_of(const Reason& reason, std::size_t tests) {
  GateRow row;
  row.slice = reason.slice;
  row.metric = reason.slice.empty() ? reason.subject : reason.subject + " of " + reason.slice;
  row.check = check_text(reason.check);
  // The budget of a test set that is used up, and is only told.
  const bool warning = reason.check == Check::test_set && reason.status == Status::not_judged;
  row.result = warning ? "warning" : result_text(reason.status);
  row.status = reason.status;
  row.value = number_text(reason.value);
  row.baseline = number_text(reason.baseline);
  row.limit = reason.check == Check::paired && reason.limit && reason.counts
                  ? gate::describe_points(*reason.limit)
                  : number_text(reason.limit);
  // Who waived it, or that it is not waived any more, stands in the sentence.
  row.evidence = reason.waiver ? with_test(reason) : evidence_text(reason, tests);
  return row;
}

}  // namespace

std::string_view verdict_name(const RunReport& report) {
  return report.cancelled ? "CANCELLED" : to_string(report.verdict.kind);
}

std::vector<GateRow> gate_rows(const gate::Verdict& verdict) {
  const auto tests = static_cast<std::size_t>(
      std::count_if(verdict.reasons.begin(), verdict.reasons.end(),
                    [](const Reason& reason) { return reason.p_margin.has_value(); }));
  std::vector<GateRow> rows;
  for (const Reason& reason : verdict.reasons) {
    if (reason.check != Check::finding && reason.check != Check::stage) rows.push_back(row_of(reason, tests));
  }
  return rows;
}

bool is_red(gate::Status status) {
  return status >= Status::inconclusive;
}

bool is_waived(const RunReport& report, const Finding& finding) {
  return std::any_of(report.verdict.reasons.begin(), report.verdict.reasons.end(), [&](const Reason& reason) {
    return reason.check == Check::finding && reason.subject == finding.rule &&
           reason.status == Status::waived;
  });
}

std::string minute(std::int64_t unix_ms) {
  std::string text = format_utc(unix_ms).substr(0, 16);
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text + " UTC";
}

std::string describe_test(const Reason& reason) {
  if (reason.check != Check::paired || reason.test.empty()) return "";
  if (!reason.p_value) return reason.test;
  // Tango's interval decides; McNemar's test on the same counts gives the p.
  return fmt::format("{}, one-sided {}p = {:.2g} for no difference", reason.test,
                     reason.counts ? "McNemar mid-" : "", *reason.p_value);
}

std::string compared_with(const RunReport& report) {
  const auto& baseline = report.verdict.baseline;
  if (!baseline) return "";
  return fmt::format("Compared with {}, finished {}, {}.", gate::describe(*baseline),
                     minute(baseline->finished_unix_ms),
                     age_text(report.started_unix_ms - baseline->finished_unix_ms));
}

std::string where_of(const Finding& finding) {
  std::string text = fmt::format("step {}", finding.step);
  if (finding.rank) text += fmt::format(", rank {}", *finding.rank);
  if (finding.tensor.empty()) return text;
  return text + (finding.kind.empty() ? fmt::format(", {}", finding.tensor)
                                      : fmt::format(", {} of {}", finding.kind, finding.tensor));
}

std::string measured(const Finding& finding) {
  return fmt::format("{}, limit {}", format_number(finding.value), format_number(finding.limit));
}

std::string difference(const RunReport& report, const Metric& metric) {
  if (!metric.baseline || !is_comparable(report.verdict, metric.name)) return "";
  const double change = metric.value - *metric.baseline;
  return (change > 0 ? "+" : "") + format_number(change);
}

std::string seed_values(const Metric& metric) {
  std::vector<std::string> values;
  for (const auto& [seed, value] : metric.by_seed)
    values.push_back(fmt::format("{}: {}", seed, format_number(value)));
  return join(values, ", ");
}

bool has_seeds(const RunReport& report) {
  return std::any_of(report.metrics.begin(), report.metrics.end(),
                     [](const Metric& metric) { return !metric.by_seed.empty(); });
}

std::string outcome(const Stage& stage) {
  return stage.attempts.empty() ? "not started" : stage.attempts.back().outcome;
}

bool succeeded(const Stage& stage) {
  return !stage.attempts.empty() && stage.attempts.back().succeeded;
}

double seconds_of(const Stage& stage) {
  double sum = 0;
  for (const Attempt& attempt : stage.attempts) sum += attempt.seconds;
  return sum;
}

std::string duration(double seconds) {
  return format_duration(static_cast<std::int64_t>(seconds * 1000));
}

std::string origin(const RunReport& report) {
  std::string text = report.trigger;
  if (!report.trigger_note.empty()) text += fmt::format(" ({})", report.trigger_note);
  if (!report.author.empty()) text += fmt::format(" by {}", report.author);
  return text;
}

std::string run_name(const RunReport& report) {
  return report.number > 0 ? fmt::format("run {}", report.number)
                           : fmt::format("run {}", report.run_id.substr(0, 10));
}

}  // namespace pawl::report
