// Ranks as processes of this machine.
#pragma once

#include <memory>
#include <optional>

#include "engine/base/loop.h"
#include "runners/process_tree.h"
#include "runners/rank_process.h"
#include "runners/runner.h"

namespace pawl::runners {

// Makes the calling process a child subreaper and reaps every child that ends, also those it inherits: other
// code of the process must not start children asynchronously. One instance per process, constructed while the
// process has one thread (SIGCHLD is blocked then), used on the loop's thread. When all ranks have exited,
// whatever they left running is ended too. Destroying it early leaves processes to their parent-death signal.
class LocalRunner final : public Runner {
 public:
  LocalRunner(EventLoop& loop, std::string cookie, RunnerEvents events);
  ~LocalRunner() override;

  Result<void> launch(const std::vector<RankSpec>& ranks) override;
  void terminate(int64_t grace_ms) override;

 private:
  struct Output {
    int rank;
    Stream stream;
    UniqueFd fd;
    EventLoop::Id watch = 0;
  };

  void watch_output(int rank, Stream stream, UniqueFd fd);
  void read_output(Output& output);
  void close_output(Output& output);
  void reap();
  void start_killing(int64_t grace_ms);
  void schedule_kill_step(int64_t delay_ms);
  void step_killing();
  void finish_if_done();

  EventLoop& loop_;
  const std::string cookie_;
  RunnerEvents events_;
  UniqueFd child_signals_;
  EventLoop::Id child_watch_ = 0;
  bool launched_ = false;
  std::map<pid_t, int> running_;  // pid -> rank
  std::vector<std::unique_ptr<Output>> outputs_;
  std::optional<TreeKill> kill_;
  bool kill_asked_ = false;  // by terminate(), not because the ranks had ended
  bool kill_over_ = false;
  bool ended_ = false;
  EventLoop::Id kill_watch_ = 0;
  EventLoop::Id kill_timer_ = 0;
  EventLoop::Id drain_timer_ = 0;
};

}  // namespace pawl::runners
