// The engine of one home: all runs, one queue for the machine's slots, triggers, statuses. The same object
// under `pawl serve` and `pawl run`, so both decide alike.
//
// Threads: everything is called on the thread that runs `loop`, the engine thread. Other threads post to the
// loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/files.h"
#include "engine/core/context.h"
#include "engine/core/new_run.h"
#include "engine/core/pin.h"
#include "engine/core/project_worker.h"
#include "engine/core/run_driver.h"
#include "engine/core/status_sender.h"
#include "engine/core/trial.h"
#include "engine/core/unpin.h"
#include "engine/core/waive.h"
#include "engine/forge/webhook.h"
#include "engine/record/entry.h"

namespace pawl::core {

class Engine {
 public:
  // Takes the home's lock (error conflict: another engine runs there), opens and migrates the record.
  static Result<std::unique_ptr<Engine>> open(Home home, Install install, schedule::Machine machine,
                                              EventLoop& loop, const Clock& clock);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  Db& db() { return *db_; }
  const Home& home() const { return home_; }
  const Config& config() const { return context_->config; }

  // Everybody who watches; called on the engine thread.
  void on_event(std::function<void(const Event&)> watcher) { watchers_.push_back(std::move(watcher)); }

  // `pawl serve`: projects, watchers, schedules, statuses, and the runs that were open when the last engine
  // ended.
  void start_serving();
  // config.yml changed.
  Result<void> reload_config();

  // `pawl run`: runs that an engine left open here are ended, since nobody drives them any more.
  void abandon_open_runs();

  // `pawl run --record`: where the files of runs are that were made elsewhere. Before the first run.
  void find_files_at(store::BlobSource source);

  // Error conflict when the event key is known: nothing was started.
  Result<store::Run> create_run(const NewRun& run);
  // The same commit of the same branch again, with the data as it is now.
  Result<store::Run> rerun(const std::string& run_id, const std::string& who);
  // A run of a project's branch as it is now, by hand.
  void run_branch(const std::string& project, const std::string& branch, const std::string& who,
                  std::function<void(Result<store::Run>)> done);
  // A trial of a project's commit, which its mirror must have; `trial.repository`, `target` and the folders
  // that the project is configured with are filled in. What is being trained, or was meanwhile, is not
  // trained once more.
  struct StartedTrial {
    store::Run run;
    bool was_there = false;
  };
  void start_trial(Trial trial, std::function<void(Result<StartedTrial>)> done);
  Result<void> cancel(const std::string& run_id, const std::string& who);
  Result<store::Baseline> pin_baseline(const Pin& pin);
  Result<store::Baseline> unpin_baseline(const Unpin& unpin);
  Result<store::Waiver> add_waiver(const NewWaiver& waiver);
  Result<store::Waiver> revoke_waiver(int64_t id, const std::string& who, const std::string& why);

  // What other machines send (`pawl run --record`): see import_entries(). Reports of the new runs are written
  // afterwards.
  Result<std::vector<std::string>> import_record(const std::string& project,
                                                 const std::vector<record::Entry>& entries);

  // Stores verified deliveries in one transaction, so that many cost one fsync. Per delivery: true, or false
  // when it was there already; an error when nothing was stored (all of them, when the record failed). Work
  // starts after the commit.
  struct Incoming {
    std::string project;
    forge::Delivery delivery;
  };
  std::vector<Result<bool>> accept_deliveries(const std::vector<Incoming>& incoming);

  // Why an open run does not move; empty when it does or is not open.
  std::string why_waiting(const std::string& run_id) const;
  const schedule::Slots& slots() const { return slots_; }

  // Nothing new is started after this; supervisors and their ranks go on by themselves.
  void stop();

 private:
  Engine(Home home, Install install, schedule::Machine machine, EventLoop& loop, const Clock& clock,
         FileLock lock, Db db);
  Result<store::Run> insert_run(const NewRun& run);
  Result<StartedTrial> join_or_create(const NewRun& trial);
  void drive(const store::Run& run, RunSource source);
  void abandon(const store::Run& run);
  void sync_projects();
  void schedule_soon();
  void schedule();
  RunSource source_of(const store::Run& run) const;

  Home home_;
  Install install_;
  FileLock lock_;
  std::unique_ptr<Db> db_;
  schedule::Slots slots_;
  std::unique_ptr<Context> context_;
  std::vector<std::function<void(const Event&)>> watchers_;
  std::map<int64_t, std::shared_ptr<RunDriver>> drivers_;  // by run number: the queue's order
  std::map<std::string, std::shared_ptr<ProjectWorker>> workers_;
  std::shared_ptr<StatusSender> sender_;
  bool schedule_posted_ = false;
  bool stopped_ = false;
  // Last, so that it goes first: no pool work may outlive what it points to.
  WorkerPool pool_;
};

}  // namespace pawl::core
