// Oracles: R's t.test on Student's sleep data, and SciPy.
#include "engine/gate/paired_mean.h"

#include <limits>

#include "engine/gate/permutation.h"
#include "tests/unit/gate/numbers.h"

namespace pawl::gate {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::uint64_t kSeed = 7;

std::vector<double> plus(std::vector<double> values, double shift) {
  for (double& value : values) value += shift;
  return values;
}

// n losses of a baseline, and of a candidate that loses `worse` more, give or take a tenth.
struct Losses {
  std::vector<double> candidate, baseline;
};

Losses losses(std::size_t n, double worse) {
  Losses result;
  for (std::size_t i = 0; i < n; ++i) {
    result.baseline.push_back(.2 + .01 * static_cast<double>(i % 17));
    result.candidate.push_back(result.baseline.back() + worse + (i % 2 == 0 ? .1 : -.1));
  }
  return result;
}

TEST(PairedT, AgreesWithR) {
  const std::vector<double> one{.7, -1.6, -.2, -1.2, -.1, 3.4, 3.7, .8, 0, 2};
  const std::vector<double> two{1.9, .8, 1.1, .1, -.1, 4.4, 5.5, 1.6, 4.6, 3.4};
  const PairedMean mean = paired_mean(one, two, Direction::higher).value();
  EXPECT_EQ(mean.n, 10);
  EXPECT_DIGITS(mean.gain, -1.58, 3);
  EXPECT_DIGITS(mean.gain / mean.standard_error(), -4.062128, 7);
  EXPECT_DIGITS(t_p_two_sided(mean), .00283289, 6);
  const Interval interval = t_interval(mean, .025);
  EXPECT_DIGITS(interval.low, -2.4598858, 8);
  EXPECT_DIGITS(interval.high, -.7001142, 7);
}

TEST(PairedT, AgreesWithSciPy) {
  for (const auto& it : fixture("paired_t")) {
    const auto candidate = doubles(it.at("candidate")), baseline = doubles(it.at("baseline"));
    const PairedMean mean = paired_mean(candidate, baseline, Direction::higher).value();
    EXPECT_SAME(mean.gain, it.at("mean"));
    EXPECT_SAME(mean.deviation, it.at("deviation"));
    EXPECT_SAME(t_p_two_sided(mean), it.at("p_two_sided"));
    EXPECT_SAME(t_p_worse(mean, it.at("margin")), it.at("p_worse"));
    expect_same_interval(t_interval(mean, it.at("alpha")), it.at("interval"));
  }
}

TEST(PairedT, DirectionTurnsTheSign) {
  const Losses it = losses(40, .05);
  const PairedMean higher = paired_mean(it.candidate, it.baseline, Direction::higher).value();
  const PairedMean lower = paired_mean(it.candidate, it.baseline, Direction::lower).value();
  EXPECT_NEAR(higher.gain, .05, 1e-15);
  EXPECT_EQ(lower.gain, -higher.gain);
  EXPECT_EQ(lower.deviation, higher.deviation);
  EXPECT_NEAR(t_p_worse(lower, 0), 1 - t_p_worse(higher, 0), 1e-15);
  EXPECT_EQ(t_p_two_sided(lower), t_p_two_sided(higher));
}

TEST(PairedT, PWorseIsAlphaWhereTheIntervalEndsAtTheMargin) {
  const Losses it = losses(40, .05);
  const PairedMean mean = paired_mean(it.candidate, it.baseline, Direction::lower).value();
  EXPECT_NEAR(t_p_worse(mean, -t_interval(mean, .05).high), .05, 1e-12);
}

TEST(PairedT, GainsWithoutSpread) {
  const std::vector<double> baseline{.5, .25, 1, 2};
  const PairedMean none = paired_mean(baseline, baseline, Direction::higher).value();
  EXPECT_EQ(t_p_two_sided(none), 1);
  EXPECT_EQ(t_p_worse(none, .01), 1);
  EXPECT_EQ(t_p_worse(none, 0), .5);
  EXPECT_EQ(t_interval(none, .05).high, 0);
  const PairedMean worse = paired_mean(plus(baseline, -.5), baseline, Direction::higher).value();
  EXPECT_EQ(worse.gain, -.5);
  EXPECT_EQ(t_p_two_sided(worse), 0);
  EXPECT_EQ(t_p_worse(worse, .25), 0);
  EXPECT_EQ(t_p_worse(worse, .75), 1);
}

TEST(PairedMean, SeesASmallChangeOfManyLargeValues) {
  std::vector<double> baseline, candidate;
  for (int i = 0; i < 1'000'000; ++i) {
    baseline.push_back(std::ldexp(1.0, 30) * (1 + i % 3));
    candidate.push_back(baseline.back() + (i % 2 == 0 ? 1 : 1 + std::ldexp(1.0, -20)));
  }
  const PairedMean mean = paired_mean(candidate, baseline, Direction::higher).value();
  EXPECT_EQ(mean.gain, 1 + std::ldexp(1.0, -21));
  EXPECT_NEAR(mean.deviation, std::ldexp(1.0, -21), std::ldexp(1.0, -21) * 1e-6);
}

TEST(PairedMean, RefusesWhatHasNoMean) {
  const std::vector<double> good{1, 2, 3};
  EXPECT_EQ(paired_mean({}, {}, Direction::higher).error().code(), ErrorCode::invalid);
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), kInfinity}) {
    const std::vector<double> values{1, 2, bad};
    const auto result = paired_mean(values, good, Direction::lower);
    EXPECT_EQ(result.error().message(), "value 2 of the candidate is not a finite number");
    EXPECT_EQ(paired_mean(good, values, Direction::lower).error().message(),
              "value 2 of the baseline is not a finite number");
  }
  EXPECT_EQ(paired_mean(std::vector<double>{1e308, 0}, std::vector<double>{-1e308, 0}, Direction::higher)
                .error()
                .code(),
            ErrorCode::invalid);
}

