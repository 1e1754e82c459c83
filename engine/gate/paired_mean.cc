#include "engine/gate/paired_mean.h"

#include <fmt/format.h>

#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/gate/moments.h"
#include "engine/gate/permutation.h"

namespace pawl::gate {
namespace {

double gain_at(std::span<const double> candidate, std::span<const double> baseline, Direction direction,
               std::size_t i) {
  return direction == Direction::higher ? candidate[i] - baseline[i] : baseline[i] - candidate[i];
}

Result<void> check_finite(std::span<const double> values, const char* whose) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return Error(ErrorCode::invalid, fmt::format("value {} of the {} is not a finite number", i, whose));
    }
  }
  return {};
}

boost::math::students_t t_distribution(const PairedMean& mean) {
  PAWL_CHECK(mean.n >= 2);
  return boost::math::students_t(static_cast<double>(mean.n - 1));
}

// In standard errors; infinite or 0 where there is no spread.
double distance_from(const PairedMean& mean, double gain) {
  const double distance = mean.gain - gain;
  if (mean.deviation > 0) return distance / mean.standard_error();
  return distance == 0 ? 0 : std::copysign(std::numeric_limits<double>::infinity(), distance);
}

}  // namespace

double PairedMean::standard_error() const {
  return deviation / std::sqrt(static_cast<double>(n));
}

Result<PairedMean> paired_mean(std::span<const double> candidate, std::span<const double> baseline,
                               Direction direction) {
  PAWL_CHECK(candidate.size() == baseline.size());
  if (candidate.empty()) return Error(ErrorCode::invalid, "there are no values to compare");
  PAWL_RETURN_IF_ERROR(check_finite(candidate, "candidate"));
  PAWL_RETURN_IF_ERROR(check_finite(baseline, "baseline"));
  const Moments moments =
      moments_of(candidate.size(), [&](std::size_t i) { return gain_at(candidate, baseline, direction, i); });
  if (!std::isfinite(moments.mean) || !std::isfinite(moments.deviation)) {
    return Error(ErrorCode::invalid, "the values are too large to average");
  }
  return PairedMean{static_cast<std::int64_t>(moments.n), moments.mean, moments.deviation};
}

Interval t_interval(const PairedMean& mean, double alpha) {
  PAWL_CHECK(alpha > 0 && alpha < 0.5);
  const double reach = quantile(complement(t_distribution(mean), alpha)) * mean.standard_error();
  return {mean.gain - reach, mean.gain + reach};
}

double t_p_worse(const PairedMean& mean, double margin) {
  PAWL_CHECK(margin >= 0);
  const double t = distance_from(mean, -margin);
  if (std::isinf(t)) return t < 0 ? 0 : 1;
  return cdf(t_distribution(mean), t);
}

double t_p_two_sided(const PairedMean& mean) {
  const double t = distance_from(mean, 0);
  return std::isinf(t) ? 0 : 2 * cdf(t_distribution(mean), -std::abs(t));
}

MeanDecision decide_by_t(const PairedMean& mean, double margin, double alpha) {
  PAWL_CHECK(mean.n >= kMinExamplesForT);
  const Interval interval = t_interval(mean, alpha);
  return {MeanDecision::Method::paired_t, mean.n, mean.gain, interval.low, interval.high,
          t_p_worse(mean, margin)};
}

Result<MeanDecision> decide_mean(std::span<const double> candidate, std::span<const double> baseline,
                                 Direction direction, double margin, double alpha, std::uint64_t seed) {
  PAWL_CHECK(margin >= 0 && alpha > 0 && alpha < 0.5);
  PAWL_ASSIGN(const PairedMean mean, paired_mean(candidate, baseline, direction));
  if (mean.n >= kMinExamplesForT) return decide_by_t(mean, margin, alpha);
  std::vector<double> gains;
  for (std::size_t i = 0; i < candidate.size(); ++i) {
    gains.push_back(gain_at(candidate, baseline, direction, i));
  }
  const Interval interval = sign_flip_interval(gains, alpha, seed);
  return MeanDecision{MeanDecision::Method::sign_flip,        mean.n, mean.gain, interval.low, interval.high,
                      sign_flip_p_below(gains, -margin, seed)};
}

}  // namespace pawl::gate
