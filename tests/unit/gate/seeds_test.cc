// Oracles: Bouthillier et al. 2021 and Noether 1987 from their formulas, all resamples by numpy.
#include "engine/gate/seeds.h"

#include <limits>

#include "tests/unit/gate/numbers.h"

namespace pawl::gate {
namespace {

constexpr std::uint64_t kSeed = 7;

std::vector<double> alternating(std::size_t n, double even, double odd) {
  std::vector<double> values;
  for (std::size_t i = 0; i < n; ++i) values.push_back(i % 2 == 0 ? even : odd);
  return values;
}

TEST(Outperformance, PairedAgreesWithAllResamples) {
  for (const auto& it : fixture("paired_seeds")) {
    const auto result =
        paired_outperformance(doubles(it.at("a")), doubles(it.at("b")), it.at("alpha"), kSeed).value();
    EXPECT_SAME(result.probability, it.at("p"));
    expect_same_interval(result.interval, it.at("interval"));
  }
}

TEST(Outperformance, UnpairedAgreesWithAllResamples) {
  for (const auto& it : fixture("unpaired_seeds")) {
    const auto result =
        unpaired_outperformance(doubles(it.at("a")), doubles(it.at("b")), it.at("alpha"), kSeed).value();
    EXPECT_SAME(result.probability, it.at("p"));
    expect_same_interval(result.interval, it.at("interval"));
  }
}

TEST(Outperformance, PairsByPositionAndTiesCountHalf) {
  const std::vector<double> a{1, 2, 3, 4}, b{0, 2, 4, 3};
  EXPECT_EQ(paired_outperformance(a, b, .05, kSeed).value().probability, .625);
  EXPECT_EQ(unpaired_outperformance(a, b, .05, kSeed).value().probability, 8.5 / 16);
}

TEST(Outperformance, ManyRunsAreResampledAtRandom) {
  // 20 wins and 10 losses: the resampled share has mean 2/3 and standard deviation 0.0861.
  std::vector<double> a;
  for (int i = 0; i < 30; ++i) a.push_back(i % 3 == 0 ? -1 : 1);
  const auto result = paired_outperformance(a, std::vector<double>(30, 0.0), .05, kSeed).value();
  EXPECT_DOUBLE_EQ(result.probability, 2.0 / 3);
  EXPECT_NEAR(result.interval.low, 2.0 / 3 - 1.645 * .0861, 1.0 / 30);
  EXPECT_NEAR(result.interval.high, 2.0 / 3 + 1.645 * .0861, 1.0 / 30);
}

TEST(Outperformance, ManyUnpairedRunsAreResampledAtRandom) {
  // P = 3/4 whatever is drawn from B, whose runs are alike: the share of the better runs of A.
  const auto a = alternating(20, 1, 0);
  const auto result = unpaired_outperformance(a, std::vector<double>(20, 0.0), .05, kSeed).value();
  EXPECT_EQ(result.probability, .75);
  EXPECT_NEAR(result.interval.low, .75 - 1.645 * .25 / std::sqrt(20.0), .025);
  EXPECT_NEAR(result.interval.high, .75 + 1.645 * .25 / std::sqrt(20.0), .025);
}

TEST(Outperformance, RefusesTooFewRunsAndNoNumbers) {
  const std::vector<double> two{1, 2}, three{1, 2, 3};
  const std::vector<double> bad{1, 2, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_EQ(paired_outperformance(two, two, .05, kSeed).error().code(), ErrorCode::invalid);
  EXPECT_EQ(unpaired_outperformance(three, two, .05, kSeed).error().code(), ErrorCode::invalid);
  EXPECT_EQ(unpaired_outperformance(three, bad, .05, kSeed).error().code(), ErrorCode::invalid);
  EXPECT_EQ(paired_outperformance(bad, three, .05, kSeed).error().code(), ErrorCode::invalid);
  EXPECT_EQ(bootstrap_mean_interval(bad, .05, kSeed).error().code(), ErrorCode::invalid);
}

TEST(Bootstrap, MeanOfSevenDifferencesByFullEnumeration) {
  const std::vector<double> differences{1.56, -.07, .75, .71, .34, .39, 1.00};
  const Interval interval = bootstrap_mean_interval(differences, .025, kSeed).value();
  EXPECT_DIGITS(interval.low, .325714, 6);
  EXPECT_DIGITS(interval.high, 1.037143, 7);
}

TEST(Bootstrap, RandomResamplesAreThoseOfTheSeed) {
  std::vector<double> values;
  for (int i = 0; i < 12; ++i) values.push_back(std::sqrt(static_cast<double>(i)));
  const Interval one = bootstrap_mean_interval(values, .05, 1).value();
  EXPECT_EQ(one.low, bootstrap_mean_interval(values, .05, 1).value().low);
  EXPECT_NE(one.low, bootstrap_mean_interval(values, .05, 2).value().low);
}

TEST(SeedEvidence, FollowsTheInterval) {
  EXPECT_EQ(weigh({.5, .9}), SeedEvidence::not_significant);
  EXPECT_EQ(weigh({.1, .4}), SeedEvidence::not_significant);
  EXPECT_EQ(weigh({.51, .75}), SeedEvidence::not_meaningful);
  EXPECT_EQ(weigh({.51, .76}), SeedEvidence::meaningful);
  EXPECT_EQ(weigh({.51, .76}, .8), SeedEvidence::not_meaningful);
}

TEST(SeedsNeeded, AgreesWithNoether) {
  EXPECT_EQ(seeds_needed(.75, .05, .95), 29);
  EXPECT_EQ(seeds_needed(.75, .05, .8), 17);
  EXPECT_EQ(seeds_needed(.7, .05, .95), 46);  // 45.1
  EXPECT_EQ(seeds_needed(.9, .05, .95), 12);  // 11.3
  for (const auto& it : fixture("seeds_needed")) {
    EXPECT_EQ(seeds_needed(it.at("gamma"), it.at("alpha"), it.at("power")), it.at("n").get<std::int64_t>());
  }
}

}  // namespace
}  // namespace pawl::gate
