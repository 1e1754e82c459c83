// Permutation tests of means: p-values without an assumption about the shape of the distribution, for few
// values. Exact where all rearrangements can be looked at, else over kRandomReplicates random ones and the
// observed one itself, whose p-value (hits + 1) / (replicates + 1) is never 0 and still valid. `seed` picks
// the random ones and changes nothing in an exact test.
//
// Sign flips (Fisher, The Design of Experiments, 1935): if values are symmetric around their centre, each is
// as likely above as below it; exact for up to 20 values, 2^20 patterns. A centre is refuted by the patterns
// whose sum is as extreme as the observed one, which is a statement about the mean of the flipped values
// alone: the ends of the confidence interval are order statistics of the means of all subsets (Hartigan, JASA
// 64:1303, 1969).
//
// Two samples: which values belong to which sample is arbitrary if both come from one distribution; exact for
// up to 10^6 divisions (two samples of 11).
//
// Sums that differ by rounding count as equal. Time grows with replicates * values. Pure functions of any
// thread. No values, or one that is not finite, are a bug of the caller (checked).
#pragma once

#include <cstdint>
#include <span>

#include "engine/gate/interval.h"

namespace pawl::gate {

inline constexpr std::uint64_t kRandomReplicates = 10'000;

// One-sided p-value of "the centre is `center` or above"; small when it is below.
double sign_flip_p_below(std::span<const double> values, double center, std::uint64_t seed);

// Two-sided p-value of "the centre is 0".
double sign_flip_p_two_sided(std::span<const double> values, std::uint64_t seed);

// All centres that the one-sided tests at alpha do not refute, 0 < alpha < 0.5. The ends are infinite where
// that is every centre: below 5 values at alpha = 0.05.
Interval sign_flip_interval(std::span<const double> values, double alpha, std::uint64_t seed);

struct PermutationP {
  double greater = 1;    // of "a is not above b"; small when a is above
  double two_sided = 1;  // of "a and b are alike"
};

PermutationP mean_permutation(std::span<const double> a, std::span<const double> b, std::uint64_t seed);

}  // namespace pawl::gate
