#include "engine/gate/proportion.h"

#include <boost/math/distributions/beta.hpp>
#include <cmath>

#include "engine/base/error.h"
#include "engine/gate/normal.h"

namespace pawl::gate {
namespace {

void check_arguments(std::int64_t successes, std::int64_t n, double alpha) {
  PAWL_CHECK(successes >= 0 && successes <= n && n > 0 && alpha > 0 && alpha < 0.5);
}

}  // namespace

Interval wilson_interval(std::int64_t successes, std::int64_t n, double alpha) {
  check_arguments(successes, n, alpha);
  const auto size = static_cast<double>(n);
  const auto right = static_cast<double>(successes);
  const double z = -normal_quantile(alpha);
  const double total = size + z * z;
  const double center = (right + z * z / 2) / total;
  const double reach = z * std::sqrt(right * (size - right) / size + z * z / 4) / total;
  // The ends at no and at only successes are 0 and 1; the formula leaves rounding there.
  return {successes == 0 ? 0 : center - reach, successes == n ? 1 : center + reach};
}

Interval clopper_pearson_interval(std::int64_t successes, std::int64_t n, double alpha) {
  check_arguments(successes, n, alpha);
  const auto right = static_cast<double>(successes);
  const auto wrong = static_cast<double>(n - successes);
  using boost::math::beta_distribution;
  Interval interval{0, 1};
  if (successes > 0) interval.low = quantile(beta_distribution<>(right, wrong + 1), alpha);
  if (successes < n) {
    interval.high = quantile(complement(beta_distribution<>(right + 1, wrong), alpha));
  }
  return interval;
}

}  // namespace pawl::gate
