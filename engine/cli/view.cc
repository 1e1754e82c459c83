// pawl runs, show: looking at the record.

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/base/clock.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/record.h"
#include "engine/core/run_json.h"
#include "engine/core/whose_gate.h"
#include "engine/gate/verdict_json.h"
#include "engine/report/rows.h"
#include "engine/store/cas.h"
#include "engine/store/data.h"
#include "engine/store/results.h"
#include "engine/store/verdicts.h"

namespace pawl::cli {
namespace {

std::string seconds_of(const store::Run& run) {
  if (!run.started_ms) return "";
  int64_t end = run.finished_ms.value_or(SystemClock().unix_ms());
  return format_duration(end - *run.started_ms);
}

Result<int> show_runs(const Global& global, const RunsOptions& options) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  store::RunFilter filter;
  filter.project = options.project;
  filter.branch = options.branch;
  filter.verdict = options.verdict;
  filter.limit = options.limit;
  PAWL_ASSIGN(auto runs, store::list_runs(record.db, filter));
  if (global.json) {
    Json out = Json::array();
    for (const store::Run& run : runs) {
      Json entry = core::run_json(run);
      PAWL_ASSIGN(auto data, store::data_of(record.db, run.id));
      entry["data"] = Json::array();
      for (const auto& d : data) entry["data"].push_back({{"dataset", d.dataset}, {"digest", d.digest}});
      out.push_back(std::move(entry));
    }
    print_json({{"runs", out}});
    return 0;
  }
  std::vector<std::vector<Cell>> rows;
  int64_t now = SystemClock().unix_ms();
  for (const store::Run& run : runs) {
    std::string verdict = run.verdict.value_or(run.state);
    rows.push_back({{std::to_string(run.number)},
                    {verdict, verdict_tone(run.verdict.value_or(""))},
                    {run.project},
                    {run.branch},
                    {run.commit_sha.substr(0, 8)},
                    {run.trigger},
                    {age(run.created_ms, now), Tone::dim},
                    {seconds_of(run)},
                    {run.finished() ? run.headline : run.subject}});
  }
  if (rows.empty()) {
    bool filtered = !filter.project.empty() || !filter.branch.empty() || !filter.verdict.empty();
    print(filtered ? "no run is like that\n" : "no runs yet\n");
  } else {
    print(render_table({"run", "verdict", "project", "branch", "commit", "trigger", "when", "took", "why"},
                       rows));
  }
  return 0;
}

std::string number_cell(double value) {
  return std::isfinite(value) ? fmt::format("{:.6g}", value) : store::number_text(value);
}

Tone reason_tone(std::string_view status) {
  if (status == "pass") return Tone::good;
  if (status == "waived" || status == "inconclusive") return Tone::warn;
  if (status == "not_judged" || status == "bootstrap") return Tone::dim;
  return Tone::bad;
}

Result<void> print_details(Record& record, const store::Run& run) {
  PAWL_ASSIGN(auto data, store::data_of(record.db, run.id));
  PAWL_ASSIGN(auto attempts, store::attempts_of(record.db, run.id));
  PAWL_ASSIGN(auto stages, store::stages_of(record.db, run.id));
  PAWL_ASSIGN(auto findings, store::findings_of(record.db, run.id));
  PAWL_ASSIGN(auto metrics, store::metrics_of(record.db, run.id));
  PAWL_ASSIGN(auto verdict, store::verdict_of(record.db, run.id));
  std::string state = run.verdict.value_or(run.state);
  print(fmt::format("run {}  {}  {}\n", run.number, paint(state, tone_of(record.db, run)),
                    sanitize_for_terminal(run.headline)));
  const std::string note = verdict ? core::gate_note(*verdict) : "";
  if (!note.empty()) print(sanitize_for_terminal(note) + "\n");
  std::vector<std::vector<Cell>> facts = {
      {{"commit", Tone::dim}, {fmt::format("{} {}", run.commit_sha.substr(0, 12), run.subject)}},
      {{"branch", Tone::dim},
       {run.branch == run.target ? run.branch : fmt::format("{} (into {})", run.branch, run.target)}},
      {{"trigger", Tone::dim},
       {run.trigger_note.empty() ? run.trigger : run.trigger + ", " + run.trigger_note}},
      {{"project", Tone::dim}, {run.project}},
      {{"id", Tone::dim}, {run.id}},
      {{"when", Tone::dim}, {fmt::format("{} for {}", format_utc(run.created_ms), seconds_of(run))}}};
  if (!run.made_here()) facts.push_back({{"made", Tone::dim}, {run.origin}});
  for (const auto& d : data)
    facts.push_back({{"data", Tone::dim}, {fmt::format("{} {}", d.dataset, d.digest)}});
  if (verdict && verdict->baseline_run) {
    auto baseline = store::find_run(record.db, *verdict->baseline_run);
    if (baseline.ok() && *baseline) {
      facts.push_back(
          {{"baseline", Tone::dim},
           {fmt::format("run {} of commit {}", (*baseline)->number, (*baseline)->commit_sha.substr(0, 12))}});
    }
  }
  print(render_table({}, facts));

  std::vector<std::vector<Cell>> rows;
  for (const store::Stage& stage : stages) {
    bool any = false;
    for (const store::Attempt& a : attempts) {
      if (a.stage != stage.name) continue;
      any = true;
      std::string outcome = a.outcome.value_or(a.state);
      Tone tone = outcome == "succeeded" ? Tone::good : a.outcome ? Tone::bad : Tone::plain;
      rows.push_back({{stage.name},
                      {std::to_string(a.number)},
                      {outcome, tone},
                      {a.finished_ms ? format_duration(*a.finished_ms - a.started_ms) : ""},
                      {a.steps ? std::to_string(*a.steps) : ""},
                      {a.steps_per_s ? fmt::format("{:.1f}", *a.steps_per_s) : ""},
                      {a.reason}});
    }
    if (!any) rows.push_back({{stage.name}, {""}, {stage.state, Tone::dim}, {""}, {""}, {""}, {""}});
  }
  if (!rows.empty())
    print("\n" + render_table({"stage", "attempt", "outcome", "took", "steps", "steps/s", "why"}, rows));

  if (!findings.empty()) {
    rows.clear();
    for (const store::Finding& f : findings) {
      rows.push_back({{f.rule, f.severity == "fail" ? Tone::bad : Tone::warn},
                      {f.stage},
                      {std::to_string(f.first_step)},
                      {std::to_string(f.rank)},
                      {f.tensor},
                      {f.message}});
    }
    print("\n" + render_table({"rule", "stage", "step", "rank", "tensor", "what"}, rows));
  }
  if (!metrics.empty()) {
    rows.clear();
    for (const store::Metric& m : metrics) {
      rows.push_back({{m.name}, {number_cell(m.value)}, {m.n ? fmt::format("n={}", *m.n) : ""}, {m.stage}});
    }
    print("\n" + render_table({"metric", "value", "", "stage"}, rows));
  }
  if (verdict && !verdict->reasons.empty()) {
    rows.clear();
    PAWL_ASSIGN(const gate::Verdict judged, gate::verdict_from_json(verdict->body));
    for (const gate::Reason& r : judged.reasons) {
      const std::string_view status = to_string(r.status);
      const std::string test = report::describe_test(r);
      rows.push_back({{std::string(status), reason_tone(status)},
                      {r.subject},
                      {std::string(to_string(r.check))},
                      {test.empty() ? r.sentence : fmt::format("{}; {}", r.sentence, test)}});
    }
    print("\n" + render_table({"gate", "metric", "rule", "reason"}, rows));
  }
  std::string page = record.home.report(run.id) + "/report.html";
  if (path_exists(page)) print(fmt::format("\nreport: {}\n", page));
  return {};
}

Result<int> show_run(const Global& global, const std::string& name) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, name));
  if (global.json) {
    PAWL_ASSIGN(Json full, core::full_run_json(record.db, run));
    print_json(full);
    return 0;
  }
  PAWL_RETURN_IF_ERROR(print_details(record, run));
  return 0;
}

int finish(Result<int> result) {
  return result.ok() ? *result : fail(result.error());
}

}  // namespace

int runs(const Global& global, const RunsOptions& options) {
  return finish(show_runs(global, options));
}
int show(const Global& global, const std::string& run) {
  return finish(show_run(global, run));
}

}  // namespace pawl::cli
