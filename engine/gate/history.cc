#include "engine/gate/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "engine/gate/moments.h"

namespace pawl::gate {

Result<Interval> prediction_interval(std::span<const double> history, double alpha) {
  PAWL_CHECK(alpha > 0 && alpha < 0.5);
  if (history.size() < kMinHistory) {
    return Error(ErrorCode::invalid, fmt::format("a history needs at least {} values, there are {}",
                                                 kMinHistory, history.size()));
  }
  if (!std::all_of(history.begin(), history.end(), [](double x) { return std::isfinite(x); })) {
    return Error(ErrorCode::invalid, "a value of the history is not a finite number");
  }
  const Moments moments = moments_of(history.size(), [&](std::size_t i) { return history[i]; });
  if (!std::isfinite(moments.mean) || !std::isfinite(moments.deviation)) {
    return Error(ErrorCode::invalid, "the values of the history are too large to average");
  }
  const auto n = static_cast<double>(history.size());
  const double t = quantile(complement(boost::math::students_t(n - 1), alpha));
  const double reach = t * moments.deviation * std::sqrt(1 + 1 / n);
  return Interval{moments.mean - reach, moments.mean + reach};
}

Interval within_range(const Interval& interval, std::span<const double> history, bool higher_is_better) {
  if (!std::all_of(history.begin(), history.end(), [](double x) { return x >= 0 && x <= 1; }))
    return interval;
  const double most = higher_is_better ? 1.0 : interval.high;
  return {std::max(interval.low, 0.0), std::min(interval.high, most)};
}

}  // namespace pawl::gate
