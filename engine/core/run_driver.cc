#include "engine/core/run_driver.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/log.h"
#include "engine/core/attempt_intent.h"
#include "engine/core/rescoring.h"
#include "engine/core/test_ledgers.h"
#include "engine/core/trial.h"
#include "engine/store/data.h"
#include "engine/store/outbox.h"
#include "engine/store/results.h"
#include "engine/supervise/client.h"
#include "runners/process_tree.h"

namespace pawl::core {
namespace {

using schedule::StageState;

// A supervisor that died takes nothing back: start again this often, then call it an infrastructure error.
constexpr int64_t kMaxStarts = 3;

Result<void> in_transaction(Db& db, const std::function<Result<void>()>& body) {
  PAWL_ASSIGN(Transaction transaction, Transaction::begin(db));
  PAWL_RETURN_IF_ERROR(body());
  return transaction.commit();
}

Json grant_json(const schedule::Grant& grant) {
  return grant.gpus;
}

schedule::Grant grant_from(const store::Attempt& attempt) {
  schedule::Grant grant;
  grant.cpus = static_cast<int>(attempt.cpus);
  auto gpus = parse_json(attempt.gpus, "attempts.gpus");
  if (gpus.ok() && gpus->is_array()) {
    for (const Json& rank : *gpus) grant.gpus.push_back(rank.get<std::vector<std::string>>());
  }
  return grant;
}

int exit_code_of_error(ErrorCode code) {
  return code == ErrorCode::usage || code == ErrorCode::invalid || code == ErrorCode::not_found ? 2 : 3;
}

}  // namespace

RunDriver::RunDriver(Context& context, store::Run run, RunSource source)
    : context_(context), run_(std::move(run)), source_(std::move(source)) {}

RunDriver::~RunDriver() = default;

void RunDriver::start() {
  if (!run_.cancel.empty() && (run_.state == "queued" || run_.state == "preparing")) {
    finish_early("CANCELLED", run_.cancel, 130);
  } else if (run_.state == "queued" || run_.state == "preparing") {
    prepare();
  } else {
    resume_stages();
  }
}

// --- prepare
// ---------------------------------------------------------------------------------------------------------

void RunDriver::prepare() {
  run_.state = "preparing";
  must_record(store::set_run_state(context_.db, run_.id, "preparing", context_.clock.unix_ms()), "run state");
  queue_commit_status("pending", fmt::format("run {} has started", run_.number));
  publish_run();
  const Home* home = &context_.home;
  auto* cache = &context_.data_cache;
  run_on_pool(
      context_,
      [home, cache, run = run_, source = source_] { return prepare_run(*home, run, source, *cache); },
      [self = weak_from_this()](Result<Prepared> prepared) {
        if (auto driver = self.lock()) driver->on_prepared(std::move(prepared));
      });
}

void RunDriver::on_prepared(Result<Prepared> prepared) {
  if (!run_.cancel.empty()) return finish_early("CANCELLED", run_.cancel, 130);
  if (!prepared.ok()) {
    const Error& error = prepared.error();
    return finish_early("ERROR", error.to_string(), exit_code_of_error(error.code()));
  }
  if (prepared->refusal) return finish_early(refused(run_, *prepared->refusal, context_.clock.unix_ms()));
  plan_ = pipeline::make_plan(std::move(prepared->pipeline));
  plan_.green_runs = std::move(prepared->green_runs);
  for (const pipeline::Stage& stage : plan_.stages) {
    if (auto fits = context_.slots.check(demand_of(stage)); !fits.ok()) {
      return finish_early("ERROR", fmt::format("stage '{}' {}", stage.name, fits.error().message()), 2);
    }
    nodes_.push_back({stage.name, stage.needs, StageState::waiting});
  }
  record_plan(*prepared);
  data_ = std::move(prepared->data);
  publish_run();
  context_.schedule_soon();
}

void RunDriver::record_plan(const Prepared& prepared) {
  int64_t now = context_.clock.unix_ms();
  run_.plan = pipeline::to_json(plan_);
  run_.state = "running";
  must_record(
      in_transaction(context_.db,
                     [&]() -> Result<void> {
                       PAWL_RETURN_IF_ERROR(store::set_run_plan(context_.db, run_.id, run_.plan));
                       PAWL_RETURN_IF_ERROR(store::set_run_state(context_.db, run_.id, "running", now));
                       int64_t position = 0;
                       for (const schedule::StageNode& stage : nodes_) {
                         PAWL_RETURN_IF_ERROR(
                             store::insert_stage(context_.db, {run_.id, stage.name, position++, "waiting"}));
                       }
                       for (const PreparedData& data : prepared.data) {
                         const trigger::DataVersion& v = data.version;
                         const store::DataVersion row{run_.project,
                                                      data.dataset,
                                                      v.digest,
                                                      data.path,
                                                      static_cast<int64_t>(v.files),
                                                      static_cast<int64_t>(v.bytes),
                                                      now,
                                                      v.manifest};
                         PAWL_RETURN_IF_ERROR(is_trial(run_) ? store::note_data_version(context_.db, row)
                                                             : store::put_data_version(context_.db, row));
                         PAWL_RETURN_IF_ERROR(
                             store::put_run_data(context_.db, {run_.id, data.dataset, v.digest, data.path}));
                       }
                       return {};
                     }),
      "plan");
}

// --- after a restart
// -------------------------------------------------------------------------------------------------

void RunDriver::resume_stages() {
  auto plan = pipeline::plan_from_json(run_.plan);
  auto stages = store::stages_of(context_.db, run_.id);
  auto attempts = store::attempts_of(context_.db, run_.id);
  auto data = store::data_of(context_.db, run_.id);
  if (!plan.ok() || !stages.ok() || !attempts.ok() || !data.ok()) {
    return finish_early("ERROR", "the record of this run cannot be read back", 3);
  }
  plan_ = std::move(*plan);
  for (const store::RunData& d : *data) data_.push_back({d.dataset, d.path, {d.digest, {}, 0, 0}});
  for (const store::Stage& stage : *stages) {
    nodes_.push_back({stage.name, stage_spec(stage.name).needs, schedule::parse_stage_state(stage.state)});
  }
  std::vector<std::string> ended;
  for (store::Attempt& attempt : *attempts) {
    tries_[attempt.stage] = attempt.number;
    if (attempt.state == "finished") continue;
    Active active;
    active.grant = grant_from(attempt);
    active.attempt = attempt;
    context_.slots.take(active.grant);
    std::string dir = context_.home.attempt(run_.id, attempt.stage, attempt.number);
    Active& kept = active_.insert_or_assign(attempt.stage, std::move(active)).first->second;
    auto probe = supervise::probe(dir);
    bool running = probe.ok() && probe->state == supervise::Probe::State::running;
    Result<UniqueFd> pidfd = Error(ErrorCode::not_found, "is not running");
    if (running) pidfd = supervise::open_supervisor(dir);
    if (pidfd.ok()) {
      log_info("run {}: attached to stage {} attempt {}", run_.number, attempt.stage, attempt.number);
      watch(kept, std::move(*pidfd), -1);
    } else {
      ended.push_back(attempt.stage);
    }
  }
  publish_run();
  for (const std::string& stage : ended) on_attempt_end(stage);
  if (!run_.cancel.empty()) return cancel(run_.cancel);
  if (ended.empty()) proceed();
}

// --- stages
// ----------------------------------------------------------------------------------------------------------

const pipeline::Stage& RunDriver::stage_spec(const std::string& name) const {
  auto it = std::find_if(plan_.stages.begin(), plan_.stages.end(),
                         [&](const pipeline::Stage& stage) { return stage.name == name; });
  PAWL_CHECK(it != plan_.stages.end());
  return *it;
}

schedule::StageNode& RunDriver::node(const std::string& name) {
  auto it = std::find_if(nodes_.begin(), nodes_.end(),
                         [&](const schedule::StageNode& n) { return n.name == name; });
  PAWL_CHECK(it != nodes_.end());
  return *it;
}

std::vector<ReadyStage> RunDriver::ready() const {
  std::vector<ReadyStage> out;
  if (run_.state != "running" || !stopping_.empty()) return out;
  for (const std::string& name : schedule::ready_stages(nodes_))
    out.push_back({name, demand_of(stage_spec(name))});
  return out;
}

std::string RunDriver::why_waiting() const {
  if (run_.state == "queued" || run_.state == "preparing")
    return "the commit and its data are being prepared";
  if (!active_.empty()) return {};
  for (const ReadyStage& stage : ready()) {
    std::string why = context_.slots.why_waiting(stage.demand);
    return fmt::format("stage '{}' {}", stage.stage, why.empty() ? "waits for its turn in the queue" : why);
  }
  return {};
}

void RunDriver::launch(const std::string& stage, schedule::Grant grant) {
  store::Attempt attempt;
  attempt.run_id = run_.id;
  attempt.stage = stage;
  attempt.number = ++tries_[stage];
  attempt.state = "starting";
  attempt.cpus = grant.cpus;
  attempt.gpus = dump_json(grant_json(grant));
  attempt.started_ms = context_.clock.unix_ms();
  node(stage).state = StageState::running;
  must_record(in_transaction(context_.db,
                             [&]() -> Result<void> {
                               PAWL_RETURN_IF_ERROR(store::insert_attempt(context_.db, attempt));
                               return store::set_stage_state(context_.db, run_.id, stage, "running");
                             }),
              "attempt");
  start_attempt(stage, std::move(grant), std::move(attempt));
}

void RunDriver::start_attempt(const std::string& stage, schedule::Grant grant, store::Attempt attempt) {
  Active& active = active_[stage];
  active.grant = std::move(grant);
  active.attempt = std::move(attempt);
  active.watch.reset();
  if (auto spawned = spawn_supervisor(active); !spawned.ok()) {
    log_error("run {}: {}", run_.number, spawned.error().to_string());
    supervise::AttemptResult result;
    result.outcome = supervise::Outcome::error;
    result.reason = spawned.error().to_string();
    return harvest(stage, std::move(result));
  }
  active.attempt.state = "running";
  must_record(store::update_attempt(context_.db, active.attempt), "attempt");
  publish_run();
}

Result<void> RunDriver::spawn_supervisor(Active& active) {
  const store::Attempt& attempt = active.attempt;
  std::string dir = context_.home.attempt(run_.id, attempt.stage, attempt.number);
  PAWL_RETURN_IF_ERROR(make_dirs(dir));
  PAWL_RETURN_IF_ERROR(make_dirs(context_.home.checkpoints(run_.id, attempt.stage)));
  std::map<std::string, int64_t> last_tries(tries_);
  supervise::Intent intent = make_intent(
      {context_, run_, plan_, stage_spec(attempt.stage), attempt, active.grant, data_, last_tries});
  PAWL_RETURN_IF_ERROR(supervise::write_intent(intent));
  PAWL_ASSIGN(Child child, supervise::start_supervisor(context_.install.pawl, dir));
  pid_t pid = child.pid;
  watch(active, std::move(child.pidfd), pid);
  return {};
}

void RunDriver::watch(Active& active, UniqueFd pidfd, pid_t pid) {
  std::string stage = active.attempt.stage;
  AttemptWatch::Callbacks callbacks;
  callbacks.message = [this, stage](const supervise::LiveMessage& message) {
    Json body = parse_json(supervise::live_line(message), "live message").value_or(Json::object());
    body["run"] = run_.id;
    body["number"] = run_.number;
    body["stage"] = stage;
    body["attempt"] = active_.at(stage).attempt.number;
    context_.publish_json("progress", run_.id, body);
  };
  callbacks.end = [this, stage] { on_attempt_end(stage); };
  active.watch = std::make_unique<AttemptWatch>(context_.loop,
                                                context_.home.attempt(run_.id, stage, active.attempt.number),
                                                std::move(pidfd), pid, std::move(callbacks));
}

void RunDriver::on_attempt_end(const std::string& stage) {
  Active& active = active_.at(stage);
  auto probe = supervise::probe(context_.home.attempt(run_.id, stage, active.attempt.number));
  if (probe.ok() && probe->state == supervise::Probe::State::finished && probe->result) {
    return harvest(stage, std::move(*probe->result));
  }
  if (!probe.ok()) log_warning("run {}: stage {}: {}", run_.number, stage, probe.error().to_string());
  on_attempt_lost(stage);
}

// The supervisor died without a result. Whatever ranks are left are killed first; only then a new fence
// starts.
void RunDriver::on_attempt_lost(const std::string& stage) {
  const store::Attempt& attempt = active_.at(stage).attempt;
  log_warning("run {}: the supervisor of stage {} is gone; clearing up after it", run_.number, stage);
  std::string cookie = runners::make_cookie(run_.id, stage, static_cast<int>(attempt.number), attempt.fence);
  run_on_pool(
      context_, [cookie] { return runners::sweep_leftovers(cookie); },
      [self = weak_from_this(), stage](auto swept) {
        auto driver = self.lock();
        if (!driver) return;
        Active& active = driver->active_.at(stage);
        bool again = swept.ok() && active.attempt.fence < kMaxStarts && driver->stopping_.empty();
        if (!again) {
          supervise::AttemptResult result;
          result.outcome = supervise::Outcome::lost;
          result.reason = swept.ok() ? "its supervisor was killed" : swept.error().to_string();
          return driver->harvest(stage, std::move(result));
        }
        store::Attempt next = active.attempt;
        next.fence += 1;
        next.state = "starting";
        must_record(store::update_attempt(driver->context_.db, next), "attempt");
        schedule::Grant grant = active.grant;
        driver->start_attempt(stage, std::move(grant), std::move(next));
      });
}

void RunDriver::harvest(const std::string& stage, supervise::AttemptResult result) {
  const Home* home = &context_.home;
  run_on_pool(
      context_,
      [home, attempt = active_.at(stage).attempt, result] { return harvest_attempt(*home, attempt, result); },
      [self = weak_from_this(), stage, result](Harvest collected) {
        if (auto driver = self.lock()) driver->on_harvested(stage, result, std::move(collected));
      });
}

void RunDriver::on_harvested(const std::string& stage, const supervise::AttemptResult& result,
                             Harvest collected) {
  Active& active = active_.at(stage);
  store::Attempt attempt = active.attempt;
  attempt.state = "finished";
  attempt.outcome = std::string(supervise::to_string(result.outcome));
  attempt.reason = result.reason;
  attempt.steps = static_cast<int64_t>(result.steps);
  attempt.steps_per_s = result.steps_per_s;
  attempt.last_loss = result.last_loss;
  attempt.finished_ms = context_.clock.unix_ms();
  attempt.result = dump_json(supervise::to_json(result));
  bool succeeded = result.outcome == supervise::Outcome::succeeded;
  // A stage that only its rules failed may be judged all the same, when they are waived.
  bool ended_well = succeeded || (result.outcome == supervise::Outcome::failed && !result.first_failing_rank);
  if (ended_well && !collected.problem.empty()) {
    succeeded = false;
    attempt.outcome = "error";  // what cannot be read says nothing of the model
    attempt.reason = collected.problem;
  }
  const pipeline::Stage& spec = stage_spec(stage);
  // Another try may help against a crash or a slow machine; a rule that fired would fire again.
  bool may_retry = result.outcome == supervise::Outcome::failed ||
                   result.outcome == supervise::Outcome::timed_out ||
                   result.outcome == supervise::Outcome::lost;
  bool retry = !succeeded && may_retry && stopping_.empty() && attempt.number <= spec.retries;
  StageState state = retry                                             ? StageState::waiting
                     : succeeded                                       ? StageState::succeeded
                     : result.outcome == supervise::Outcome::cancelled ? StageState::cancelled
                                                                       : StageState::failed;
  must_record(
      in_transaction(context_.db,
                     [&]() -> Result<void> {
                       PAWL_RETURN_IF_ERROR(store::update_attempt(context_.db, attempt));
                       PAWL_RETURN_IF_ERROR(store::clear_outputs(context_.db, run_.id, stage));
                       for (const auto& metric : collected.metrics)
                         PAWL_RETURN_IF_ERROR(store::put_metric(context_.db, metric));
                       for (const auto& artifact : collected.artifacts)
                         PAWL_RETURN_IF_ERROR(store::put_artifact(context_.db, artifact));
                       for (const auto& curve : collected.curves)
                         PAWL_RETURN_IF_ERROR(store::put_curve(context_.db, curve));
                       if (collected.trace)
                         PAWL_RETURN_IF_ERROR(store::put_trace_summary(context_.db, *collected.trace));
                       PAWL_RETURN_IF_ERROR(store::put_findings(context_.db, run_.id, stage, attempt.number,
                                                                collected.findings));
                       return store::set_stage_state(context_.db, run_.id, stage, schedule::to_string(state));
                     }),
      "results");
  context_.slots.give_back(active.grant);
  active_.erase(stage);
  node(stage).state = state;
  if (retry) log_info("run {}: stage {} {}; trying again", run_.number, stage, attempt.reason);
  proceed();
}

void RunDriver::proceed() {
  std::vector<std::string> doomed = schedule::doomed_stages(nodes_);
  for (const std::string& name : doomed) {
    node(name).state = StageState::skipped;
    must_record(store::set_stage_state(context_.db, run_.id, name, "skipped"), "stage");
  }
  bool failed =
      std::any_of(nodes_.begin(), nodes_.end(), [](const auto& n) { return n.state == StageState::failed; });
  if (failed && stopping_.empty() && !active_.empty()) {
    stopping_ = "another stage of the run failed";
    stop_attempts();
  }
  if (!stopping_.empty()) {
    for (schedule::StageNode& n : nodes_) {
      if (n.state != StageState::waiting) continue;
      n.state = StageState::cancelled;
      must_record(store::set_stage_state(context_.db, run_.id, n.name, "cancelled"), "stage");
    }
  }
  publish_run();
  if (schedule::all_settled(nodes_)) {
    judge();
  }
  context_.schedule_soon();
}

// --- the end
// ---------------------------------------------------------------------------------------------------------

void RunDriver::judge() {
  run_.state = "judging";
  must_record(store::set_run_state(context_.db, run_.id, "judging", context_.clock.unix_ms()), "run state");
  publish_run();
  const Home* home = &context_.home;
  int64_t now = context_.clock.unix_ms();
  run_on_pool(
      context_,
      [home, cas = store::Cas(home->cas(), context_.files), repository = source_.repository, run = run_,
       plan = plan_, nodes = nodes_, now] {
        Judgement judgement = judge_run(*home, cas, repository, run, plan, nodes, now);
        if (!judgement.rescore.empty()) return judgement;
        if (auto written = write_reports(*home, run, judgement.verdict); !written.ok()) {
          log_error("run {}: the report cannot be written: {}", run.number, written.error().to_string());
        }
        return judgement;
      },
      [self = weak_from_this()](Judgement judgement) {
        auto driver = self.lock();
        if (!driver) return;
        if (!judgement.rescore.empty() && driver->run_.cancel.empty())
          return driver->rescore(judgement.rescore);
        if (!judgement.rescore.empty()) return driver->judge();  // cancelled meanwhile
        driver->finish(judgement);
      });
}

void RunDriver::rescore(const std::string& stage) {
  plan_.stages.push_back(rescoring_stage(stage_spec(stage)));
  const pipeline::Stage& added = plan_.stages.back();
  nodes_.push_back({added.name, added.needs, StageState::waiting});
  run_.plan = pipeline::to_json(plan_);
  run_.state = "running";
  must_record(in_transaction(context_.db,
                             [&]() -> Result<void> {
                               PAWL_RETURN_IF_ERROR(store::set_run_plan(context_.db, run_.id, run_.plan));
                               PAWL_RETURN_IF_ERROR(store::set_run_state(context_.db, run_.id, "running",
                                                                         context_.clock.unix_ms()));
                               return store::insert_stage(
                                   context_.db,
                                   {run_.id, added.name, static_cast<int64_t>(nodes_.size()) - 1, "waiting"});
                             }),
              "stage");
  publish_run();
  context_.schedule_soon();
}

void RunDriver::cancel(const std::string& why) {
  if (run_.finished()) return;
  run_.cancel = why;
  must_record(store::set_run_cancel(context_.db, run_.id, why), "cancel");
  stopping_ = why;
  stop_attempts();
  if (run_.state == "running" && active_.empty()) proceed();
}

void RunDriver::stop_attempts() {
  for (const auto& [name, active] : active_) {
    std::string dir = context_.home.attempt(run_.id, name, active.attempt.number);
    auto asked = supervise::request_stop(dir, stopping_);
    if (!asked.ok() && active.watch) active.watch->terminate();
  }
}

// Without stages to judge: nothing could be prepared, or nobody wanted it any more.
void RunDriver::finish_early(std::string verdict, std::string headline, int exit_code) {
  Judgement judgement;
  judgement.verdict.run_id = run_.id;
  judgement.verdict.kind = std::move(verdict);
  judgement.verdict.headline = std::move(headline);
  judgement.verdict.body = "{}";
  judgement.verdict.created_ms = context_.clock.unix_ms();
  judgement.exit_code = exit_code;
  finish_early(std::move(judgement));
}

void RunDriver::finish_early(Judgement judgement) {
  const Home* home = &context_.home;
  run_on_pool(
      context_,
      [home, run = run_, judgement = std::move(judgement)] {
        if (auto written = write_reports(*home, run, judgement.verdict); !written.ok()) {
          log_error("run {}: the report cannot be written: {}", run.number, written.error().to_string());
        }
        return judgement;
      },
      [self = weak_from_this()](const Judgement& done) {
        if (auto driver = self.lock()) driver->finish(done);
      });
}

// Another green run of the branch may have finished since this one was placed.
bool RunDriver::is_placed(const Judgement& judgement) const {
  if (judgement.baseline_cause.empty()) return true;
  auto latest = store::latest_green(context_.db, run_.project, run_.target);
  if (!latest.ok()) must_record(latest.error(), "baselines");
  return (*latest ? (*latest)->id : 0) == judgement.placement.seen;
}

void RunDriver::place(const Judgement& judgement) {
  const Home* home = &context_.home;
  run_on_pool(
      context_,
      [home, repository = source_.repository, run = run_] { return place_again(*home, repository, run); },
      [self = weak_from_this(), judgement = judgement](const Result<Placement>& placed) mutable {
        auto driver = self.lock();
        if (!driver) return;
        if (!placed.ok()) must_record(placed.error(), "baselines");
        judgement.placement = *placed;
        driver->finish(judgement);
      });
}

void RunDriver::finish(const Judgement& judgement) {
  if (!is_placed(judgement)) return place(judgement);
  // Another run may have used the test set while this one was being judged.
  auto still = still_next(context_.db, run_.project, judgement.test_uses);
  if (still.ok() && !*still) return judge();
  int64_t now = context_.clock.unix_ms();
  const store::Verdict& verdict = judgement.verdict;
  bool green = verdict.kind == "PASS";
  must_record(
      in_transaction(
          context_.db,
          [&]() -> Result<void> {
            PAWL_RETURN_IF_ERROR(store::insert_verdict(context_.db, verdict));
            PAWL_RETURN_IF_ERROR(record_uses(context_.db, run_.project, run_.id, judgement.test_uses, now));
            for (const store::Evaluation& evaluation : judgement.evaluations)
              PAWL_RETURN_IF_ERROR(store::insert_evaluation(context_.db, evaluation));
            PAWL_RETURN_IF_ERROR(store::finish_run(context_.db, run_.id, verdict.kind, verdict.headline,
                                                   judgement.exit_code, now));
            if (!judgement.baseline_cause.empty()) {
              PAWL_RETURN_IF_ERROR(store::insert_baseline(
                  context_.db, {0, run_.project, run_.branch, run_.id, judgement.baseline_cause, "pawl",
                                verdict.headline, now, judgement.placement.newer_run, judgement.testsets}));
            }
            return {};
          }),
      "verdict");
  run_.state = "finished";
  run_.verdict = verdict.kind;
  run_.headline = verdict.headline;
  run_.exit_code = judgement.exit_code;
  run_.finished_ms = now;
  bool judged =
      green || verdict.kind == "FAIL" || verdict.kind == "INCONCLUSIVE" || verdict.kind == "NO_BASELINE";
  queue_commit_status(green    ? "success"
                      : judged ? "failure"
                               : "error",
                      fmt::format("{}: {}", verdict.kind, verdict.headline));
  log_info("run {}: {}: {}", run_.number, verdict.kind, verdict.headline);
  publish_run();
  context_.schedule_soon();
  if (is_trial(run_)) {
    run_on_pool(
        context_, [dir = trial_data_dir(context_.home, run_.id)] { return remove_tree(dir); },
        [](const Result<void>& removed) {
          if (!removed.ok()) log_warning("{}", removed.error().to_string());
        });
  }
}

void RunDriver::queue_commit_status(std::string_view state, std::string description) {
  auto project = context_.config.projects.find(run_.project);
  if (project == context_.config.projects.end() || project->second.forge.token.empty()) return;
  if (is_trial(run_)) return;
  store::OutboxRow row;
  row.project = run_.project;
  row.commit_sha = run_.commit_sha;
  row.context = "pawl";
  row.run_id = run_.id;
  row.state = state;
  row.description = std::move(description);
  must_record(store::queue_status(context_.db, row, context_.clock.unix_ms()), "outbox");
}

void RunDriver::publish_run() const {
  Json body = {{"run", run_.id},         {"number", run_.number},     {"project", run_.project},
               {"branch", run_.branch},  {"commit", run_.commit_sha}, {"trigger", run_.trigger},
               {"state", run_.state},    {"headline", run_.headline}, {"verdict", nullptr},
               {"stages", Json::array()}};
  if (run_.verdict) body["verdict"] = *run_.verdict;
  for (const schedule::StageNode& n : nodes_) {
    auto tries = tries_.find(n.name);
    body["stages"].push_back({{"name", n.name},
                              {"state", schedule::to_string(n.state)},
                              {"attempt", tries == tries_.end() ? 0 : tries->second}});
  }
  context_.publish_json("run", run_.id, body);
}

}  // namespace pawl::core
