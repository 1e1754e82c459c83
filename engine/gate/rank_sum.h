// Wilcoxon's rank sum test (Biometrics Bulletin 1:80, 1945; the U of Mann and Whitney): is a value of one
// sample larger than one of the other more often than not?
//
// Exact: under "both come from one distribution" every division of the values at hand into samples of these
// sizes is as likely as any other, and the p-value is the share of those whose rank sum is at least as
// extreme. Equal values share the mean of their ranks. Takes time and memory in the cube of the number of
// values.
//
// Pure function of any thread.
#pragma once

#include <cstddef>
#include <span>

namespace pawl::gate {

inline constexpr std::size_t kMaxRankSumValues = 100;  // of both samples

// One-sided p-value of "a is not above b"; small when a is above. Neither sample is empty, both together have
// at most kMaxRankSumValues, and none is NaN (checked).
double rank_sum_p_greater(std::span<const double> a, std::span<const double> b);

}  // namespace pawl::gate
