#include "engine/gate/paired.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>
#include <limits>

#include "engine/base/error.h"
#include "engine/gate/normal.h"

namespace pawl::gate {
namespace {

struct Tail {
  double below_or_at;  // P(X <= k)
  double at;           // P(X == k)
};

Tail half_binomial_tail(std::int64_t k, std::int64_t trials) {
  const boost::math::binomial coin(static_cast<double>(trials), 0.5);
  const auto at = static_cast<double>(k);
  return {boost::math::cdf(coin, at), boost::math::pdf(coin, at)};
}

void check_counts(const PairedCounts& counts) {
  PAWL_CHECK(counts.b >= 0 && counts.c >= 0 && counts.n > 0 && counts.b + counts.c <= counts.n);
}

// The root of a decreasing function inside [low, high], to the last bit that halving can give.
template <class F>
double bisect(F f, double low, double high) {
  for (;;) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) return middle;
    (f(middle) > 0 ? low : high) = middle;
  }
}

}  // namespace

double mcnemar_exact_p(std::int64_t b, std::int64_t c) {
  PAWL_CHECK(b >= 0 && c >= 0);
  if (b + c == 0) return 1;
  return std::min(1.0, 2 * half_binomial_tail(std::min(b, c), b + c).below_or_at);
}

double mcnemar_mid_p(std::int64_t b, std::int64_t c) {
  PAWL_CHECK(b >= 0 && c >= 0);
  if (b + c == 0) return 1;
  const Tail tail = half_binomial_tail(std::min(b, c), b + c);
  // With b == c both tails contain the middle; capping before the subtraction counts it once.
  return std::min(1.0, 2 * tail.below_or_at) - tail.at;
}

double mcnemar_mid_p_worse(std::int64_t b, std::int64_t c) {
  PAWL_CHECK(b >= 0 && c >= 0);
  if (b + c == 0) return 0.5;
  const Tail tail = half_binomial_tail(b, b + c);
  return tail.below_or_at - tail.at / 2;
}

double tango_z(const PairedCounts& counts, double d0) {
  check_counts(counts);
  PAWL_CHECK(d0 >= -1 && d0 <= 1);
  const auto n = static_cast<double>(counts.n);
  const auto b = static_cast<double>(counts.b);
  const auto c = static_cast<double>(counts.c);
  const double linear = -b - c + (2 * n - b + c) * d0;
  const double constant = -c * d0 * (1 - d0);
  const double root = std::sqrt(std::max(0.0, linear * linear - 8 * n * constant));
  // The textbook form cancels when `linear` is large and positive; its conjugate does not.
  const double sum = root + std::abs(linear);
  double q = 0;
  if (linear <= 0) {
    q = sum / (4 * n);
  } else if (sum > 0) {
    q = -2 * constant / sum;
  }
  const double numerator = b - c - n * d0;
  const double variance = n * (2 * q + d0 * (1 - d0));
  if (variance > 0) return numerator / std::sqrt(variance);
  return numerator == 0 ? 0 : std::copysign(std::numeric_limits<double>::infinity(), numerator);
}

Interval tango_interval(const PairedCounts& counts, double alpha) {
  check_counts(counts);
  PAWL_CHECK(alpha > 0 && alpha < 0.5);
  const double z = normal_quantile(1 - alpha);
  const double estimate = counts.difference();
  Interval interval{-1, 1};
  if (estimate > -1) {
    interval.low = bisect([&](double d0) { return tango_z(counts, d0) - z; }, -1, estimate);
  }
  if (estimate < 1) {
    interval.high = bisect([&](double d0) { return tango_z(counts, d0) + z; }, estimate, 1);
  }
  return interval;
}

std::int64_t examples_needed(double discordance, double distance, double alpha, double power) {
  PAWL_CHECK(distance > 0 && distance <= 1 && alpha > 0 && alpha < 0.5 && power > 0 && power < 1);
  const double p = std::clamp(discordance, distance, 1.0);
  const double spread =
      normal_quantile(1 - alpha) * std::sqrt(p) + normal_quantile(power) * std::sqrt(p - distance * distance);
  return static_cast<std::int64_t>(std::min(1e15, std::ceil(spread * spread / (distance * distance))));
}

}  // namespace pawl::gate
