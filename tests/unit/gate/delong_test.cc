// Oracles: a toy set computed by hand from the definition, and all pairs compared by numpy.
#include "engine/gate/delong.h"

#include <limits>

#include "tests/unit/gate/numbers.h"

namespace pawl::gate {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const std::vector<bool> kLabels{false, false, false, false, false, true, true, true, true, true};
const std::vector<double> kA{.1, .2, .3, .4, .6, .35, .5, .7, .8, .9};
const std::vector<double> kB{.2, .1, .5, .3, .7, .4, .3, .6, .9, .8};

TEST(Delong, ToySet) {
  const AucDifference result = delong_difference(kA, kB, kLabels).value();
  EXPECT_DOUBLE_EQ(result.candidate.auc, .88);
  EXPECT_DOUBLE_EQ(result.baseline.auc, .78);
  EXPECT_DOUBLE_EQ(result.candidate.variance, .0128);
  EXPECT_DOUBLE_EQ(result.baseline.variance, .0248);
  EXPECT_DOUBLE_EQ(result.covariance, .0128);
  EXPECT_DIGITS(result.z, .9128709, 7);
  EXPECT_DIGITS(result.p, .3613104, 7);
  EXPECT_DOUBLE_EQ(result.difference, .1);
  EXPECT_DOUBLE_EQ(result.variance, .012);
}

TEST(Delong, AgreesWithAllPairs) {
  for (const auto& it : fixture("delong")) {
    const auto labels = it.at("positive").get<std::vector<bool>>();
    const auto candidate = doubles(it.at("candidate"));
    const AucDifference result = delong_difference(candidate, doubles(it.at("baseline")), labels).value();
    EXPECT_SAME(result.candidate.auc, it.at("auc").at(0));
    EXPECT_SAME(result.baseline.auc, it.at("auc").at(1));
    EXPECT_SAME(result.candidate.variance, it.at("variance").at(0));
    EXPECT_SAME(result.baseline.variance, it.at("variance").at(1));
    EXPECT_SAME(result.covariance, it.at("covariance"));
    EXPECT_SAME(result.z, it.at("z"));
    EXPECT_SAME(result.p, it.at("p"));
    const Auc single = delong_auc(candidate, labels).value();
    EXPECT_EQ(single.auc, result.candidate.auc);
    EXPECT_EQ(single.variance, result.candidate.variance);
  }
}

TEST(Delong, ModelsThatRankAlikeDoNotDiffer) {
  std::vector<double> scaled;
  for (const double score : kA) scaled.push_back(std::exp(3 * score));
  for (const auto& other : {kA, scaled}) {
    const AucDifference result = delong_difference(kA, other, kLabels).value();
    EXPECT_EQ(result.difference, 0);
    EXPECT_EQ(result.variance, 0);
    EXPECT_EQ(result.z, 0);
    EXPECT_EQ(result.p, 1);
    const Interval interval = auc_difference_interval(result, .05);
    EXPECT_EQ(interval.low, 0);
    EXPECT_EQ(interval.high, 0);
  }
}

TEST(Delong, MirrorsWhenTheModelsAreSwapped) {
  const AucDifference one = delong_difference(kA, kB, kLabels).value();
  const AucDifference other = delong_difference(kB, kA, kLabels).value();
  EXPECT_EQ(one.z, -other.z);
  EXPECT_EQ(one.p, other.p);
}

TEST(Delong, AllScoresEqualIsAHalf) {
  const Auc auc = delong_auc(std::vector<double>(10, .5), kLabels).value();
  EXPECT_EQ(auc.auc, .5);
  EXPECT_EQ(auc.variance, 0);
}

TEST(Delong, DifferenceWithoutVarianceIsInfinitelyFarFromNone) {
  const std::vector<bool> labels{true, true, false, false};
  const std::vector<double> right{2, 2, 1, 1};
  const std::vector<double> wrong{1, 1, 2, 2};
  const AucDifference result = delong_difference(wrong, right, labels).value();
  EXPECT_EQ(result.difference, -1);
  EXPECT_EQ(result.z, -kInfinity);
  EXPECT_EQ(result.p, 0);
}

TEST(Delong, InfiniteScoresRank) {
  auto scores = kA;
  scores.front() = -kInfinity;
  scores.back() = kInfinity;
  EXPECT_DOUBLE_EQ(delong_auc(scores, kLabels).value().auc, .88);
}

TEST(Delong, IntervalsStayInsideTheirRange) {
  const Auc auc = delong_auc(kA, kLabels).value();
  const Interval interval = auc_interval(auc, .025);
  EXPECT_NEAR(interval.low, .88 - 1.959963984540054 * std::sqrt(.0128), 1e-15);
  EXPECT_EQ(interval.high, 1);
  const Interval difference = auc_difference_interval(delong_difference(kA, kB, kLabels).value(), .05);
  EXPECT_NEAR(difference.low, .1 - 1.6448536269514722 * std::sqrt(.012), 1e-15);
  EXPECT_NEAR(difference.high, .1 + 1.6448536269514722 * std::sqrt(.012), 1e-15);
}

TEST(Delong, ALargeSetAgreesWithItsOwnCopies) {
  // Every example 1000 times: the same shares, and (m - 1) / m closer to the variance over the population.
  std::vector<double> scores;
  std::vector<bool> labels;
  for (int copy = 0; copy < 1000; ++copy) {
    scores.insert(scores.end(), kA.begin(), kA.end());
    labels.insert(labels.end(), kLabels.begin(), kLabels.end());
  }
  const Auc auc = delong_auc(scores, labels).value();
  EXPECT_DOUBLE_EQ(auc.auc, .88);
  EXPECT_NEAR(auc.variance, .0128 * 4 / 4999, 1e-16);
}

TEST(Delong, RefusesWhatHasNoAuc) {
  auto scores = kA;
  scores[3] = kNan;
  EXPECT_EQ(delong_auc(scores, kLabels).error().code(), ErrorCode::invalid);
  EXPECT_EQ(delong_difference(kA, scores, kLabels).error().code(), ErrorCode::invalid);
  EXPECT_EQ(delong_difference(scores, kA, kLabels).error().code(), ErrorCode::invalid);
  EXPECT_EQ(delong_auc(kA, std::vector<bool>(10, true)).error().code(), ErrorCode::invalid);
  std::vector<bool> single(10, false);
  single[2] = true;
  EXPECT_EQ(delong_auc(kA, single).error().code(), ErrorCode::invalid);
  EXPECT_EQ(delong_auc({}, {}).error().code(), ErrorCode::invalid);
}

}  // namespace
}  // namespace pawl::gate
