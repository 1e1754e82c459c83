// How much of a change of the metrics came from the code and how much from the data, out of the four
// trainings of old and new code with old and new data (a 2 x 2 factorial design).
//
// With y(code, data) the metric of one of the four, the effect of the code is the mean of what it changed
// with the old data and with the new, and likewise of the data, so that both add up to the whole change:
//
//   code = [y(new, old) - y(old, old) + y(new, new) - y(old, new)] / 2
//   data = [y(old, new) - y(old, old) + y(new, new) - y(new, old)] / 2
//
// (the Shapley values of two players). Their interaction, y(new, new) - y(new, old) - y(old, new) + y(old,
// old), says whether the one depends on the other.
//
// The intervals are of what the choice of the test set explains, not of what another seed would have given.
// Pure functions of any thread.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "engine/gate/interval.h"
#include "engine/gate/policy.h"
#include "engine/gate/verdict.h"

namespace pawl::gate {

// By [code][data], 0 old and 1 new. Not owned; all are there.
using FourTrainings = std::array<std::array<const Evidence*, 2>, 2>;

struct Effect {
  double change = 0;                 // in the metric's unit; negative where lower
  std::optional<Interval> interval;  // of level 1 - 2*alpha; empty: not known
};

struct Attribution {
  std::string metric;
  Direction direction = Direction::higher;
  std::array<std::array<double, 2>, 2> values{};  // of the four
  Effect total;
  Effect code;
  Effect data;
  Effect interaction;
  std::string no_interval;  // why there is none; empty: there are
};

// Of one metric of the policy, 0 < alpha < 0.5.
//
// Where the paired test compares right answers or a column, examples are paired over the trainings that were
// measured on the same test set, and trainings on different test sets are independent: the variance of an
// effect is the sum over test sets of that of its per-example combination, and the interval is normal. Of
// other paired tests (AUC, F1) the interval of an effect is the mean of those of its two differences, each at
// alpha / 2, which is wide enough by Bonferroni's inequality; it takes one test set, and there is none of the
// interaction. Error `invalid`: the metric is missing from a training, or not finite (which one is said).
Result<Attribution> attribute(const MetricRule& rule, const FourTrainings& trainings, double alpha);

// "the data changed accuracy by -3.9 points (95 % CI -4.6 to -3.2), the code by 0.1 (...)"
std::string describe(const Attribution& attribution, double alpha);

}  // namespace pawl::gate
