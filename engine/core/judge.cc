#include "engine/core/judge.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/parallel.h"
#include "engine/core/evaluation_identity.h"
#include "engine/core/evidence.h"
#include "engine/core/rescoring.h"
#include "engine/core/test_ledgers.h"
#include "engine/core/trial.h"
#include "engine/core/waive.h"
#include "engine/core/whose_gate.h"
#include "engine/gate/verdict_json.h"
#include "engine/store/database.h"
#include "engine/store/results.h"
#include "engine/supervise/result.h"

namespace pawl::core {
namespace {

// The last attempt of a stage says how the stage ended.
const store::Attempt* last_attempt(const std::vector<store::Attempt>& attempts, const std::string& stage) {
  const store::Attempt* found = nullptr;
  for (const store::Attempt& attempt : attempts) {
    if (attempt.stage == stage) found = &attempt;
  }
  return found;
}

bool is_infrastructure(const std::string& outcome) {
  return outcome == "lost" || outcome == "error";
}

void add_stage(const schedule::StageNode& stage, bool evaluator, const store::Attempt* attempt,
               const std::vector<store::Finding>& findings, gate::Inputs& inputs) {
  bool fired = false;
  for (const store::Finding& f : findings) {
    if (attempt == nullptr || f.stage != stage.name || f.attempt != attempt->number || f.severity != "fail")
      continue;
    inputs.findings.push_back({f.rule, f.first_step, f.rank, f.tensor, f.message, stage.name});
    fired = true;
  }
  bool ended_well = false;
  if (attempt != nullptr) {
    // Required rules that saw nothing: no row of their own, but they fail the stage.
    auto result = supervise::parse_result(attempt->result, "attempts.result");
    if (result.ok()) {
      ended_well = attempt->outcome == "failed" && !result->first_failing_rank;
      for (const rules::RuleOutcome& rule : result->rules) {
        if (!rule.required || rule.outcome != rules::Outcome::not_evaluated) continue;
        inputs.findings.push_back({rule.rule, std::nullopt, std::nullopt, "", rule.reason, stage.name});
      }
    }
  }
  if (stage.state == schedule::StageState::succeeded) return;
  std::string reason = attempt != nullptr                               ? attempt->reason
                       : stage.state == schedule::StageState::cancelled ? "was not started any more"
                                                                        : "what it needs did not succeed";
  std::string outcome = attempt != nullptr ? attempt->outcome.value_or("") : "";
  // Every rank ended with 0, and still the stage failed: its rules say so.
  inputs.stages.push_back(
      {stage.name, reason, is_infrastructure(outcome), fired && ended_well, evaluator && attempt != nullptr});
}

// Rules look at what hooks record; a training that hooks could not attach to goes unwatched, and is told when
// no other stage was watched either.
void add_unwatched(const std::vector<schedule::StageNode>& stages,
                   const std::vector<store::Attempt>& attempts, gate::Inputs& inputs) {
  std::vector<gate::Unwatched> unwatched;
  for (const schedule::StageNode& stage : stages) {
    const store::Attempt* attempt = last_attempt(attempts, stage.name);
    if (attempt == nullptr || stage.state != schedule::StageState::succeeded) continue;
    auto result = supervise::parse_result(attempt->result, "attempts.result");
    if (!result.ok() || result->rules.empty()) continue;
    for (const rules::RuleOutcome& rule : result->rules) {
      if (rule.outcome != rules::Outcome::not_evaluated) return;
    }
    unwatched.push_back({stage.name, result->rules.front().reason});
  }
  inputs.unwatched = std::move(unwatched);
}

// Who asks for `early` believes that a bad training is stopped: why it cannot be is told for every stage that
// has the rule, and that none has it.
void add_early(const std::vector<schedule::StageNode>& stages, const std::vector<store::Attempt>& attempts,
               gate::Inputs& inputs) {
  constexpr std::string_view kRule = "worse_than_green";
  bool somewhere = false;
  for (const schedule::StageNode& stage : stages) {
    const store::Attempt* attempt = last_attempt(attempts, stage.name);
    if (attempt == nullptr) continue;
    auto result = supervise::parse_result(attempt->result, "attempts.result");
    if (!result.ok()) continue;
    for (const rules::RuleOutcome& rule : result->rules) {
      if (rule.rule != kRule) continue;
      somewhere = true;
      if (rule.outcome == rules::Outcome::not_evaluated && stage.state == schedule::StageState::succeeded)
        inputs.unwatched.push_back({stage.name, rule.reason, std::string(kRule)});
    }
  }
  if (!somewhere && !stages.empty())
    inputs.unwatched.push_back({stages.front().name, "no stage records a curve", std::string(kRule)});
}

Result<gate::Inputs> gather(Db& db, const store::Cas& cas, const trigger::Repository& repository,
                            const store::Run& run, const pipeline::Plan& plan,
                            const std::vector<schedule::StageNode>& stages) {
  const gate::Policy& policy = plan.gate;
  gate::Inputs out;
  PAWL_ASSIGN(auto attempts, store::attempts_of(db, run.id));
  PAWL_ASSIGN(auto findings, store::findings_of(db, run.id));
  // First what failed by itself: the others were stopped, or not started, because of that.
  std::vector<schedule::StageNode> by_cause = stages;
  std::ranges::stable_partition(
      by_cause, [](const schedule::StageNode& stage) { return stage.state == schedule::StageState::failed; });
  for (const schedule::StageNode& stage : by_cause) {
    if (is_rescoring(stage.name)) continue;
    const auto spec =
        std::find_if(plan.stages.begin(), plan.stages.end(),
                     [&](const pipeline::Stage& planned) { return planned.name == stage.name; });
    const bool evaluator = spec != plan.stages.end() && !spec->evaluates.empty();
    add_stage(stage, evaluator, last_attempt(attempts, stage.name), findings, out);
  }
  add_unwatched(stages, attempts, out);
  if (policy.early && out.unwatched.empty() && !is_trial(run)) add_early(stages, attempts, out);
  PAWL_ASSIGN(out.evidence, load_evidence(db, cas, run.id, policy));
  PAWL_RETURN_IF_ERROR(add_ledgers(db, run.project, policy, out));
  PAWL_ASSIGN(out.target_was_ever_green, store::ever_green(db, run.project, run.target));
  PAWL_ASSIGN(ComparedWith compared, find_baseline({db, cas, repository, run, policy, out.evidence}));
  out.target_branch = std::move(compared.branch);
  out.baseline = std::move(compared.baseline);
  out.own_baselines = std::move(compared.own_baselines);
  out.past = std::move(compared.past);
  return out;
}

// What the run's own scores are keyed by.
Result<store::Evaluation> identify(Db& db, const trigger::Repository& repository, const store::Run& run,
                                   const pipeline::Plan& plan, const gate::Evidence& evidence) {
  store::Evaluation out{run.id, evidence.stage, run.project, {}, {}};
  for (const auto& [file, vector] : evidence.vectors) out.testsets[file] = vector.testset;
  for (const pipeline::Stage& stage : plan.stages) {
    if (stage.name != evidence.stage) continue;
    PAWL_ASSIGN(auto artifacts, store::artifacts_of(db, run.id));
    out.model = model_digest(artifacts, model_stage(stage));
    PAWL_ASSIGN(const auto data, store::data_of(db, run.id));
    PAWL_ASSIGN(out.evaluator, evaluator_digest(stage, repository, run.commit_sha, data));
  }
  return out;
}

// A task of the gate takes 16 bytes for each example.
void on_all_cores(std::size_t count, const std::function<void(std::size_t)>& task) {
  constexpr unsigned kMaxThreads = 8;
  run_parallel(std::clamp(std::thread::hardware_concurrency(), 1u, kMaxThreads), count, task);
}

std::string testsets_json(const gate::Evidence& evidence) {
  Json out = Json::object();
  for (const auto& [file, vector] : evidence.vectors) out[file] = vector.testset;
  return dump_json(out);
}

Result<void> write_lists(const std::string& dir, const std::vector<gate::ToLabel>& lists) {
  if (!lists.empty()) PAWL_RETURN_IF_ERROR(make_dirs(dir));
  for (const gate::ToLabel& list : lists) {
    PAWL_RETURN_IF_ERROR(write_file_atomic(dir + "/" + list.file, gate::to_csv(list)));
  }
  return {};
}

void set_verdict(const store::Run& run, const gate::Verdict& verdict, const std::string& gate_note,
                 int64_t now_ms, Judgement& out) {
  out.verdict.run_id = run.id;
  out.verdict.kind = gate::to_string(verdict.kind);
  out.verdict.headline = verdict.headline;
  if (verdict.baseline) out.verdict.baseline_run = verdict.baseline->id;
  Json body = gate::to_json(verdict);
  if (!gate_note.empty()) body["gate_note"] = gate_note;
  out.verdict.body = dump_json(body);
  for (const gate::Reason& r : verdict.reasons) {
    out.verdict.reasons.push_back({r.subject, std::string(gate::to_string(r.check)),
                                   std::string(gate::to_string(r.status)), r.sentence});
  }
  out.verdict.created_ms = now_ms;
  out.exit_code = gate::exit_code(verdict.kind);
}

Result<Judgement> judge_with(Db& db, const Home& home, const store::Cas& cas,
                             const trigger::Repository& repository, const store::Run& run,
                             const pipeline::Plan& plan, const std::vector<schedule::StageNode>& stages,
                             int64_t now_ms) {
  PAWL_ASSIGN(gate::Inputs inputs, gather(db, cas, repository, run, plan, stages));
  PAWL_ASSIGN(inputs.waivers, waivers_for(db, run));
  inputs.now_unix_ms = now_ms;
  Judgement out;
  if (!inputs.evidence.stage.empty()) {
    PAWL_ASSIGN(store::Evaluation own, identify(db, repository, run, plan, inputs.evidence));
    inputs.evidence.evaluator = own.evaluator;
    out.evaluations.push_back(std::move(own));
    PAWL_ASSIGN(Rescoring rescoring, rescore_baseline({db, home, cas, run, plan, stages}, plan.gate, inputs));
    out.rescore = rescoring.stage;
    if (!out.rescore.empty()) return out;
    if (rescoring.evaluation) out.evaluations.push_back(*rescoring.evaluation);
  }
  gate::Verdict verdict = gate::judge(plan.gate, inputs, on_all_cores);
  PAWL_RETURN_IF_ERROR(write_lists(home.report(run.id), verdict.to_label));
  set_verdict(run, verdict, is_trial(run) ? "" : whose_gate(repository, run, plan.gate), now_ms, out);
  out.test_uses = std::move(verdict.test_uses);
  bool on_target = run.branch == run.target;
  // A waived run as the baseline would lower the bar for good.
  bool green = verdict.kind == gate::VerdictKind::pass && !gate::is_waived(verdict);
  if (green && on_target && plan.gate.judges_models()) {
    out.baseline_cause = plan.gate.bootstrap && !inputs.baseline ? "bootstrap" : "green";
    out.testsets = testsets_json(inputs.evidence);
    PAWL_ASSIGN(out.placement, place_green_run(db, repository, run));
  }
  return out;
}

}  // namespace

Judgement refused(const store::Run& run, const gate::Verdict& verdict, int64_t now_ms) {
  Judgement out;
  set_verdict(run, verdict, "", now_ms, out);
  return out;
}

Judgement judge_run(const Home& home, const store::Cas& cas, const std::string& repository,
                    const store::Run& run, const pipeline::Plan& plan,
                    const std::vector<schedule::StageNode>& stages, int64_t now_ms) {
  Judgement out;
  out.verdict.run_id = run.id;
  out.verdict.body = "{}";
  out.verdict.created_ms = now_ms;
  if (!run.cancel.empty()) {
    out.verdict.kind = "CANCELLED";
    out.verdict.headline = run.cancel;
    out.exit_code = 130;
    return out;
  }
  auto db = store::open_record_for_reading(home.database());
  auto judged = db.ok()
                    ? judge_with(*db, home, cas, trigger::Repository(repository), run, plan, stages, now_ms)
                    : Result<Judgement>(db.error());
  if (judged.ok()) return std::move(*judged);
  // A gate that did not run is red.
  out.verdict.kind = "ERROR";
  out.verdict.headline = "the gate could not be evaluated: " + judged.error().to_string();
  out.exit_code = 3;
  return out;
}

Result<Placement> place_again(const Home& home, const std::string& repository, const store::Run& run) {
  PAWL_ASSIGN(Db db, store::open_record_for_reading(home.database()));
  return place_green_run(db, trigger::Repository(repository), run);
}

}  // namespace pawl::core
