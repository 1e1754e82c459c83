// Oracles: the tests of mlxtend, SciPy's permutation_test, all patterns counted by numpy, and Wilcoxon's
// signed rank test, which flips the signs of ranks: of R, on the depression data of Hollander & Wolfe, and of
// SciPy.
#include "engine/gate/permutation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/unit/gate/numbers.h"

namespace pawl::gate {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::uint64_t kSeed = 7;

const std::vector<double> kMlxtend{1.56, -.07, .75, .71, .34, .39, 1.00};

// Twenty-five values, too many to look at all patterns: tenths around `center`.
std::vector<double> many(double center) {
  std::vector<double> values;
  for (int i = 0; i < 25; ++i) values.push_back(center + (i * 7 % 25 - 12) / 10.0);
  return values;
}

TEST(SignFlip, AgreesWithMlxtend) {
  EXPECT_EQ(sign_flip_p_two_sided(kMlxtend, kSeed), 4.0 / 128);
}

// The ranks of the absolute values, equal ones sharing the mean of theirs, with the signs of the values.
// Zeros are left out.
std::vector<double> signed_ranks(std::vector<double> values) {
  std::erase(values, 0.0);
  std::vector<double> ranks;
  for (const double value : values) {
    double rank = 0.5;
    for (const double other : values) {
      rank += std::abs(other) < std::abs(value) ? 1 : std::abs(other) == std::abs(value) ? 0.5 : 0;
    }
    ranks.push_back(std::copysign(rank, value));
  }
  return ranks;
}

double sum_of_positive(const std::vector<double>& ranks) {
  double sum = 0;
  for (const double rank : ranks) sum += std::max(rank, 0.0);
  return sum;
}

double sign_flip_p_above(std::vector<double> values) {
  for (double& value : values) value = -value;
  return sign_flip_p_below(values, 0, kSeed);
}

TEST(SignFlip, OfRanksIsWilcoxonsTestOfR) {
  const double before[] = {1.83, .50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};
  const double after[] = {.878, .647, .598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};
  std::vector<double> differences;
  for (std::size_t i = 0; i < 9; ++i) differences.push_back(before[i] - after[i]);
  const std::vector<double> ranks = signed_ranks(differences);
  EXPECT_EQ(sum_of_positive(ranks), 40);
  EXPECT_DOUBLE_EQ(sign_flip_p_above(ranks), .01953125);
  EXPECT_DOUBLE_EQ(sign_flip_p_two_sided(ranks, kSeed), .0390625);
}

TEST(SignFlip, OfRanksIsWilcoxonsTestOfSciPy) {
  for (const auto& it : fixture("wilcoxon")) {
    const std::vector<double> ranks = signed_ranks(doubles(it.at("values")));
    EXPECT_EQ(ranks.size(), it.at("n").get<std::size_t>());
    EXPECT_EQ(sum_of_positive(ranks), it.at("v").get<double>());
    // More than 20 values are flipped at random: five standard errors.
    const double slack = ranks.size() > 20 ? 5 * 0.5 / std::sqrt(double{kRandomReplicates}) : 1e-12;
    EXPECT_NEAR(sign_flip_p_above(ranks), it.at("greater").get<double>(), slack);
    EXPECT_NEAR(sign_flip_p_below(ranks, 0, kSeed), it.at("less").get<double>(), slack);
  }
}

TEST(SignFlip, AgreesWithAllPatterns) {
  for (const auto& it : fixture("sign_flip")) {
    const auto values = doubles(it.at("values"));
    EXPECT_SAME(sign_flip_p_two_sided(values, kSeed), it.at("p_two_sided"));
    EXPECT_SAME(sign_flip_p_below(values, it.at("center"), kSeed), it.at("p_below"));
    const Interval interval = sign_flip_interval(values, it.at("alpha"), kSeed);
    if (it.at("low").is_null()) {
      EXPECT_EQ(interval.low, -kInfinity);
      EXPECT_EQ(interval.high, kInfinity);
    } else {
      EXPECT_NEAR(interval.low, it.at("low").get<double>(), 1e-9);
      EXPECT_NEAR(interval.high, it.at("high").get<double>(), 1e-9);
    }
  }
}

TEST(SignFlip, IntervalIsWhatTheTestsDoNotRefute) {
  for (const auto& values : {kMlxtend, many(.3), std::vector<double>{1, 2, 3, 4, 5}}) {
    const Interval interval = sign_flip_interval(values, .05, kSeed);
    EXPECT_GT(sign_flip_p_below(values, interval.high - 1e-6, kSeed), .05);
    EXPECT_LE(sign_flip_p_below(values, interval.high + 1e-6, kSeed), .05);
    std::vector<double> mirrored;
    for (const double value : values) mirrored.push_back(-value);
    EXPECT_GT(sign_flip_p_below(mirrored, -interval.low - 1e-6, kSeed), .05);
    EXPECT_LE(sign_flip_p_below(mirrored, -interval.low + 1e-6, kSeed), .05);
  }
}

TEST(SignFlip, SmallestSampleThatShowsAnything) {
  EXPECT_EQ(sign_flip_interval(std::vector<double>{1, 2, 3, 4}, .05, kSeed).low, -kInfinity);
  const Interval five = sign_flip_interval(std::vector<double>{1, 2, 3, 4, 5}, .05, kSeed);
  EXPECT_EQ(five.low, 1);
  EXPECT_EQ(five.high, 5);
}

TEST(SignFlip, ZerosAreNoEvidence) {
  EXPECT_EQ(sign_flip_p_two_sided(std::vector<double>(8, 0.0), kSeed), 1);
  EXPECT_EQ(sign_flip_p_below(std::vector<double>(8, 0.0), 0, kSeed), 1);
  EXPECT_EQ(sign_flip_p_below(std::vector<double>{.1, .2, -.3}, 0, kSeed),
            sign_flip_p_below(std::vector<double>{1, 2, -3}, 0, kSeed));  // .1 + .2 - .3 is not 0 in binary
}

TEST(SignFlip, RandomPatternsAreThoseOfTheSeed) {
  const auto values = many(.25);
  EXPECT_EQ(sign_flip_p_two_sided(values, 1), sign_flip_p_two_sided(values, 1));
  EXPECT_NE(sign_flip_p_two_sided(values, 1), sign_flip_p_two_sided(values, 2));
  EXPECT_EQ(sign_flip_p_two_sided(kMlxtend, 1), sign_flip_p_two_sided(kMlxtend, 2));
}

TEST(SignFlip, RandomPatternsComeNearTheNormalApproximation) {
  // z = mean * n / sqrt(sum of squares): two-sided p = 0.101; five standard errors of 10,000 patterns.
  const auto values = many(.25);
  double sum = 0, squares = 0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
  }
  const double expected = std::erfc(sum / std::sqrt(2 * squares));
  EXPECT_NEAR(sign_flip_p_two_sided(values, kSeed), expected, 5 * std::sqrt(expected / 1e4));
}

