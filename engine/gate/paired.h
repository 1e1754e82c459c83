// Paired statistics on two models that answered the same examples.
//
// Only the examples on which the two models disagree carry information: b of them the candidate got right and
// the baseline wrong, c the reverse, out of n. The difference of the fractions of right answers is (b - c) /
// n.
//
// McNemar (1947): under "both models are equally good" b is Binomial(b + c, 1/2). The mid-p variant counts
// half of the observed outcome's probability, which takes away most of the exact test's conservatism
// (Fagerland, Lydersen, Laake, BMC Med Res Methodol 13:91, 2013).
//
// Tango (Stat Med 17:891, 1998): score statistic for "the true difference is d0",
//   Z(d0) = (b - c - n*d0) / sqrt(n * (2q + d0*(1 - d0))),
// with q the maximum-likelihood estimate of the probability of c's cell under that hypothesis,
//   A = 2n,  B = -b - c + (2n - b + c)*d0,  C = -c*d0*(1 - d0),  q = (sqrt(B^2 - 4AC) - B) / (2A).
// Z falls strictly with d0, so the confidence interval is the set of d0 with |Z(d0)| <= z; it stays inside
// [-1, 1], and unlike Wald's it is good for few disagreements, none at all included.
//
// Pure functions of any thread. Counts are valid when 0 <= b, 0 <= c, b + c <= n, n > 0; anything else is a
// bug of the caller (checked).
#pragma once

#include <cstdint>

#include "engine/gate/interval.h"

namespace pawl::gate {

struct PairedCounts {
  std::int64_t n = 0;  // examples both models answered
  std::int64_t b = 0;  // candidate right, baseline wrong
  std::int64_t c = 0;  // candidate wrong, baseline right

  double difference() const { return static_cast<double>(b - c) / static_cast<double>(n); }
  bool operator==(const PairedCounts&) const = default;
};

// Two-sided p-values of "equally good".
double mcnemar_exact_p(std::int64_t b, std::int64_t c);
double mcnemar_mid_p(std::int64_t b, std::int64_t c);

// One-sided mid-p of "the candidate is not worse"; small when it is worse.
double mcnemar_mid_p_worse(std::int64_t b, std::int64_t c);

// Tango's Z for the hypothesis that the true difference is d0, -1 <= d0 <= 1. Where the variance is zero: 0
// when the estimate equals d0, else an infinity with the sign of the estimate minus d0.
double tango_z(const PairedCounts& counts, double d0);

// The interval whose bounds are each missed with probability alpha (level 1 - 2*alpha), 0 < alpha < 0.5.
Interval tango_interval(const PairedCounts& counts, double alpha);

// How many examples show a difference of `distance` (0 < distance <= 1) when the models disagree on the
// fraction `discordance` of them, with a one-sided error rate alpha and the given power (Connor, Biometrics
// 43:207, 1987):
//   n = ((z_alpha * sqrt(p) + z_beta * sqrt(p - d^2)) / d)^2, rounded up.
// A discordance below the distance is impossible and is taken as the distance. At most 10^15.
std::int64_t examples_needed(double discordance, double distance, double alpha, double power);

}  // namespace pawl::gate
