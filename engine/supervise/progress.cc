#include "engine/supervise/progress.h"

#include <algorithm>

namespace pawl::supervise {
namespace {

constexpr int64_t kWindowMs = 10'000;
constexpr int64_t kMarkEveryMs = 200;
constexpr int64_t kShortestMs = 200;  // less is noise

}  // namespace

void Progress::on_step(uint64_t step, int64_t now_ms) {
  last_step_ = std::max(last_step_.value_or(0), step);
  ++steps_;
  last_ms_ = now_ms;
  if (!first_) first_ = Mark{now_ms, steps_};
  if (recent_.empty() || now_ms - recent_.back().ms >= kMarkEveryMs) recent_.push_back({now_ms, steps_});
  while (recent_.size() > 2 && now_ms - recent_.front().ms > kWindowMs) recent_.pop_front();
}

std::optional<double> Progress::steps_per_s(int64_t now_ms) const {
  if (recent_.empty()) return std::nullopt;
  const Mark& from = recent_.front();
  // While steps come, the time since the last one is not yet a slowdown; after a window it surely is.
  int64_t until_ms = now_ms - last_ms_ > kWindowMs ? now_ms : last_ms_;
  if (until_ms - from.ms < kShortestMs) return std::nullopt;
  return static_cast<double>(steps_ - from.steps) * 1000.0 / static_cast<double>(until_ms - from.ms);
}

std::optional<double> Progress::mean_steps_per_s() const {
  if (!first_ || last_ms_ <= first_->ms) return std::nullopt;
  return static_cast<double>(steps_ - first_->steps) * 1000.0 / static_cast<double>(last_ms_ - first_->ms);
}

std::optional<double> Progress::eta_s(int64_t now_ms) const {
  if (!total_ || !last_step_) return std::nullopt;
  std::optional<double> rate = steps_per_s(now_ms);
  if (!rate || *rate <= 0) return std::nullopt;
  uint64_t done = *last_step_ + 1;
  return done >= *total_ ? 0.0 : static_cast<double>(*total_ - done) / *rate;
}

}  // namespace pawl::supervise
