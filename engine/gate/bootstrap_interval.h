// Confidence intervals out of the replicates of a bootstrap (Efron & Tibshirani, An Introduction to the
// Bootstrap, 1993, chapters 13 and 14).
//
// Quantiles are those of the inverse distribution function: the smallest replicate with at least the asked
// share of the replicates at or below it.
//
// BCa replaces the levels alpha and 1 - alpha of the percentile interval by
//   Phi(z0 + (z0 + z) / (1 - a * (z0 + z))),  z = Phi^-1(level),
// with the bias correction z0 = Phi^-1(share of the replicates below the estimate), replicates equal to it
// counting half (mid-rank: with tied data, as 0/1 results are, counting none or all of them shifts the
// interval), and the acceleration a = sum d^3 / (6 (sum d^2)^1.5), d = mean of the jackknife values minus
// each of them.
//
// Pure functions of any thread.
#pragma once

#include <optional>
#include <span>

#include "engine/gate/interval.h"

namespace pawl::gate {

// Each bound is missed with probability alpha (level 1 - 2 * alpha), 0 < alpha < 0.5. `sorted`: the
// replicates in ascending order, at least one, no NaN.
Interval percentile_interval(std::span<const double> sorted, double alpha);

// Replicates within rounding (1e-12 of the largest of the values) are equal to the estimate. Empty when BCa
// is undefined: all replicates on one side of the estimate, or an acceleration that bends a level past the
// end.
std::optional<Interval> bca_interval(std::span<const double> sorted, double estimate, double acceleration,
                                     double alpha);

// The one-sided p-value of "the true value is `threshold` or more": the alpha at which the upper bound of the
// BCa interval (the percentile interval's where BCa is undefined) falls to the threshold. Never below
// 1 / (replicates + 1): so few resamples show no more.
double p_at_least(std::span<const double> sorted, double estimate, double acceleration, double threshold);

// z0; infinite when all replicates are on one side of the estimate.
double bias_correction(std::span<const double> sorted, double estimate);

// a; 0 when the jackknife values are equal.
double jackknife_acceleration(std::span<const double> jackknife);

// Standard deviation of the replicates.
double bootstrap_standard_error(std::span<const double> replicates);

}  // namespace pawl::gate
