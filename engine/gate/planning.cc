#include "engine/gate/planning.h"

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "engine/gate/normal.h"

namespace pawl::gate {
namespace {

void check_sizes(std::int64_t n, double discordance) {
  PAWL_CHECK(n > 0 && discordance > 0 && discordance <= 1);
}

}  // namespace

double false_red_rate(std::int64_t n, double discordance, double tolerance) {
  check_sizes(n, discordance);
  PAWL_CHECK(tolerance >= 0);
  return normal_cdf(-tolerance * std::sqrt(static_cast<double>(n) / discordance));
}

std::optional<double> detectable_drop(std::int64_t n, double discordance, double alpha, double power) {
  check_sizes(n, discordance);
  PAWL_CHECK(alpha > 0 && alpha < 0.5 && power >= 0.5 && power < 1);
  const double za = -normal_quantile(alpha);
  const double zb = normal_quantile(power);
  const auto size = static_cast<double>(n);
  if (size < za * za) return std::nullopt;
  // d * sqrt(n) = za * sqrt(p) + zb * sqrt(p - d^2), squared and solved for d. The root is real: n >= za^2.
  const double drop = std::sqrt(discordance) *
                      (za * std::sqrt(size) + zb * std::sqrt(size + zb * zb - za * za)) / (size + zb * zb);
  if (drop <= discordance) return drop;
  // A drop takes at least as many disagreements: p = d. With d = sin(t)^2 the equation becomes
  // sqrt(n) * sin(t) - zb * cos(t) = za.
  const double t = std::atan2(zb, std::sqrt(size)) + std::asin(za / std::sqrt(size + zb * zb));
  return std::sin(t) * std::sin(t);
}

std::int64_t examples_needed_unpaired(double a, double b, double alpha, double power) {
  PAWL_CHECK(a > 0 && a < 1 && b > 0 && b < 1 && a != b);
  PAWL_CHECK(alpha > 0 && alpha < 0.5 && power > 0 && power < 1);
  const double mean = (a + b) / 2;
  const double spread = -normal_quantile(alpha) * std::sqrt(2 * mean * (1 - mean)) +
                        normal_quantile(power) * std::sqrt(a * (1 - a) + b * (1 - b));
  return static_cast<std::int64_t>(std::min(1e15, std::ceil(std::pow(spread / (a - b), 2))));
}

double seed_deviation(double error_rate, std::int64_t n) {
  PAWL_CHECK(error_rate >= 0 && error_rate <= 1 && n > 0);
  return std::sqrt(error_rate / (2 * static_cast<double>(n)));
}

}  // namespace pawl::gate
