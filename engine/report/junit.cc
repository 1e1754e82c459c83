#include "engine/report/junit.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/report/escape.h"
#include "engine/report/rows.h"

namespace pawl::report {
namespace {

using gate::Check;
using gate::Reason;
using gate::Status;

enum class Outcome { passed, skipped, error, failure };

struct Case {
  std::string class_name;
  std::string name;
  Outcome outcome = Outcome::passed;
  std::string type;     // of the failure or error
  std::string message;  // one line
  std::string body;
  double seconds = 0;
};

Outcome outcome_of(Status status) {
  switch (status) {
    case Status::pass:
    case Status::bootstrap:
      return Outcome::passed;
    case Status::not_judged:
    case Status::waived:
      return Outcome::skipped;
    case Status::inconclusive:
    case Status::fail:
      return Outcome::failure;
    case Status::no_baseline:
    case Status::error:
      return Outcome::error;
  }
  return Outcome::error;
}

void append(std::string& body, std::string_view name, const std::string& value) {
  if (!value.empty()) body += fmt::format("  {}: {}\n", name, value);
}

std::string body_of(const GateRow& row) {
  std::string body =
      fmt::format("{}{}{}: {}\n", row.check, row.slice.empty() ? "" : " of ", row.slice, row.result);
  append(body, "value", row.value);
  append(body, "baseline", row.baseline);
  append(body, "limit", row.limit);
  append(body, "evidence", row.evidence);
  return body;
}

// All checks of one metric make one case, told by its worst: a name must not appear twice in a class.
void add_metrics(const gate::Verdict& verdict, std::vector<Case>& cases) {
  std::vector<Reason> reasons;
  for (const Reason& reason : verdict.reasons) {
    if (reason.check != Check::finding && reason.check != Check::stage) reasons.push_back(reason);
  }
  const std::vector<GateRow> rows = gate_rows(verdict);
  std::set<std::string> seen;
  for (const Reason& reason : reasons) {
    if (!seen.insert(reason.subject).second) continue;
    const Reason& worst = *gate::most_telling(reasons, reason.subject);
    Case test{.class_name = "gate",
              .name = reason.subject,
              .outcome = outcome_of(worst.status),
              .type = std::string(to_string(worst.check)),
              .message = worst.sentence,
              .body = {}};
    for (size_t i = 0; i < reasons.size(); ++i) {
      if (reasons[i].subject == reason.subject) test.body += body_of(rows[i]);
    }
    cases.push_back(std::move(test));
  }
}

void add_stages(const RunReport& report, std::vector<Case>& cases) {
  for (const Stage& stage : report.stages) {
    Case test{.class_name = "stage",
              .name = stage.name,
              .type = "stage",
              .message = outcome(stage),
              .body = {},
              .seconds = seconds_of(stage)};
    if (stage.attempts.empty()) {
      test.outcome = Outcome::skipped;
    } else if (!succeeded(stage)) {
      test.outcome = Outcome::failure;
    }
    for (const Reason& reason : report.verdict.reasons) {
      if (reason.check != Check::stage || reason.subject != stage.name) continue;
      test.outcome = outcome_of(reason.status);
      test.message = reason.sentence;
    }
    for (const Attempt& attempt : stage.attempts) {
      test.body += fmt::format("attempt {}: {}{}{} ({})\n", attempt.number, attempt.outcome,
                               attempt.detail.empty() ? "" : ": ", attempt.detail, duration(attempt.seconds));
    }
    cases.push_back(std::move(test));
  }
}

void add_rules(const RunReport& report, std::vector<Case>& cases) {
  for (const Finding& finding : report.findings) {
    cases.push_back(
        {.class_name = "rule",
         .name = finding.rule,
         .outcome = is_waived(report, finding) ? Outcome::skipped
                    : finding.fails_build      ? Outcome::failure
                                               : Outcome::passed,
         .type = finding.fails_build ? "finding" : "warning",
         .message = fmt::format("{}: {}", where_of(finding), finding.message),
         .body = fmt::format("stage: {}\nwhere: {}\nvalue: {}\nsteps: {}\n{}\n", finding.stage,
                             where_of(finding), measured(finding), finding.count, finding.message)});
  }
  // A required rule that could not be evaluated is a reason without a finding.
  for (const Reason& reason : report.verdict.reasons) {
    if (reason.check != Check::finding) continue;
    bool found = false;
    for (const Finding& finding : report.findings) found = found || finding.rule == reason.subject;
    if (found) continue;
    cases.push_back({.class_name = "rule",
                     .name = reason.subject,
                     .outcome = outcome_of(reason.status),
                     .type = "finding",
                     .message = reason.sentence,
                     .body = reason.sentence});
  }
}

std::vector<Case> cases_of(const RunReport& report) {
  std::vector<Case> cases;
  add_metrics(report.verdict, cases);
  add_rules(report, cases);
  add_stages(report, cases);
  bool red = false;
  for (const Case& test : cases) red = red || test.outcome >= Outcome::error;
  if (!red && !is_green(report)) {
    cases.push_back({.class_name = "run",
                     .name = "verdict",
                     .outcome = Outcome::error,
                     .type = std::string(verdict_name(report)),
                     .message = report.verdict.headline,
                     .body = report.verdict.headline});
  }
  return cases;
}

void make_names_unique(std::vector<Case>& cases) {
  std::set<std::pair<std::string, std::string>> seen;
  for (Case& test : cases) {
    test.name = clean_line(test.name);
    const std::string name = test.name;
    for (int i = 2; !seen.emplace(test.class_name, test.name).second; ++i)
      test.name = fmt::format("{} #{}", name, i);
  }
}

std::string to_xml(const Case& test) {
  std::string out = fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"", test.class_name,
                                escape_markup(test.name), test.seconds);
  const std::string message = escape_markup(clean_line(test.message, 1000));
  const std::string body = escape_markup(test.body);
  switch (test.outcome) {
    case Outcome::passed:
      return out + (body.empty()
                        ? "/>\n"
                        : fmt::format(">\n      <system-out>{}</system-out>\n    </testcase>\n", body));
    case Outcome::skipped:
      return out + fmt::format(">\n      <skipped message=\"{}\"/>\n    </testcase>\n", message);
    case Outcome::error:
    case Outcome::failure:
      break;
  }
  const std::string_view tag = test.outcome == Outcome::error ? "error" : "failure";
  return out + fmt::format(">\n      <{0} message=\"{1}\" type=\"{2}\">{3}</{0}>\n    </testcase>\n", tag,
                           message, escape_markup(test.type), body);
}

std::string properties(const RunReport& report) {
  std::vector<std::pair<std::string, std::string>> all = {{"run", report.run_id},
                                                          {"project", report.project},
                                                          {"branch", report.branch},
                                                          {"commit", report.commit},
                                                          {"trigger", origin(report)},
                                                          {"verdict", std::string(verdict_name(report))},
                                                          {"headline", report.verdict.headline}};
  if (report.verdict.baseline) all.emplace_back("baseline", report.verdict.baseline->id);
  if (!report.url.empty()) all.emplace_back("url", report.url);
  for (const DataVersion& data : report.data) all.emplace_back("data." + data.name, data.digest);
  std::string out;
  for (const auto& [name, value] : all) {
    out += fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", escape_markup(clean_line(name)),
                       escape_markup(clean_line(value, 1000)));
  }
  return out;
}

}  // namespace

std::string to_junit(const RunReport& report) {
  std::vector<Case> cases = cases_of(report);
  make_names_unique(cases);
  std::map<Outcome, int> count;
  std::string body;
  for (const Case& test : cases) {
    ++count[test.outcome];
    body += to_xml(test);
  }
  const std::string totals =
      fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3f}\"", cases.size(),
                  count[Outcome::failure], count[Outcome::error], count[Outcome::skipped], report.seconds);
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"pawl\" {0}>\n"
      "  <testsuite name=\"{1}\" id=\"0\" timestamp=\"{2}\" {0}>\n"
      "    <properties>\n{3}    </properties>\n{4}"
      "  </testsuite>\n"
      "</testsuites>\n",
      totals, escape_markup(clean_line(report.project.empty() ? "pawl" : report.project)),
      format_utc(report.started_unix_ms), properties(report), body);
}

}  // namespace pawl::report
