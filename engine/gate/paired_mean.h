// The mean change of a per-example value (a loss, an absolute error) between two models that answered the
// same examples, and whether it is a change for the worse.
//
// A gain is candidate - baseline where higher values are better and baseline - candidate where lower ones
// are: positive is better, whatever the metric.
//
// Student's t on the gains (their mean over their standard error) where there are enough of them for the mean
// to be about normal, else sign flips (permutation.h).
//
// Pure functions of any thread. Lengths that differ are a bug of the caller (checked). Error `invalid`: no
// values, or one that is not finite (with its index), or values too large to average.
#pragma once

#include <cstdint>
#include <span>

#include "engine/base/error.h"
#include "engine/gate/interval.h"
#include "engine/gate/policy.h"

namespace pawl::gate {

struct PairedMean {
  std::int64_t n = 0;
  double gain = 0;       // mean over the examples
  double deviation = 0;  // standard deviation of one gain

  double standard_error() const;
};

Result<PairedMean> paired_mean(std::span<const double> candidate, std::span<const double> baseline,
                               Direction direction);

// All for n >= 2. Gains that are all equal have no uncertainty: the interval is a point, the p-values are 0
// or 1, or 0.5 one-sided exactly at the hypothesis.
Interval t_interval(const PairedMean& mean, double alpha);  // level 1 - 2*alpha, 0 < alpha < 0.5
double t_p_worse(const PairedMean& mean, double margin);    // one-sided; small: worse by more than the margin
double t_p_two_sided(const PairedMean& mean);               // of "no change"

// The values a non-inferiority decision is made of: surely worse when `high` < -margin, surely not worse when
// `low` > -margin.
struct MeanDecision {
  enum class Method { paired_t, sign_flip };

  Method method = Method::paired_t;
  std::int64_t n = 0;
  double gain = 0;
  double low = 0;  // of level 1 - 2*alpha; infinite where so few examples show nothing (permutation.h)
  double high = 0;
  double p_worse = 1;  // one-sided, of "not worse by more than the margin"; at most alpha when surely worse
};

inline constexpr std::int64_t kMinExamplesForT = 30;

// By Student's t. mean.n >= kMinExamplesForT, margin >= 0 in the unit of the metric, 0 < alpha < 0.5.
MeanDecision decide_by_t(const PairedMean& mean, double margin, double alpha);

// By what there are enough values for. `seed` as in permutation.h.
Result<MeanDecision> decide_mean(std::span<const double> candidate, std::span<const double> baseline,
                                 Direction direction, double margin, double alpha, std::uint64_t seed);

}  // namespace pawl::gate
