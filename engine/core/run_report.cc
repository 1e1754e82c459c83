// write_reports() of judge.h: the record of a run as report::RunReport, then as files.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/core/judge.h"
#include "engine/core/rescoring.h"
#include "engine/core/seed_means.h"
#include "engine/core/tensor_history.h"
#include "engine/core/whose_gate.h"
#include "engine/gate/verdict_json.h"
#include "engine/report/html.h"
#include "engine/report/junit.h"
#include "engine/report/markdown.h"
#include "engine/report/run_report.h"
#include "engine/rules/table.h"
#include "engine/store/data.h"
#include "engine/store/database.h"
#include "engine/store/results.h"
#include "engine/supervise/intent.h"
#include "pipelines/seeds.h"

namespace pawl::core {
namespace {

constexpr off_t kLogTailBytes = 16 << 10;

// A run that was never judged (cancelled, its pipeline could not be read) has its headline and nothing else.
gate::Verdict gate_verdict(const store::Verdict& verdict) {
  if (auto parsed = gate::verdict_from_json(verdict.body); parsed.ok()) return std::move(*parsed);
  gate::Verdict out;
  out.kind = gate::VerdictKind::error;
  out.headline = verdict.headline;
  return out;
}

report::LogTail log_tail(const std::string& dir, const store::Attempt& attempt) {
  report::LogTail tail;
  tail.title = fmt::format("{}, attempt {}", attempt.stage, attempt.number);
  UniqueFd fd(open((dir + "/log").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return tail;
  off_t size = lseek(fd.get(), 0, SEEK_END);
  off_t start = size > kLogTailBytes ? size - kLogTailBytes : 0;
  tail.whole = start == 0;
  tail.text.resize(static_cast<size_t>(size > 0 ? size - start : 0));
  ssize_t n = pread(fd.get(), tail.text.data(), tail.text.size(), start);
  tail.text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return tail;
}

std::string outcome_words(const store::Attempt& attempt) {
  std::string outcome = attempt.outcome.value_or(attempt.state);
  if (outcome == "stopped_by_rule") return "stopped";
  if (outcome == "timed_out") return "timed out";
  return outcome;
}

Result<void> add_stages(Db& db, const Home& home, const store::Run& run, report::RunReport& out) {
  PAWL_ASSIGN(auto stages, store::stages_of(db, run.id));
  PAWL_ASSIGN(auto attempts, store::attempts_of(db, run.id));
  for (const store::Stage& stage : stages) {
    report::Stage shown;
    shown.name = stage.name;
    for (const store::Attempt& a : attempts) {
      if (a.stage != stage.name) continue;
      double seconds = a.finished_ms ? static_cast<double>(*a.finished_ms - a.started_ms) / 1000 : 0;
      bool succeeded = a.outcome == "succeeded";
      shown.attempts.push_back({a.number, outcome_words(a), succeeded ? "" : a.reason, succeeded, seconds});
      report::LogTail tail = log_tail(home.attempt(run.id, a.stage, a.number), a);
      if (!tail.text.empty()) out.logs.push_back(std::move(tail));
    }
    out.stages.push_back(std::move(shown));
  }
  return {};
}

Result<void> add_findings(Db& db, const Home& home, const store::Run& run, report::RunReport& out) {
  PAWL_ASSIGN(auto findings, store::findings_of(db, run.id));
  for (const store::Finding& f : findings) {
    report::Finding shown;
    shown.rule = f.rule;
    shown.fails_build = f.severity == "fail";
    shown.stage = f.stage;
    shown.step = f.first_step;
    shown.count = f.count;
    shown.rank = f.rank;
    shown.tensor = f.tensor;
    shown.value = f.value;
    shown.limit = f.limit;
    shown.message = f.message;
    if (const rules::RuleDef* rule = rules::find_rule(f.rule)) shown.advice = rule->hint;
    if (auto history = tensor_history(home.attempt(run.id, f.stage, f.attempt), f)) {
      shown.kind = history->kind;
      out.tensors.push_back(std::move(*history));
    }
    out.findings.push_back(std::move(shown));
  }
  return {};
}

// What the supervisor of the stage's last attempt was told; nullopt: nothing to compare with.
std::optional<rules::GreenBand> band_of(const Home& home, const std::vector<store::Attempt>& attempts,
                                        const std::string& stage) {
  for (auto attempt = attempts.rbegin(); attempt != attempts.rend(); ++attempt) {
    if (attempt->stage != stage) continue;
    auto intent = supervise::read_intent(home.attempt(attempt->run_id, stage, attempt->number));
    if (intent.ok() && intent->green && intent->green->missing.empty()) return std::move(intent->green);
    break;
  }
  return std::nullopt;
}

report::GreenBand band_points(const rules::GreenBand& band) {
  report::GreenBand out;
  out.runs = band.runs;
  for (const rules::Stretch& s : band.stretches) {
    const auto middle = static_cast<int64_t>(s.first + (s.last - s.first) / 2);
    const double sign = band.higher_is_better ? -1 : 1;
    out.low.emplace_back(middle, s.low);
    out.high.emplace_back(middle, s.high);
    out.limit.emplace_back(middle, s.mean + sign * (s.allowance + s.margin));
  }
  return out;
}

Result<void> add_curve(Db& db, const store::Run& run, const std::optional<std::string>& baseline_run,
                       const std::string& stage, const std::string& name, const rules::GreenBand* band,
                       report::RunReport& out) {
  PAWL_ASSIGN(auto points, store::curve_of(db, run.id, stage, name));
  if (!points) return {};
  report::Curve curve{stage, name, std::move(*points), {}};
  if (baseline_run) {
    PAWL_ASSIGN(auto old, store::curve_of(db, *baseline_run, stage, name));
    if (old) curve.baseline = std::move(*old);
  }
  if (band != nullptr) curve.green = band_points(*band);
  out.curves.push_back(std::move(curve));
  return {};
}

Result<void> add_curves(Db& db, const Home& home, const store::Run& run,
                        const std::optional<std::string>& baseline_run, report::RunReport& out) {
  PAWL_ASSIGN(auto stages, store::stages_of(db, run.id));
  PAWL_ASSIGN(auto attempts, store::attempts_of(db, run.id));
  for (const store::Stage& stage : stages) {
    const auto band = band_of(home, attempts, stage.name);
    const bool of_loss = band && band->curve == "loss";
    PAWL_RETURN_IF_ERROR(
        add_curve(db, run, baseline_run, stage.name, "loss", of_loss ? &*band : nullptr, out));
    if (!band || of_loss) continue;
    PAWL_RETURN_IF_ERROR(add_curve(db, run, baseline_run, stage.name, band->curve, &*band, out));
  }
  return {};
}

Result<void> add_numbers(Db& db, const store::Run& run, const std::optional<std::string>& baseline_run,
                         report::RunReport& out) {
  PAWL_ASSIGN(auto metrics, store::metrics_of(db, run.id));
  std::vector<store::Metric> before;
  if (baseline_run) {
    PAWL_ASSIGN(before, store::metrics_of(db, *baseline_run));
  }
  before = with_seed_means(before);
  for (const store::Metric& m : with_seed_means(metrics)) {
    if (is_rescoring(m.stage)) continue;
    report::Metric shown{m.name, m.unit, m.value, std::nullopt};
    for (const store::Metric& of_seed : metrics) {
      const auto seed = pipeline::seed_of(of_seed.stage);
      if (seed && of_seed.name == m.name && pipeline::without_seed(of_seed.stage) == m.stage)
        shown.by_seed.emplace_back(*seed, of_seed.value);
    }
    for (const store::Metric& b : before) {
      if (b.name == m.name && b.stage == m.stage) shown.baseline = b.value;
    }
    // What the gate compared with may be another value: scored again, or a median.
    for (const gate::Reason& reason : out.verdict.reasons) {
      if (reason.subject == m.name && reason.slice.empty() && reason.baseline)
        shown.baseline = reason.baseline;
    }
    out.metrics.push_back(std::move(shown));
  }
  return {};
}

Result<report::RunReport> build_report(const Home& home, const store::Run& run,
                                       const store::Verdict& verdict) {
  PAWL_ASSIGN(Db db, store::open_record_for_reading(home.database()));
  report::RunReport out;
  out.project = run.project;
  out.run_id = run.id;
  out.number = run.number;
  out.branch = run.branch;
  out.commit = run.commit_sha;
  out.subject = run.subject;
  out.author = run.author;
  out.trigger = run.trigger;
  out.trigger_note = run.trigger_note;
  out.started_unix_ms = run.started_ms.value_or(run.created_ms);
  out.seconds = static_cast<double>(verdict.created_ms - out.started_unix_ms) / 1000;
  out.verdict = gate_verdict(verdict);
  out.gate_note = gate_note(verdict);
  out.cancelled = verdict.kind == "CANCELLED";
  PAWL_ASSIGN(auto data, store::data_of(db, run.id));
  for (const store::RunData& d : data) out.data.push_back({d.dataset, d.digest});
  PAWL_RETURN_IF_ERROR(add_stages(db, home, run, out));
  PAWL_RETURN_IF_ERROR(add_findings(db, home, run, out));
  PAWL_RETURN_IF_ERROR(add_numbers(db, run, verdict.baseline_run, out));
  PAWL_RETURN_IF_ERROR(add_curves(db, home, run, verdict.baseline_run, out));
  return out;
}

}  // namespace

Result<void> write_reports(const Home& home, const store::Run& run, const store::Verdict& verdict) {
  PAWL_ASSIGN(report::RunReport report, build_report(home, run, verdict));
  std::string dir = home.report(run.id);
  PAWL_RETURN_IF_ERROR(make_dirs(dir));
  PAWL_RETURN_IF_ERROR(write_file_atomic(dir + "/report.html", report::to_html(report)));
  PAWL_RETURN_IF_ERROR(write_file_atomic(dir + "/summary.md", report::to_markdown(report)));
  return write_file_atomic(dir + "/junit.xml", report::to_junit(report));
}

}  // namespace pawl::core
