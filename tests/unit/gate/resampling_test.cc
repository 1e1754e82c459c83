#include "engine/gate/resampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

namespace pawl::gate {
namespace {

using Keys = std::vector<std::uint64_t>;
using Codes = std::vector<std::uint32_t>;
using Weights = std::vector<LaneWeights>;

Keys first_keys(std::size_t n) {
  Keys keys(n);
  std::iota(keys.begin(), keys.end(), 0);
  return keys;
}

Resampling resampling(Keys keys, const Codes& classes = {}) {
  auto out = Resampling::create(std::move(keys), classes);
  EXPECT_TRUE(out.ok());
  return std::move(out).value();
}

Weights drawn(const Resampling& of, std::uint64_t seed, std::uint32_t block) {
  Weights out(of.size());
  of.draw(seed, block, out);
  return out;
}

bool same(const LaneWeights& a, const LaneWeights& b) {
  return std::equal(std::begin(a.of), std::end(a.of), std::begin(b.of));
}

TEST(Resampling, WeightsArePoisson) {
  constexpr std::size_t kExamples = 20'000;
  constexpr std::uint32_t kBlocks = 10;
  std::vector<double> seen(32);
  const Resampling all = resampling(first_keys(kExamples));
  for (std::uint32_t block = 0; block < kBlocks; ++block) {
    for (const LaneWeights& weights : drawn(all, 1, block)) {
      for (const std::uint8_t weight : weights.of) ++seen.at(weight);
    }
  }
  const double draws = kExamples * kBlocks * static_cast<double>(kLanes);
  double expected = draws * std::exp(-1.0);
  for (int k = 0; k <= 6; ++k) {
    EXPECT_NEAR(seen[static_cast<std::size_t>(k)], expected, 4.5 * std::sqrt(expected)) << k;
    expected /= k + 1;
  }
  EXPECT_EQ(std::accumulate(seen.begin() + 9, seen.end(), 0.0), 0);
}

TEST(Resampling, ReplicatesAndExamplesAreUncorrelated) {
  constexpr std::size_t kExamples = 50'000;
  const Weights weights = drawn(resampling(first_keys(kExamples)), 1, 0);
  const auto correlation = [&](std::size_t lane, std::size_t other_lane, std::size_t shift) {
    double sum = 0;
    for (std::size_t i = shift; i < kExamples; ++i) {
      sum += (weights[i].of[lane] - 1.0) * (weights[i - shift].of[other_lane] - 1.0);
    }
    return sum / kExamples;
  };
  const double bound = 4.5 / std::sqrt(kExamples);
  for (std::size_t lane = 1; lane < kLanes; ++lane) EXPECT_NEAR(correlation(0, lane, 0), 0, bound) << lane;
  EXPECT_NEAR(correlation(3, 3, 1), 0, bound);
  EXPECT_NEAR(correlation(3, 3, 0), 1, 0.05);
}

TEST(Resampling, IsAFunctionOfSeedKeyAndReplicate) {
  const Weights all = drawn(resampling(first_keys(100)), 7, 3);
  const Weights one = drawn(resampling({42}), 7, 3);
  EXPECT_TRUE(same(one[0], all[42]));
  EXPECT_FALSE(same(drawn(resampling({42}), 8, 3)[0], all[42]));
  EXPECT_FALSE(same(drawn(resampling({42}), 7, 4)[0], all[42]));
  EXPECT_FALSE(same(drawn(resampling({42 + (1ull << 32)}), 7, 3)[0], all[42]));
}

// The numbers are part of a verdict that a later version must be able to repeat.
TEST(Resampling, DoesNotChange) {
  const LaneWeights weights = drawn(resampling({example_key("example-1")}), 1, 0)[0];
  EXPECT_EQ(std::vector<int>(std::begin(weights.of), std::end(weights.of)),
            (std::vector<int>{2, 2, 0, 0, 0, 1, 4, 0, 1, 2, 0, 1, 1, 1, 3, 0}));
}

TEST(Resampling, KeyOfAnIdIsFnv1a) {
  EXPECT_EQ(example_key(""), 0xcbf29ce484222325u);
  EXPECT_EQ(example_key("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(example_key("foobar"), 0x85944171f73967e8u);
}

TEST(Resampling, ClassesKeepTheirSizesWhenOneIsSmall) {
  Codes classes(500, 4);
  for (std::size_t i = 0; i < 9; ++i) classes[10 * i] = 2;
  classes[1] = 0;
  const Resampling small = resampling(first_keys(500), classes);
  ASSERT_TRUE(small.stratified());
  for (std::uint32_t block = 0; block < 20; ++block) {
    const Weights weights = drawn(small, 1, block);
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      std::size_t totals[5] = {};
      for (std::size_t i = 0; i < weights.size(); ++i) totals[classes[i]] += weights[i].of[lane];
      EXPECT_EQ(totals[0], 1u);
      EXPECT_EQ(totals[2], 9u);
      EXPECT_EQ(totals[4], 490u);
    }
  }
}

TEST(Resampling, WithinAClassItIsDrawingWithReplacement) {
  // Of 4 draws from 4 examples one of them gets k with probability C(4, k) 3^(4 - k) / 4^4.
  constexpr double kExpected[] = {81 / 256., 108 / 256., 54 / 256., 12 / 256., 1 / 256.};
  constexpr std::uint32_t kBlocks = 2500;
  const Resampling four = resampling(first_keys(4), {0, 0, 0, 0});
  for (std::size_t example = 0; example < 4; ++example) {
    double seen[5] = {};
    for (std::uint32_t block = 0; block < kBlocks; ++block) {
      const Weights weights = drawn(four, 1, block);
      for (const std::uint8_t weight : weights[example].of) ++seen[weight];
    }
    const double draws = kBlocks * kLanes;
    for (int k = 0; k <= 4; ++k) {
      EXPECT_NEAR(seen[k], draws * kExpected[k], 4.5 * std::sqrt(draws * kExpected[k]))
          << example << ' ' << k;
    }
  }
}

TEST(Resampling, ConditionedWeightsDoNotDependOnTheOrderOfTheExamples) {
  Codes classes{0, 1, 0, 1, 1, 0, 0, 2};
  Keys keys{5, 3, 9, 1, 7, 2, 8, 4};
  const Weights forward = drawn(resampling(keys, classes), 1, 0);
  std::reverse(classes.begin(), classes.end());
  std::reverse(keys.begin(), keys.end());
  const Weights backward = drawn(resampling(keys, classes), 1, 0);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_TRUE(same(forward[i], backward[7 - i])) << i;
}

TEST(Resampling, IsNotStratifiedWhenNoClassIsSmall) {
  Codes classes(20);
  for (std::size_t i = 0; i < 10; ++i) classes[i] = 1;
  EXPECT_FALSE(resampling(first_keys(20), classes).stratified());
  EXPECT_FALSE(resampling(first_keys(5)).stratified());
  classes[0] = 0;
  EXPECT_TRUE(resampling(first_keys(20), classes).stratified());
}

std::vector<std::size_t> groups_of(const Resampling& of) {
  std::vector<std::size_t> out(of.size(), 9999);
  for (std::size_t block = 0; block * kLanes < of.jackknife_groups(); ++block) {
    Weights weights(of.size());
    of.leave_out(block, weights);
    for (std::size_t i = 0; i < of.size(); ++i) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        if (weights[i].of[lane] == 1) continue;
        EXPECT_EQ(weights[i].of[lane], 0);
        EXPECT_EQ(out[i], 9999u) << "left out twice";
        out[i] = block * kLanes + lane;
      }
    }
  }
  return out;
}

TEST(Jackknife, LeavesOutEachOfAFewExamples) {
  const std::vector<std::size_t> groups = groups_of(resampling(first_keys(37)));
  EXPECT_EQ(std::set<std::size_t>(groups.begin(), groups.end()).size(), 37u);
  EXPECT_EQ(*std::max_element(groups.begin(), groups.end()), 36u);
}

TEST(Jackknife, DealsManyExamplesToEvenGroups) {
  Codes classes(5001);
  for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = i % 10 == 0;
  const std::vector<std::size_t> groups = groups_of(resampling(first_keys(5001), classes));
  std::vector<int> sizes(Resampling::kJackknifeGroups);
  std::vector<int> ones(Resampling::kJackknifeGroups);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    ++sizes.at(groups[i]);
    ones.at(groups[i]) += static_cast<int>(classes[i]);
  }
  EXPECT_GE(*std::min_element(sizes.begin(), sizes.end()), 25);
  EXPECT_LE(*std::max_element(sizes.begin(), sizes.end()), 26);
  EXPECT_GE(*std::min_element(ones.begin(), ones.end()), 2);
  EXPECT_LE(*std::max_element(ones.begin(), ones.end()), 3);
}

TEST(Resampling, RefusesNoExamples) {
  EXPECT_EQ(Resampling::create({}, {}).error().code(), ErrorCode::invalid);
}

}  // namespace
}  // namespace pawl::gate
