// Watches the trace of a running attempt: segments -> steps -> rules, then trace.db.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/loop.h"
#include "engine/rules/evaluator.h"
#include "engine/supervise/budget_note.h"
#include "engine/supervise/intent.h"
#include "engine/supervise/progress.h"
#include "engine/trace/collector.h"
#include "engine/trace/segment_retention.h"
#include "engine/trace/steps.h"
#include "engine/trace/tail.h"

namespace pawl::supervise {

// Wakes up when a rank writes (and twice a second, for file systems that tell nobody and for rules about
// silence), evaluates the rules on every completed step before anything else, and writes the step to trace.db
// after that. Segments that trace.db has are deleted when there are too many. Trouble with the trace or
// trace.db never ends an attempt: it is counted and stands in notes(). Loop thread only.
class TraceFollower {
 public:
  struct Handlers {
    std::function<void(const rules::Finding&)> on_finding;  // a rule fired for the first time
    std::function<void()> on_step;
  };
  // An error is a wrong rule configuration or a trace folder that cannot be read. `intent` has to live as
  // long.
  static Result<std::unique_ptr<TraceFollower>> create(EventLoop& loop, const Intent& intent,
                                                       Handlers handlers);
  ~TraceFollower();
  TraceFollower(const TraceFollower&) = delete;
  TraceFollower& operator=(const TraceFollower&) = delete;

  // A rank has printed something: a sign of life for the rules about silence.
  void output_seen() { last_output_ms_ = clock_.monotonic_ms(); }
  // The process of the rank has ended: what it left is read, then nothing waits for it.
  void rank_exited(int rank);
  // Reads the rest and closes trace.db. `completed`: the training came to its own end. Handlers are called
  // for what that brings.
  rules::Summary finish(bool completed);

  bool seen() const { return seen_; }  // any record at all
  const Progress& progress() const { return progress_; }
  // The mean over the ranks of the first loss series, in the last step that has one.
  std::optional<double> last_loss() const { return last_loss_; }
  std::map<std::string, uint64_t> anomalies() const;  // only what is not 0
  std::vector<std::string> notes() const;

 private:
  TraceFollower(EventLoop& loop, const Intent& intent, Handlers handlers, trace::TraceTail tail,
                rules::Evaluator evaluator);
  bool read_some();  // true: there is more to read at once
  void poll();
  void tick();
  void add(const std::vector<trace::RankRecord>& records);
  void evaluate(const std::vector<trace::Step>& steps);
  void show(const trace::Step& step);
  void collect(const std::vector<trace::Step>& steps);
  bool open_collector();
  void commit();
  void trim_segments();
  void close_collector();
  void check(Result<void> written);
  void report(const std::vector<rules::Finding>& findings);

  EventLoop& loop_;
  const Intent& intent_;
  SystemClock clock_;
  Handlers handlers_;
  bool ranks_are_ours_;  // a rank of the trace is a rank of the stage
  trace::TraceTail tail_;
  trace::StepAssembler assembler_;
  rules::Evaluator evaluator_;
  std::optional<trace::Collector> collector_;  // created with the first step
  std::string collector_error_;                // the first
  bool uncommitted_ = false;
  trace::SegmentRetention segments_;
  Progress progress_;
  BudgetNote budget_;
  bool seen_ = false;
  std::optional<double> last_loss_;
  std::optional<int64_t> last_output_ms_;
  EventLoop::Id watch_ = 0;
  EventLoop::Id tick_timer_ = 0;
  EventLoop::Id more_timer_ = 0;
};

}  // namespace pawl::supervise
