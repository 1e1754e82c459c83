#include "engine/core/run_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/base/clock.h"
#include "engine/store/data.h"

namespace pawl::core {
namespace {

template <class T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json time_json(const std::optional<int64_t>& unix_ms) {
  return unix_ms ? Json(format_utc(*unix_ms)) : Json(nullptr);
}

template <class Row>
Json array_json(const std::vector<Row>& rows, Json (*convert)(const Row&)) {
  Json out = Json::array();
  for (const Row& row : rows) out.push_back(convert(row));
  return out;
}

}  // namespace

Json run_json(const store::Run& run) {
  Json out = {{"number", run.number},
              {"id", run.id},
              {"project", run.project},
              {"branch", run.branch},
              {"target", run.target},
              {"commit", run.commit_sha},
              {"subject", run.subject},
              {"author", run.author},
              {"trigger", run.trigger},
              {"trigger_note", run.trigger_note},
              {"state", run.state},
              {"verdict", optional_json(run.verdict)},
              {"headline", run.headline},
              {"exit_code", optional_json(run.exit_code)},
              {"created", format_utc(run.created_ms)},
              {"started", time_json(run.started_ms)},
              {"finished", time_json(run.finished_ms)}};
  if (run.started_ms && run.finished_ms) {
    out["seconds"] = static_cast<double>(*run.finished_ms - *run.started_ms) / 1000;
  }
  if (!run.cancel.empty()) out["cancel"] = run.cancel;
  if (!run.made_here()) out["origin"] = run.origin;
  return out;
}

Json attempt_json(const store::Attempt& a) {
  return {{"stage", a.stage},
          {"attempt", a.number},
          {"state", a.state},
          {"outcome", optional_json(a.outcome)},
          {"reason", a.reason},
          {"cpus", a.cpus},
          {"gpus", parse_json(a.gpus, "gpus").value_or(Json::array())},
          {"steps", optional_json(a.steps)},
          {"steps_per_s", optional_json(a.steps_per_s)},
          {"last_loss", a.last_loss ? number_to_json(*a.last_loss) : Json(nullptr)},
          {"started", format_utc(a.started_ms)},
          {"finished", time_json(a.finished_ms)}};
}

Json metric_json(const store::Metric& m) {
  return {{"stage", m.stage},
          {"name", m.name},
          {"value", number_to_json(m.value)},
          {"unit", m.unit},
          {"n", optional_json(m.n)}};
}

Json finding_json(const store::Finding& f) {
  return {{"stage", f.stage},
          {"attempt", f.attempt},
          {"rule", f.rule},
          {"severity", f.severity},
          {"action", f.action},
          {"first_step", f.first_step},
          {"last_step", f.last_step},
          {"count", f.count},
          {"rank", f.rank},
          {"tensor", f.tensor},
          {"value", number_to_json(f.value)},
          {"limit", number_to_json(f.limit)},
          {"message", f.message}};
}

Json artifact_json(const store::Artifact& a) {
  return {{"stage", a.stage}, {"path", a.path}, {"digest", a.digest}, {"bytes", a.bytes}};
}

Json baseline_json(const store::Baseline& b) {
  return {{"id", b.id},
          {"project", b.project},
          {"branch", b.branch},
          {"run", b.run_id},
          {"cause", b.cause},
          {"who", b.who},
          {"why", b.why},
          {"created", format_utc(b.created_ms)},
          {"newer_run", optional_json(b.newer_run)}};
}

Json baseline_event_json(const store::Baseline& b) {
  Json out = baseline_json(b);
  out["number"] = b.run_number;
  out["commit"] = b.commit;
  out["verdict"] = b.verdict;
  return out;
}

Json current_baseline_json(const store::Baseline& b) {
  Json out = baseline_event_json(b);
  out["pinned"] = b.is_pin();
  return out;
}

Result<Json> full_run_json(Db& db, const store::Run& run) {
  Json out = run_json(run);
  PAWL_ASSIGN(auto data, store::data_of(db, run.id));
  PAWL_ASSIGN(auto stages, store::stages_of(db, run.id));
  PAWL_ASSIGN(auto attempts, store::attempts_of(db, run.id));
  PAWL_ASSIGN(auto metrics, store::metrics_of(db, run.id));
  PAWL_ASSIGN(auto findings, store::findings_of(db, run.id));
  PAWL_ASSIGN(auto artifacts, store::artifacts_of(db, run.id));
  PAWL_ASSIGN(auto verdict, store::verdict_of(db, run.id));
  out["data"] = Json::array();
  for (const store::RunData& d : data)
    out["data"].push_back({{"dataset", d.dataset}, {"digest", d.digest}, {"path", d.path}});
  out["stages"] = Json::array();
  for (const store::Stage& s : stages) out["stages"].push_back({{"name", s.name}, {"state", s.state}});
  out["attempts"] = array_json(attempts, attempt_json);
  out["metrics"] = array_json(metrics, metric_json);
  out["findings"] = array_json(findings, finding_json);
  out["artifacts"] = array_json(artifacts, artifact_json);
  out["baseline"] = nullptr;
  out["gate"] = nullptr;
  if (verdict) {
    out["baseline"] = optional_json(verdict->baseline_run);
    PAWL_ASSIGN(out["gate"], parse_json(verdict->body, "verdicts.body"));
  }
  return out;
}

}  // namespace pawl::core
