// A confidence or prediction interval. In this folder `alpha` is the probability of missing on one side, so
// that an interval has the level 1 - 2*alpha and each of its ends is a one-sided test at alpha.
#pragma once

namespace pawl::gate {

struct Interval {
  double low = 0;
  double high = 0;
};

}  // namespace pawl::gate
