// Comparing two trainings, not two models: each was run with several seeds, and the question is how often a
// run of one is better than a run of the other (Bouthillier et al., Accounting for Variance in Machine
// Learning Benchmarks, MLSys 2021).
//
// P(A > B) is estimated with ties counting half: over the pairs of runs that share a seed, or over all pairs
// of a run of A with a run of B. Its uncertainty is the percentile bootstrap over runs: every resample when
// there are at most 10^6 (7 pairs; 4 and 4 runs), else kRandomReplicates random ones that `seed` picks. A
// quantile is the smallest value whose cumulated share reaches it.
//
// Values for which higher is better; negate others. Pure functions of any thread. 0 < alpha < 0.5. Error
// `invalid`: fewer than kMinSeeds runs of either, or a value that is not finite. Even kMinSeeds wins out of
// kMinSeeds give the interval [1, 1]: the bootstrap knows nothing of runs it never saw. seeds_needed() says
// how many runs a decision should rest on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/error.h"
#include "engine/gate/interval.h"

namespace pawl::gate {

inline constexpr std::size_t kMinSeeds = 3;
inline constexpr double kMeaningfulProbability = 0.75;  // gamma of the paper

struct Outperformance {
  double probability = 0.5;  // estimate of P(A > B)
  Interval interval;         // of level 1 - 2*alpha
};

// a[i] and b[i] share a seed; lengths that differ are a bug of the caller (checked).
Result<Outperformance> paired_outperformance(std::span<const double> a, std::span<const double> b,
                                             double alpha, std::uint64_t seed);

Result<Outperformance> unpaired_outperformance(std::span<const double> a, std::span<const double> b,
                                               double alpha, std::uint64_t seed);

// The percentile bootstrap of a mean, for the mean difference of paired runs.
Result<Interval> bootstrap_mean_interval(std::span<const double> values, double alpha, std::uint64_t seed);

enum class SeedEvidence {
  not_significant,  // the interval reaches down to 1/2
  not_meaningful,   // above 1/2, and nowhere above gamma
  meaningful,       // above 1/2, possibly above gamma
};

SeedEvidence weigh(const Interval& probability, double gamma = kMeaningfulProbability);

// How many pairs of runs show P(A > B) = gamma (1/2 < gamma < 1) at a one-sided error rate alpha with the
// given power (Noether, JASA 82:645, 1987): ((z_alpha + z_power) / (sqrt(6) * (gamma - 1/2)))^2, rounded up.
std::int64_t seeds_needed(double gamma, double alpha, double power);

}  // namespace pawl::gate
