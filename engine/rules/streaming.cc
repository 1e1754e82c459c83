#include "engine/rules/streaming.h"

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"

namespace pawl::rules {

void Ema::add(double sample) {
  PAWL_CHECK(std::isfinite(sample));
  sum_ = decay_ * sum_ + (1 - decay_) * sample;
  weight_ = decay_ * weight_ + (1 - decay_);
}

double Ema::value() const {
  return empty() ? std::numeric_limits<double>::quiet_NaN() : sum_ / weight_;
}

void MedianWindow::add(double sample) {
  PAWL_CHECK(std::isfinite(sample));
  if (ring_.size() < capacity_) {
    ring_.push_back(sample);
  } else {
    ring_[seen_ % capacity_] = sample;
  }
  if (++seen_ == kReference) reference_ = median();
}

double MedianWindow::median() const {
  if (ring_.empty()) return 0;
  std::vector<double> sorted = ring_;
  auto middle = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

double MedianWindow::reference() const {
  return reference_;
}

void DurationQuantile::add(double seconds) {
  PAWL_CHECK(std::isfinite(seconds));
  double position = seconds <= kFirst ? 0 : std::ceil(std::log(seconds / kFirst) / std::log(kRatio));
  ++buckets_[std::min(static_cast<size_t>(position), buckets_.size() - 1)];
  ++count_;
}

double DurationQuantile::quantile(double q) const {
  if (count_ == 0) return 0;
  auto rank = static_cast<uint64_t>(std::ceil(q * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return kFirst * std::pow(kRatio, static_cast<double>(i));
  }
  return kFirst * std::pow(kRatio, static_cast<double>(buckets_.size() - 1));
}

LossTrend::LossTrend(double decay)
    : ema_(decay), mature_(std::max(kStart, static_cast<uint64_t>(std::lround(1 / (1 - decay))))) {}

void LossTrend::add(double loss) {
  ema_.add(loss);
  if (count_ < kStart) start_sum_ += loss;
  ++count_;
  if (has_best()) best_ = std::min(best_, ema_.value());
}

}  // namespace pawl::rules
