// Oracles: published tables and outputs of R's mcnemar.test and of mlxtend, each also recomputed from the
// formula.
#include "engine/gate/paired.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/gate/normal.h"
#include "tests/unit/gate/numbers.h"

namespace pawl::gate {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(McNemar, AgreesWithMlxtend) {
  EXPECT_DIGITS(mcnemar_exact_p(121, 59), 4.434449264e-06, 10);
  EXPECT_DIGITS(mcnemar_mid_p(121, 59), 3.266646796e-06, 10);
  EXPECT_DIGITS(mcnemar_exact_p(25, 15), .1538599442, 10);
  EXPECT_DIGITS(mcnemar_mid_p(25, 15), .117275206, 9);
  EXPECT_DOUBLE_EQ(mcnemar_exact_p(11, 1), 26.0 / 4096);
  EXPECT_DOUBLE_EQ(mcnemar_mid_p(11, 1), 14.0 / 4096);
}

TEST(McNemar, AgreesWithR) {
  EXPECT_DIGITS(mcnemar_exact_p(86, 150), 3.71593614e-05, 9);
  EXPECT_DIGITS(mcnemar_mid_p(86, 150), 2.893389518e-05, 10);
  EXPECT_DIGITS(mcnemar_exact_p(15, 7), .1338005066, 10);
  EXPECT_DIGITS(mcnemar_mid_p(15, 7), .0931396484, 9);
  EXPECT_DIGITS(mcnemar_exact_p(46, 9), 4.336383137e-07, 10);
  EXPECT_DIGITS(mcnemar_mid_p(46, 9), 2.571572048e-07, 10);
}

TEST(McNemar, AgreesWithTheClosedForm) {
  EXPECT_DIGITS(mcnemar_exact_p(10, 2), .0385742, 6);
  EXPECT_DIGITS(mcnemar_mid_p(10, 2), .0224609, 6);
  EXPECT_DIGITS(mcnemar_exact_p(1, 9), .0214844, 6);
  EXPECT_DIGITS(mcnemar_mid_p(1, 9), .0117188, 6);
  EXPECT_DOUBLE_EQ(mcnemar_exact_p(0, 6), .03125);
  EXPECT_DOUBLE_EQ(mcnemar_mid_p(0, 6), .015625);
  EXPECT_DOUBLE_EQ(mcnemar_exact_p(5, 5), 1);
  EXPECT_DOUBLE_EQ(mcnemar_mid_p(5, 5), 1 - 252.0 / 1024);  // not 2 * tail - pmf, which passes 1
}

TEST(McNemar, IsSymmetricAndDefinedWithoutDisagreement) {
  EXPECT_EQ(mcnemar_exact_p(0, 0), 1);
  EXPECT_EQ(mcnemar_mid_p(0, 0), 1);
  EXPECT_EQ(mcnemar_mid_p_worse(0, 0), 0.5);
  EXPECT_EQ(mcnemar_mid_p(3, 17), mcnemar_mid_p(17, 3));
}

TEST(McNemar, OneSidedIsHalfOfTwoSidedWhenTheCandidateIsWorse) {
  EXPECT_DOUBLE_EQ(mcnemar_mid_p_worse(2, 10), mcnemar_mid_p(2, 10) / 2);
  EXPECT_DOUBLE_EQ(mcnemar_mid_p_worse(10, 2), 1 - mcnemar_mid_p(2, 10) / 2);
  EXPECT_DOUBLE_EQ(mcnemar_mid_p_worse(5, 5), 0.5);
}

TEST(McNemar, HoldsForMillionsOfDisagreements) {
  // The normal approximation is exact to the digits asked for here.
  const double z = 2000 / std::sqrt(1e6);
  EXPECT_NEAR(mcnemar_mid_p(499'000, 501'000), 2 * normal_cdf(-z), 1e-6);
  EXPECT_EQ(mcnemar_mid_p(0, 1'000'000), 0);
}

TEST(Tango, StatisticOfThePaper) {
  const double z = tango_z({44, 0, 1}, -.1);
  EXPECT_DIGITS(z, 1.70856, 6);
  EXPECT_DIGITS(normal_cdf(-z), .043766, 5);
}

TEST(Tango, IsTheMcNemarStatisticAtZero) {
  EXPECT_DOUBLE_EQ(tango_z({1000, 30, 12}, 0), 18 / std::sqrt(42.0));
  EXPECT_DOUBLE_EQ(tango_z({1000, 12, 30}, 0), -18 / std::sqrt(42.0));
}

// The square of the statistic at zero is McNemar's chi-square without continuity correction.
TEST(Tango, AgreesWithMcNemarsChiSquare) {
  const struct {
    std::int64_t b, c;
    double chi_square;
    int digits;
    double p;
    int p_digits;
  } cases[] = {
      {121, 59, 21.35555556, 10, 3.815135865e-06, 10},
      {25, 15, 2.5, 2, .113846298, 9},
      {11, 1, 8.3333, 5, .0038924, 5},
      {86, 150, 17.3559, 6, 3.099e-05, 4},
      {15, 7, 2.9091, 5, .0880815, 6},
      {46, 9, 24.89090909, 10, 6.066784e-07, 7},
  };
  for (const auto& it : cases) {
    const double z = tango_z({10'000, it.b, it.c}, 0);
    EXPECT_DIGITS(z * z, it.chi_square, it.digits);
    EXPECT_DIGITS(2 * normal_cdf(-std::abs(z)), it.p, it.p_digits);
  }
}

struct IntervalCase {
  PairedCounts counts;
  double alpha;
  double low, high;
  double tolerance;
};

TEST(Tango, Intervals) {
  const IntervalCase cases[] = {
      {{44, 0, 1}, .05, -.095662, .036517, 5e-7},        {{10000, 120, 100}, .025, -.0009148, .0049468, 5e-8},
      {{1600, 150, 86}, .025, .0213616, .0589980, 5e-8}, {{5000, 40, 60}, .025, -.0080575, -.0000816, 5e-8},
      {{1000, 20, 120}, .05, -.11945, -.08178, 5e-6},    {{100, 5, 15}, .05, -.17643, -.02819, 5e-6},
      {{50, 2, 7}, .05, -.20770, -.00149, 5e-6},         {{10000, 100, 120}, .05, -.00447, .00044, 5e-6},
      {{10000, 100, 220}, .05, -.01499, -.00910, 5e-6},  {{1000, 30, 30}, .05, -.01299, .01299, 5e-6},
  };
  for (const auto& it : cases) {
    const Interval interval = tango_interval(it.counts, it.alpha);
    EXPECT_NEAR(interval.low, it.low, it.tolerance) << it.counts.b << ' ' << it.counts.c;
    EXPECT_NEAR(interval.high, it.high, it.tolerance) << it.counts.b << ' ' << it.counts.c;
  }
}

TEST(Tango, StatisticsOfGateDecisions) {
  EXPECT_NEAR(tango_z({1000, 20, 120}, -.01), -7.772, 5e-4);
  EXPECT_NEAR(tango_z({100, 5, 15}, -.01), -2.032, 5e-4);
  EXPECT_NEAR(tango_z({50, 2, 7}, -.01), -1.518, 5e-4);
  EXPECT_NEAR(tango_z({10000, 100, 120}, -.005), 1.995, 5e-4);
  EXPECT_NEAR(tango_z({10000, 100, 220}, -.01), -1.131, 5e-4);
  EXPECT_NEAR(tango_z({1000, 30, 30}, -.01), 1.276, 5e-4);
}

TEST(Tango, NoDisagreementHasTheClosedForm) {
  // With b = c = 0 the statistic is sqrt(n) * |d0| / sqrt(|d0| * (1 - |d0|)): the bounds are z^2 / (n + z^2).
  constexpr double kZ = 1.6448536269514722;
  const Interval interval = tango_interval({200, 0, 0}, .05);
  EXPECT_NEAR(interval.high, kZ * kZ / (200 + kZ * kZ), 1e-14);
  EXPECT_NEAR(interval.low, -interval.high, 1e-14);
}

TEST(Tango, BoundaryCountsStayInsideTheRange) {
  for (const PairedCounts counts : {PairedCounts{50, 0, 50},
                                    {50, 50, 0},
                                    {1, 0, 1},
                                    {1, 1, 0},
                                    {1, 0, 0},
                                    {50, 25, 25},
                                    {50, 0, 49},
                                    {20'000'000, 1, 0}}) {
    const Interval interval = tango_interval(counts, .05);
    EXPECT_GE(interval.low, -1);
    EXPECT_LE(interval.high, 1);
    EXPECT_LE(interval.low, counts.difference());
    EXPECT_GE(interval.high, counts.difference());
    EXPECT_LT(interval.low, interval.high);
  }
  EXPECT_EQ(tango_interval({50, 0, 50}, .05).low, -1);
  EXPECT_EQ(tango_interval({50, 50, 0}, .05).high, 1);
}

TEST(Tango, BoundsAreWhereTheStatisticMeetsTheQuantile) {
  constexpr double kZ = 1.6448536269514722;
  for (const PairedCounts counts :
       {PairedCounts{50, 2, 7}, {10000, 100, 220}, {44, 0, 1}, {300, 0, 300 - 1}}) {
    const Interval interval = tango_interval(counts, .05);
    EXPECT_NEAR(tango_z(counts, interval.low), kZ, 1e-8);
    EXPECT_NEAR(tango_z(counts, interval.high), -kZ, 1e-8);
  }
}

TEST(Tango, MirrorsWhenTheModelsAreSwapped) {
  const Interval one = tango_interval({500, 13, 40}, .05);
  const Interval other = tango_interval({500, 40, 13}, .05);
  EXPECT_NEAR(one.low, -other.high, 1e-15);
  EXPECT_NEAR(one.high, -other.low, 1e-15);
}

TEST(Tango, ZeroVariance) {
  EXPECT_EQ(tango_z({10, 0, 0}, 0), 0);
  EXPECT_EQ(tango_z({10, 3, 2}, -1), kInfinity);
  EXPECT_EQ(tango_z({10, 3, 2}, 1), -kInfinity);
  EXPECT_EQ(tango_z({10, 0, 10}, -1), 0);
}

TEST(Planning, AgreesWithConnorsTable) {
  const struct {
    double drop, discordance;
    std::int64_t n;
  } cases[] = {
      {.005, .02, 4944}, {.005, .05, 12364}, {.005, .10, 24729}, {.005, .20, 49459},
      {.01, .02, 1235},  {.01, .05, 3090},   {.01, .10, 6181},   {.01, .20, 12364},
      {.02, .05, 771},   {.02, .10, 1544},   {.02, .20, 3090},   {.03, .05, 342},
      {.03, .10, 685},   {.03, .20, 1372},   {.05, .10, 246},    {.05, .20, 493},
  };
  for (const auto& it : cases) EXPECT_EQ(examples_needed(it.discordance, it.drop, .05, .8), it.n);
  EXPECT_EQ(examples_needed(.02, .01, .01, .9), 2599);
  EXPECT_EQ(examples_needed(.05, .01, .01, .9), 6504);
  EXPECT_EQ(examples_needed(.10, .01, .01, .9), 13013);
  EXPECT_EQ(examples_needed(.20, .01, .01, .9), 26030);
}

TEST(Planning, ImpossibleDiscordanceIsTheDistanceItself) {
  EXPECT_EQ(examples_needed(.01, .1, .05, .8), examples_needed(.1, .1, .05, .8));
}

}  // namespace
}  // namespace pawl::gate
