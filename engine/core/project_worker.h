// Works for one project, one job at a time: fetches its mirror, turns deliveries into runs, compares branch
// heads with what the record knows (a lost webhook delays a run and never loses it), watches its datasets and
// its schedule.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/context.h"
#include "engine/core/new_run.h"
#include "engine/core/push_events.h"
#include "pipelines/pipeline.h"

namespace pawl::core {

using BranchHeads = std::map<std::string, std::string>;  // branch -> commit

// Engine thread only; owned by a shared_ptr, since results of pool work may find it gone.
class ProjectWorker : public std::enable_shared_from_this<ProjectWorker> {
 public:
  // `insert_run` records a run inside the caller's transaction; `start_run` sets it going after the commit.
  struct Starter {
    std::function<Result<store::Run>(const NewRun&)> insert_run;
    std::function<void(const store::Run&, const RunSource&)> start_run;
  };

  ProjectWorker(Context& context, Project project, Starter starter);
  ~ProjectWorker();

  void start();       // first look at the repository, then the timers
  void wake_inbox();  // there is a new delivery
  void set_project(Project project);
  const Project& project() const { return project_; }

 private:
  struct FetchResult;
  struct DataLook;
  struct WatchResult;

  void pump();
  void fetch();
  void on_fetched(FetchResult result);
  struct Started {
    store::Run run;
    RunSource source;
  };
  void commit(const std::function<Result<void>(std::vector<Started>&)>& body);
  Result<void> settle(const store::Delivery& delivery, const Result<DeliveryOutcome>& outcome,
                      std::vector<Started>& started);
  Result<std::string> record(const DeliveryOutcome& outcome, std::vector<Started>& started);  // a note
  void reconcile(const FetchResult& result);
  void remember_new_branches(const BranchHeads& known, const BranchHeads& heads);
  void watch();
  void on_watched(WatchResult result);
  void on_data(const std::string& dataset, DataLook look, const WatchResult& result);
  void on_schedule(const WatchResult& result);
  void retry_later();

  Context& context_;
  Project project_;
  Starter starter_;
  bool fetching_ = false;
  bool watching_ = false;
  bool inbox_wanted_ = false;
  bool reconcile_wanted_ = false;
  int failures_ = 0;
  std::string last_error_;
  int64_t schedule_checked_ms_;
  // A watched dataset, as the last look saw it.
  struct Watched {
    std::string fingerprint;
    int64_t since_ms = 0;    // monotonic: when it was first seen like that
    bool recorded = false;   // some version of it is in the record: another one starts a run
    bool looked_at = false;  // like that, in full
  };
  static bool settled(const Watched& seen, const std::string& fingerprint, int64_t now_ms, int64_t quiet_ms);
  std::map<std::string, Watched> watched_;
  std::vector<EventLoop::Id> timers_;
};

}  // namespace pawl::core
