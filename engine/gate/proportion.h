// Intervals of one proportion: `successes` out of n examples. Level 1 - 2*alpha, 0 < alpha < 0.5.
//
// Wilson (JASA 22:209, 1927) inverts the score test; its coverage is close to the level on average. Clopper &
// Pearson (Biometrika 26:404, 1934) inverts the exact binomial test; its coverage is never below the level.
//
// Pure functions of any thread. Anything but 0 <= successes <= n, n > 0 is a bug of the caller (checked).
#pragma once

#include <cstdint>

#include "engine/gate/interval.h"

namespace pawl::gate {

Interval wilson_interval(std::int64_t successes, std::int64_t n, double alpha);
Interval clopper_pearson_interval(std::int64_t successes, std::int64_t n, double alpha);

}  // namespace pawl::gate
