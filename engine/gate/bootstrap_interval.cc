#include "engine/gate/bootstrap_interval.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/base/error.h"
#include "engine/gate/normal.h"

namespace pawl::gate {
namespace {

// Defined at the ends too.
double quantile_of_normal(double p) {
  if (p <= 0) return -std::numeric_limits<double>::infinity();
  if (p >= 1) return std::numeric_limits<double>::infinity();
  return normal_quantile(p);
}

double quantile(std::span<const double> sorted, double level) {
  const auto count = static_cast<double>(sorted.size());
  // 0.95 * 2000 may come out a hair above 1900.
  const double rank = std::ceil(level * count - 1e-9);
  return sorted[static_cast<std::size_t>(std::clamp(rank, 1.0, count)) - 1];
}

std::optional<double> bca_level(double z0, double acceleration, double level) {
  const double z = z0 + quantile_of_normal(level);
  const double bend = 1 - acceleration * z;
  if (!std::isfinite(z) || bend <= 0) return std::nullopt;
  return normal_cdf(z0 + z / bend);
}

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

Interval percentile_interval(std::span<const double> sorted, double alpha) {
  PAWL_CHECK(!sorted.empty() && alpha > 0 && alpha < 0.5);
  return {quantile(sorted, alpha), quantile(sorted, 1 - alpha)};
}

double bias_correction(std::span<const double> sorted, double estimate) {
  PAWL_CHECK(!sorted.empty());
  const double rounding =
      1e-12 * std::max({std::abs(sorted.front()), std::abs(sorted.back()), std::abs(estimate)});
  const auto below = std::lower_bound(sorted.begin(), sorted.end(), estimate - rounding) - sorted.begin();
  const auto below_or_at =
      std::upper_bound(sorted.begin(), sorted.end(), estimate + rounding) - sorted.begin();
  return quantile_of_normal(static_cast<double>(below + below_or_at) / 2 /
                            static_cast<double>(sorted.size()));
}

std::optional<Interval> bca_interval(std::span<const double> sorted, double estimate, double acceleration,
                                     double alpha) {
  PAWL_CHECK(alpha > 0 && alpha < 0.5);
  const double z0 = bias_correction(sorted, estimate);
  const std::optional<double> low = bca_level(z0, acceleration, alpha);
  const std::optional<double> high = bca_level(z0, acceleration, 1 - alpha);
  if (!low || !high) return std::nullopt;
  return Interval{quantile(sorted, *low), quantile(sorted, *high)};
}

double p_at_least(std::span<const double> sorted, double estimate, double acceleration, double threshold) {
  PAWL_CHECK(!sorted.empty());
  const auto count = static_cast<double>(sorted.size());
  const auto below = std::lower_bound(sorted.begin(), sorted.end(), threshold) - sorted.begin();
  const double percentile = 1 - static_cast<double>(below) / count;
  double p = percentile;
  // bca_level() solved for its level.
  const double z0 = bias_correction(sorted, estimate);
  const double distance = quantile_of_normal(1 - percentile) - z0;
  const double bend = 1 + acceleration * distance;
  if (std::isfinite(z0) && std::isfinite(distance) && bend > 0) p = normal_cdf(z0 - distance / bend);
  return std::clamp(p, 1 / (count + 1), 1.0);
}

double jackknife_acceleration(std::span<const double> jackknife) {
  PAWL_CHECK(!jackknife.empty());
  const double center = mean_of(jackknife);
  double squares = 0;
  double cubes = 0;
  for (const double value : jackknife) {
    const double distance = center - value;
    squares += distance * distance;
    cubes += distance * distance * distance;
  }
  return squares > 0 ? cubes / (6 * std::pow(squares, 1.5)) : 0;
}

double bootstrap_standard_error(std::span<const double> replicates) {
  PAWL_CHECK(!replicates.empty());
  const double center = mean_of(replicates);
  double squares = 0;
  for (const double value : replicates) squares += (value - center) * (value - center);
  return std::sqrt(squares / static_cast<double>(replicates.size()));
}

}  // namespace pawl::gate
