// How fast training goes and how long it will take. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace pawl::supervise {

class Progress {
 public:
  explicit Progress(std::optional<uint64_t> steps_total) : total_(steps_total) {}

  // Step `step` (counted from 0) is complete on all ranks. Times are wall clock, as the ranks
  // stamped their steps; a clock that jumps spoils the rate for a while and nothing else.
  void on_step(uint64_t step, int64_t now_ms);

  std::optional<uint64_t> total() const { return total_; }
  std::optional<uint64_t> last_step() const { return last_step_; }
  uint64_t steps() const { return steps_; }  // completed while we watched
  // Over the last seconds; absent before there is something to measure, and falling while nothing comes.
  std::optional<double> steps_per_s(int64_t now_ms) const;
  std::optional<double> mean_steps_per_s() const;  // from the first step to the last
  std::optional<double> eta_s(int64_t now_ms) const;

 private:
  struct Mark {
    int64_t ms;
    uint64_t steps;
  };
  std::optional<uint64_t> total_;
  std::optional<uint64_t> last_step_;
  uint64_t steps_ = 0;
  std::deque<Mark> recent_;
  std::optional<Mark> first_;
  int64_t last_ms_ = 0;
};

}  // namespace pawl::supervise