TEST(SignFlip, RandomPIsNeverZero) {
  EXPECT_EQ(sign_flip_p_below(std::vector<double>(200, -1.0), 0, kSeed), 1.0 / 10'001);
}

TEST(MeanPermutation, AgreesWithMlxtend) {
  const std::vector<double> treatment{689, 656, 668, 660, 679, 663, 664, 647};
  const std::vector<double> control{657, 623, 652, 654, 658, 660, 670, 620};
  const PermutationP p = mean_permutation(treatment, control, kSeed);
  EXPECT_EQ(p.greater, 387.0 / 12870);
  EXPECT_DIGITS(p.two_sided, .0601399, 6);
  EXPECT_DIGITS(mean_permutation(control, treatment, kSeed).greater, .973, 3);
}

TEST(MeanPermutation, AgreesWithAllDivisions) {
  for (const auto& it : fixture("mean_permutation")) {
    const PermutationP p = mean_permutation(doubles(it.at("a")), doubles(it.at("b")), kSeed);
    EXPECT_SAME(p.greater, it.at("greater"));
    EXPECT_SAME(p.two_sided, it.at("two_sided"));
  }
}

TEST(MeanPermutation, RandomDivisions) {
  auto a = many(.4);
  const auto b = many(0);
  const PermutationP p = mean_permutation(a, b, kSeed);
  // 300,000 divisions drawn by numpy; five standard errors of 10,000.
  EXPECT_NEAR(p.two_sided, .0633, 5 * std::sqrt(.0633 / 1e4));
  EXPECT_NEAR(p.greater, .0315, 5 * std::sqrt(.0315 / 1e4));
  EXPECT_EQ(mean_permutation(a, b, kSeed).greater, p.greater);
  EXPECT_NE(mean_permutation(a, b, kSeed + 1).greater, p.greater);
  for (double& value : a) value += 100;
  EXPECT_EQ(mean_permutation(a, b, kSeed).greater, 1.0 / 10'001);
}

}  // namespace
}  // namespace pawl::gate
