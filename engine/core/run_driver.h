// Drives one run from its row to its verdict: prepare, stages, judge. Every change of state is one
// transaction of the record, made before anything that depends on it, so a run can be picked up where the
// record says it is.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/attempt_watch.h"
#include "engine/core/context.h"
#include "engine/core/harvest.h"
#include "engine/core/judge.h"
#include "engine/core/prepare.h"
#include "engine/schedule/dag.h"
#include "engine/store/runs.h"
#include "pipelines/plan.h"

namespace pawl::core {

// A stage that could start as soon as its slots are free.
struct ReadyStage {
  std::string stage;
  schedule::Demand demand;
};

// Engine thread only. Must be owned by a shared_ptr: results of pool work find it gone, or not.
class RunDriver : public std::enable_shared_from_this<RunDriver> {
 public:
  RunDriver(Context& context, store::Run run, RunSource source);
  ~RunDriver();

  // Goes on from the state in the record.
  void start();
  // Ends the run as CANCELLED; running attempts are stopped first.
  void cancel(const std::string& why);

  std::vector<ReadyStage> ready() const;  // in the order of the plan
  void launch(const std::string& stage, schedule::Grant grant);

  bool finished() const { return run_.finished(); }
  const store::Run& run() const { return run_; }
  const RunSource& source() const { return source_; }
  // Why nothing of the run moves, for `pawl status`; empty when something does.
  std::string why_waiting() const;

 private:
  struct Active {
    store::Attempt attempt;
    schedule::Grant grant;
    std::unique_ptr<AttemptWatch> watch;
  };

  void prepare();
  void on_prepared(Result<Prepared> prepared);
  void record_plan(const Prepared& prepared);
  void resume_stages();
  void start_attempt(const std::string& stage, schedule::Grant grant, store::Attempt attempt);
  Result<void> spawn_supervisor(Active& active);
  void watch(Active& active, UniqueFd pidfd, pid_t pid);
  void on_attempt_end(const std::string& stage);
  void on_attempt_lost(const std::string& stage);
  void harvest(const std::string& stage, supervise::AttemptResult result);
  void on_harvested(const std::string& stage, const supervise::AttemptResult& result, Harvest harvest);
  void stop_attempts();
  void proceed();  // after any stage changed: skip, schedule or judge
  void judge();
  void finish_early(std::string verdict, std::string headline, int exit_code);
  void finish_early(Judgement judgement);
  // The stage once more, on the baseline's model; then the run is judged again.
  void rescore(const std::string& stage);
  void finish(const Judgement& judgement);
  bool is_placed(const Judgement& judgement) const;
  void place(const Judgement& judgement);
  void queue_commit_status(std::string_view state, std::string description);
  void publish_run() const;
  const pipeline::Stage& stage_spec(const std::string& name) const;
  schedule::StageNode& node(const std::string& name);

  Context& context_;
  store::Run run_;
  RunSource source_;
  pipeline::Plan plan_;
  std::vector<schedule::StageNode> nodes_;
  std::map<std::string, Active> active_;  // by stage
  std::map<std::string, int64_t> tries_;  // attempts made, by stage
  std::vector<PreparedData> data_;        // path and digest of each dataset
  std::string stopping_;                  // why running attempts were told to stop
};

}  // namespace pawl::core
