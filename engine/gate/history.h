// Where the next value of a metric should fall, judged by its earlier values alone: for metrics that come
// without per-example results.
//
// If the values vary like a normal variable around a constant, the next one falls into
//   mean -+ t(1 - alpha, n - 1) * s * sqrt(1 + 1/n)
// with probability 1 - 2*alpha (Student's prediction interval). A metric that never varied has an interval of
// one point: any other value is outside, as it must be for a deterministic training.
//
// Pure functions of any thread.
#pragma once

#include <cstddef>
#include <span>

#include "engine/base/error.h"
#include "engine/gate/interval.h"

namespace pawl::gate {

inline constexpr std::size_t kMinHistory = 5;

// 0 < alpha < 0.5, else a bug of the caller (checked). Error `invalid`: fewer than kMinHistory values, or one
// that is not finite.
Result<Interval> prediction_interval(std::span<const double> history, double alpha);

// `interval` as far as a metric with this history can reach. If all values lie in [0, 1], it is taken for a
// share or a score that does not fall below 0 and, when higher is better, does not exceed 1 (a loss may).
Interval within_range(const Interval& interval, std::span<const double> history, bool higher_is_better);

}  // namespace pawl::gate
