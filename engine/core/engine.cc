#include "engine/core/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/base/ids.h"
#include "engine/base/log.h"
#include "engine/core/merge_record.h"
#include "engine/store/data.h"
#include "engine/store/database.h"
#include "engine/store/inbox.h"
#include "engine/supervise/client.h"
#include "engine/trigger/git.h"

namespace pawl::core {
namespace {

constexpr int kPoolThreads = 4;

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(Home home, Install install, schedule::Machine machine,
                                             EventLoop& loop, const Clock& clock) {
  PAWL_RETURN_IF_ERROR(make_dirs(home.root, 0700));
  auto lock = FileLock::try_acquire(home.lock());
  if (!lock.ok()) return std::move(lock).error();
  PAWL_ASSIGN(Db db, store::open_record(home.database()));
  PAWL_ASSIGN(Config config, load_config(home.config()));
  std::unique_ptr<Engine> engine(new Engine(std::move(home), std::move(install), std::move(machine), loop,
                                            clock, std::move(*lock), std::move(db)));
  engine->context_->config = std::move(config);
  return engine;
}

Engine::Engine(Home home, Install install, schedule::Machine machine, EventLoop& loop, const Clock& clock,
               FileLock lock, Db db)
    : home_(std::move(home)),
      install_(std::move(install)),
      lock_(std::move(lock)),
      db_(std::make_unique<Db>(std::move(db))),
      slots_(std::move(machine)),
      pool_("pawl-pool", kPoolThreads) {
  context_.reset(new Context{home_, install_, clock, loop, pool_, *db_, slots_, {}, {}, {}, {}, {}});
  context_->publish = [this](const Event& event) {
    for (const auto& watcher : watchers_) watcher(event);
  };
  context_->schedule_soon = [this] { schedule_soon(); };
  sender_ = std::make_shared<StatusSender>(*context_);
}

Engine::~Engine() = default;

// --- projects
// --------------------------------------------------------------------------------------------------------

void Engine::start_serving() {
  auto open = store::open_runs(*db_);
  if (!open.ok()) return log_error("open runs: {}", open.error().to_string());
  for (const store::Run& run : *open) {
    // Whoever asked for a trial is gone with the process that drove it.
    if (is_trial(run)) {
      abandon(run);
    } else {
      drive(run, source_of(run));
    }
  }
  sync_projects();
  sender_->wake();
}

Result<void> Engine::reload_config() {
  PAWL_ASSIGN(Config config, load_config(home_.config()));
  config.token = context_->config.token;  // the token in use stays valid until a restart
  context_->config = std::move(config);
  sync_projects();
  return {};
}

void Engine::sync_projects() {
  for (const auto& [name, project] : context_->config.projects) {
    auto it = workers_.find(name);
    if (it != workers_.end()) {
      it->second->set_project(project);
      continue;
    }
    auto worker = std::make_shared<ProjectWorker>(
        *context_, project,
        ProjectWorker::Starter{
            [this](const NewRun& run) { return insert_run(run); },
            [this](const store::Run& run, const RunSource& source) { drive(run, source); }});
    workers_.emplace(name, worker);
    worker->start();
    log_info("project {}: watching {}", name, project.url);
  }
  std::erase_if(workers_,
                [&](const auto& entry) { return !context_->config.projects.contains(entry.first); });
}

std::vector<Result<bool>> Engine::accept_deliveries(const std::vector<Incoming>& incoming) {
  std::vector<Result<bool>> out;
  auto store_one = [&](const Incoming& in) -> Result<bool> {
    if (!workers_.contains(in.project))
      return Error(ErrorCode::not_found, "there is no project '" + in.project + "'");
    store::Delivery row;
    row.project = in.project;
    row.delivery_id = in.delivery.id;
    row.forge = forge::to_string(in.delivery.forge);
    row.event = in.delivery.event;
    row.body = in.delivery.payload;
    row.received_ms = context_->clock.unix_ms();
    return store::insert_delivery(*db_, row);
  };
  auto body = [&]() -> Result<void> {
    PAWL_ASSIGN(Transaction transaction, Transaction::begin(*db_));
    for (const Incoming& in : incoming) out.push_back(store_one(in));
    return transaction.commit();
  };
  if (auto committed = body(); !committed.ok()) {
    return std::vector<Result<bool>>(incoming.size(), Result<bool>(committed.error()));
  }
  std::set<std::string> changed;
  for (size_t i = 0; i < incoming.size(); ++i) {
    if (out[i].ok() && *out[i]) changed.insert(incoming[i].project);
  }
  for (const std::string& project : changed) workers_.at(project)->wake_inbox();
  return out;
}

// ------------------------------------------------------------------------------------------------------------

RunSource Engine::source_of(const store::Run& run) const {
  RunSource source{home_.mirror(run.project), {}};
  auto project = context_->config.projects.find(run.project);
  if (project != context_->config.projects.end()) source.data = project->second.data;
  return source;
}

Result<store::Run> Engine::insert_run(const NewRun& request) {
  store::Run run;
  run.id = new_ulid(context_->clock.unix_ms());
  run.project = request.project;
  run.event_key = request.event_key;
  run.trigger = request.trigger;
  run.trigger_note = request.note;
  run.branch = request.branch;
  run.target = request.target;
  run.commit_sha = request.sha;
  run.subject = request.subject;
  run.author = request.author;
  run.created_ms = context_->clock.unix_ms();
  PAWL_ASSIGN(run.number, store::insert_run(*db_, run));
  return run;
}

void Engine::drive(const store::Run& run, RunSource source) {
  if (stopped_) return;  // the row is there: the next engine drives it
  auto driver = std::make_shared<RunDriver>(*context_, run, std::move(source));
  drivers_[run.number] = driver;
  log_info("run {}: {} of {} at {} ({})", run.number, run.trigger, run.project, run.commit_sha.substr(0, 10),
           run.branch);
  driver->start();
}

Result<store::Run> Engine::create_run(const NewRun& request) {
  PAWL_ASSIGN(store::Run run, insert_run(request));
  drive(run, request.source);
  return run;
}

Result<store::Run> Engine::rerun(const std::string& run_id, const std::string& who) {
  PAWL_ASSIGN(auto old, store::find_run(*db_, run_id));
  if (!old) return Error(ErrorCode::not_found, fmt::format("there is no run '{}'", run_id));
  NewRun request;
  request.project = old->project;
  request.event_key = "rerun:" + new_ulid(context_->clock.unix_ms());
  request.trigger = "rerun";
  request.note = fmt::format("run {} again, asked by {}", old->number, who);
  request.branch = old->branch;
  request.target = old->target;
  request.sha = old->commit_sha;
  request.subject = old->subject;
  request.author = old->author;
  request.source = source_of(*old);
  return create_run(request);
}

void Engine::run_branch(const std::string& project_name, const std::string& branch, const std::string& who,
                        std::function<void(Result<store::Run>)> done) {
  auto it = context_->config.projects.find(project_name);
  if (it == context_->config.projects.end()) {
    return done(Error(ErrorCode::not_found, fmt::format("there is no project '{}'", project_name)));
  }
  const Project& project = it->second;
  std::string wanted = branch.empty() ? project.target : branch;
  auto read_commit = [project, path = home_.mirror(project_name), wanted]() -> Result<trigger::Commit> {
    trigger::Repository mirror(path);
    PAWL_RETURN_IF_ERROR(mirror.update_mirror({project.url, project.username, project.token}));
    PAWL_ASSIGN(std::string sha, mirror.resolve("refs/heads/" + wanted));
    return mirror.commit(sha);
  };
  run_on_pool(*context_, std::move(read_commit),
              [this, project, wanted, who, done = std::move(done)](const Result<trigger::Commit>& commit) {
                if (!commit.ok()) return done(commit.error());
                NewRun request;
                request.project = project.name;
                request.event_key = "manual:" + new_ulid(context_->clock.unix_ms());
                request.trigger = "manual";
                request.note = "asked by " + who;
                request.branch = wanted;
                request.target = project.target;
                request.sha = commit->sha;
                request.subject = commit->subject;
                request.author = commit->author;
                request.source = {home_.mirror(project.name), project.data};
                done(create_run(request));
              });
}

// Here and not where it is asked for: on this thread nothing starts or ends in between.
Result<Engine::StartedTrial> Engine::join_or_create(const NewRun& trial) {
  for (const auto& [number, driver] : drivers_) {
    if (trains_the_same(driver->run(), driver->source(), trial)) return StartedTrial{driver->run(), true};
  }
  PAWL_ASSIGN(auto measured, find_measured(*db_, home_, trial.project, trial.sha, trial.source.versions));
  if (measured) return StartedTrial{std::move(*measured), true};
  PAWL_ASSIGN(store::Run run, create_run(trial));
  return StartedTrial{std::move(run)};
}

void Engine::start_trial(Trial trial, std::function<void(Result<StartedTrial>)> done) {
  auto it = context_->config.projects.find(trial.project);
  if (it == context_->config.projects.end()) {
    return done(Error(ErrorCode::not_found, fmt::format("there is no project '{}'", trial.project)));
  }
  trial.repository = home_.mirror(trial.project);
  trial.target = it->second.target;
  trial.data.insert(it->second.data.begin(), it->second.data.end());
  const int64_t now = context_->clock.unix_ms();
  run_on_pool(
      *context_, [trial = std::move(trial), now] { return new_trial(trial, now); },
      [this, done = std::move(done)](const Result<NewRun>& request) {
        if (request.ok()) return done(join_or_create(*request));
        done(Error(request.error()).wrap("the project's mirror has no such commit; push it first"));
      });
}

Result<void> Engine::cancel(const std::string& run_id, const std::string& who) {
  for (const auto& [number, driver] : drivers_) {
    if (driver->run().id != run_id) continue;
    if (driver->finished()) break;
    driver->cancel("cancelled by " + who);
    return {};
  }
  PAWL_ASSIGN(auto run, store::find_run(*db_, run_id));
  if (!run) return Error(ErrorCode::not_found, fmt::format("there is no run '{}'", run_id));
  return Error(ErrorCode::conflict, fmt::format("run {} has finished", run->number));
}

Result<store::Baseline> Engine::pin_baseline(const Pin& pin) {
  return core::pin_baseline(*db_, pin, context_->clock.unix_ms());
}

Result<store::Baseline> Engine::unpin_baseline(const Unpin& unpin) {
  return core::unpin_baseline(*db_, unpin, context_->clock.unix_ms());
}

Result<store::Waiver> Engine::add_waiver(const NewWaiver& waiver) {
  return core::add_waiver(*db_, waiver, context_->clock.unix_ms());
}

Result<store::Waiver> Engine::revoke_waiver(int64_t id, const std::string& who, const std::string& why) {
  return core::revoke_waiver(*db_, id, who, why, context_->clock.unix_ms());
}

Result<std::vector<std::string>> Engine::import_record(const std::string& project,
                                                       const std::vector<record::Entry>& entries) {
  const trigger::Repository mirror(home_.mirror(project));
  const bool there = path_exists(mirror.path());
  PAWL_ASSIGN(auto added, import_entries(*db_, project, entries, there ? &mirror : nullptr));
  for (const std::string& id : added) {
    PAWL_ASSIGN(auto run, store::find_run(*db_, id));
    PAWL_ASSIGN(auto verdict, store::verdict_of(*db_, id));
    if (!run || !verdict) continue;
    pool_.submit([home = home_, run = *run, verdict = *verdict] {
      if (auto written = write_reports(home, run, verdict); !written.ok())
        log_error("run {}: the report cannot be written: {}", run.number, written.error().to_string());
    });
  }
  return added;
}

void Engine::find_files_at(store::BlobSource source) {
  context_->files = std::move(source);
}

void Engine::abandon_open_runs() {
  auto open = store::open_runs(*db_);
  if (!open.ok()) return log_error("open runs: {}", open.error().to_string());
  for (const store::Run& run : *open) abandon(run);
}

void Engine::abandon(const store::Run& run) {
  auto attempts = store::attempts_of(*db_, run.id);
  if (!attempts.ok()) return;
  for (const store::Attempt& attempt : *attempts) {
    if (attempt.state == "finished") continue;
    (void)supervise::request_stop(home_.attempt(run.id, attempt.stage, attempt.number),
                                  "its pawl run is gone");
  }
  drive(run, source_of(run));
  drivers_.at(run.number)->cancel("its pawl run ended before it did");
}

std::string Engine::why_waiting(const std::string& run_id) const {
  for (const auto& [number, driver] : drivers_) {
    if (driver->run().id == run_id) return driver->why_waiting();
  }
  return {};
}

// --- the queue
// -------------------------------------------------------------------------------------------------------

void Engine::schedule_soon() {
  if (schedule_posted_) return;
  schedule_posted_ = true;
  context_->loop.post([this] { schedule(); });
}

// Oldest run first; the first stage that does not fit holds the queue, so that it gets its slots some day.
void Engine::schedule() {
  schedule_posted_ = false;
  std::erase_if(drivers_, [](const auto& entry) { return entry.second->finished(); });
  if (stopped_) return;
  sender_->wake();
  for (const auto& [number, driver] : drivers_) {
    for (const ReadyStage& ready : driver->ready()) {
      auto grant = slots_.try_take(ready.demand);
      if (!grant) return;
      driver->launch(ready.stage, std::move(*grant));
    }
  }
}

void Engine::stop() {
  stopped_ = true;
  workers_.clear();
}

}  // namespace pawl::core