TEST(MeanDecision, UsesTFromThirtyExamplesOn) {
  const Losses many = losses(30, .2);
  const MeanDecision by_t =
      decide_mean(many.candidate, many.baseline, Direction::lower, .1, .05, kSeed).value();
  EXPECT_EQ(by_t.method, MeanDecision::Method::paired_t);
  EXPECT_EQ(by_t.n, 30);
  EXPECT_NEAR(by_t.gain, -.2, 1e-15);
  EXPECT_LT(by_t.high, -.1);
  EXPECT_LT(by_t.p_worse, .05);

  const Losses few = losses(29, .2);
  const MeanDecision by_flips =
      decide_mean(few.candidate, few.baseline, Direction::lower, .1, .05, kSeed).value();
  EXPECT_EQ(by_flips.method, MeanDecision::Method::sign_flip);
  EXPECT_EQ(by_flips.n, 29);
  EXPECT_LT(by_flips.high, -.1);
  EXPECT_LT(by_flips.p_worse, .05);
}

TEST(MeanDecision, SignFlipsAreThoseOfTheGains) {
  const std::vector<double> candidate{3.67, 1.72, 3.46, 2.60, 2.03, 2.10, 3.01};
  const std::vector<double> baseline{2.11, 1.79, 2.71, 1.89, 1.69, 1.71, 2.01};
  std::vector<double> gains;
  for (std::size_t i = 0; i < 7; ++i) gains.push_back(candidate[i] - baseline[i]);
  const MeanDecision better = decide_mean(candidate, baseline, Direction::higher, 0, .05, kSeed).value();
  const Interval interval = sign_flip_interval(gains, .05, kSeed);
  EXPECT_EQ(better.low, interval.low);
  EXPECT_EQ(better.high, interval.high);
  EXPECT_GT(better.low, 0);
  EXPECT_EQ(better.p_worse, 127.0 / 128);
  const MeanDecision worse = decide_mean(candidate, baseline, Direction::lower, 0, .05, kSeed).value();
  EXPECT_EQ(worse.high, -better.low);
  EXPECT_EQ(worse.p_worse, 2.0 / 128);
}

TEST(MeanDecision, TooFewExamplesShowNothing) {
  const std::vector<double> baseline{1, 2, 3, 4};
  const MeanDecision decision =
      decide_mean(plus(baseline, -1), baseline, Direction::higher, .1, .05, kSeed).value();
  EXPECT_EQ(decision.gain, -1);
  EXPECT_EQ(decision.low, -kInfinity);
  EXPECT_EQ(decision.high, kInfinity);
  EXPECT_EQ(decision.p_worse, 1.0 / 16);
}

}  // namespace
}  // namespace pawl::gate
