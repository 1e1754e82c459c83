// Wilcoxon's signed rank test (Biometrics Bulletin 1:80, 1945): are paired differences symmetric around zero?
// Unlike the test of the mean it is not moved by how large a few outliers are.
//
// Differences of zero are left out, the rest is ranked by absolute value (equal ones share the mean of their
// ranks), and V is the sum of the ranks of the positive ones. Up to kMaxExactRanks differences the p-values
// count all 2^n patterns of signs over the ranks at hand, ties included; above, the normal approximation with
// the variance corrected for ties and half a rank of continuity correction.
//
// Pure function of any thread.
#pragma once

#include <cstddef>
#include <span>

#include "engine/base/error.h"

namespace pawl::gate {

inline constexpr std::size_t kMaxExactRanks = 50;

struct SignedRank {
  std::size_t n = 0;     // differences that are not zero
  double v = 0;          // sum of the ranks of the positive ones
  double greater = 1;    // one-sided p; small when the differences lie above zero
  double less = 1;       // one-sided p; small when they lie below
  double two_sided = 1;  // twice the smaller, at most 1
};

// Error `invalid`: a difference that is NaN. Without differences all p-values are 1.
Result<SignedRank> wilcoxon_signed_rank(std::span<const double> differences);

}  // namespace pawl::gate
