#include "engine/gate/comparison_parts.h"

#include <algorithm>
#include <cmath>

#include "engine/gate/normal.h"

namespace pawl::gate {
namespace {

constexpr double kPower = 0.8;

}  // namespace

Comparison compare_answers(const PairedTest& test, const PairedAnswers& answers) {
  const PairedCounts& counts = answers.counts;
  const auto n = static_cast<double>(counts.n);
  Comparison out;
  out.test = "Tango's score test";
  out.n = counts.n;
  out.candidate = static_cast<double>(answers.candidate_right) / n;
  out.baseline = static_cast<double>(answers.baseline_right()) / n;
  out.counts = counts;
  out.interval = tango_interval(counts, test.alpha);
  out.p_worse = mcnemar_mid_p_worse(counts.b, counts.c);
  out.p_margin = normal_cdf(tango_z(counts, -test.margin));
  out.alike = counts.b + counts.c == 0;
  const double room = test.margin + counts.difference();
  if (room > 0) {
    out.examples_needed = examples_needed(static_cast<double>(counts.b + counts.c) / n, std::min(room, 1.0),
                                          test.alpha, kPower);
  }
  return out;
}

Comparison compare_gains(const PairedTest& test, Direction direction, const PairedMean& gain,
                         const MeanDecision& at_margin, const MeanDecision& at_all) {
  Comparison out;
  out.test = at_margin.method == MeanDecision::Method::paired_t ? "paired t test" : "sign-flip test";
  out.n = at_margin.n;
  out.interval = direction == Direction::higher ? Interval{at_margin.low, at_margin.high}
                                                : Interval{-at_margin.high, -at_margin.low};
  out.p_worse = at_all.p_worse;
  out.p_margin = at_margin.p_worse;
  const double room = test.margin + at_margin.gain;
  if (room > 0) out.examples_needed = examples_for_mean(gain.deviation, room, test.alpha);
  return out;
}

std::int64_t examples_for_mean(double deviation, double room, double alpha) {
  const double z = normal_quantile(1 - alpha) + normal_quantile(kPower);
  return static_cast<std::int64_t>(std::min(1e15, std::ceil(std::pow(z * deviation / room, 2))));
}

void decide(const PairedTest& test, Direction direction, Comparison& comparison) {
  const bool lower = lower_is_better(test, direction);
  const double worst = lower ? -comparison.interval.high : comparison.interval.low;
  const double best = lower ? -comparison.interval.low : comparison.interval.high;
  comparison.surely_worse = best < -test.margin;
  comparison.surely_not_worse = worst > -test.margin;
}

}  // namespace pawl::gate
