// Areas under the ROC curve, and the difference of two on the same examples.
//
// AUC is the probability that a positive example scores above a negative one, ties counting half. DeLong,
// DeLong, Clarke-Pearson (Biometrics 44:837, 1988): give each positive the share of negatives it beats, each
// negative the share of positives that beat it; the AUC is the mean of either, and with m positives, n
// negatives and S the sample (co)variances of those shares over the positives (10) and the negatives (01),
//   cov(A, B) = S10(A, B) / m + S01(A, B) / n.
// One sort per model finds all shares (Sun & Xu, IEEE Signal Processing Letters 21:1389, 2014): O(n log n).
// They are counted in halves of an example, so in whole numbers: models that rank alike differ by exactly 0.
//
// Where one model ranks perfectly its variance is zero: the method cannot see the uncertainty of an AUC of 1.
//
// Pure functions of any thread. Lengths that differ are a bug of the caller (checked). Error `invalid`: a
// score that is NaN, or fewer than two examples of a class (an AUC or its variance does not exist). Infinite
// scores rank like others.
#pragma once

#include <span>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/interval.h"

namespace pawl::gate {

struct Auc {
  double auc = 0;
  double variance = 0;  // of the estimate
};

struct AucDifference {
  Auc candidate;
  Auc baseline;
  double covariance = 0;
  double difference = 0;  // candidate - baseline
  double variance = 0;    // of the difference
  double z = 0;           // infinite for a difference without variance, 0 for none
  double p = 1;           // two-sided, of "equally good"
};

Result<Auc> delong_auc(std::span<const double> scores, const std::vector<bool>& positive);

Result<AucDifference> delong_difference(std::span<const double> candidate, std::span<const double> baseline,
                                        const std::vector<bool>& positive);

// Normal intervals of level 1 - 2*alpha, 0 < alpha < 0.5, cut to what an AUC or a difference of two can be.
Interval auc_interval(const Auc& auc, double alpha);
Interval auc_difference_interval(const AucDifference& difference, double alpha);

}  // namespace pawl::gate
