// Oracle: all 7^7 resamples of the 7 differences of a published permutation test, through the same code as
// any other replicates.
#include "engine/gate/bootstrap_interval.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace pawl::gate {
namespace {

constexpr double kA[] = {3.67, 1.72, 3.46, 2.60, 2.03, 2.10, 3.01};
constexpr double kB[] = {2.11, 1.79, 2.71, 1.89, 1.69, 1.71, 2.01};
constexpr std::size_t kN = 7;
constexpr double kAlpha = 0.025;

std::vector<double> differences() {
  std::vector<double> out;
  for (std::size_t i = 0; i < kN; ++i) out.push_back(kA[i] - kB[i]);
  return out;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<double> every_resample() {
  const std::vector<double> values = differences();
  std::vector<double> means;
  for (int code = 0; code < 823'543; ++code) {
    double sum = 0;
    for (int rest = code, digit = 0; digit < 7; ++digit, rest /= 7)
      sum += values[static_cast<std::size_t>(rest % 7)];
    means.push_back(sum / kN);
  }
  std::sort(means.begin(), means.end());
  return means;
}

std::vector<double> jackknife() {
  std::vector<double> out;
  for (std::size_t left_out = 0; left_out < kN; ++left_out) {
    std::vector<double> values = differences();
    values.erase(values.begin() + static_cast<std::ptrdiff_t>(left_out));
    out.push_back(mean_of(values));
  }
  return out;
}

TEST(BootstrapInterval, AgreesWithFullEnumeration) {
  const std::vector<double> replicates = every_resample();
  const double estimate = mean_of(differences());
  EXPECT_NEAR(estimate, .6685714, 5e-8);
  EXPECT_NEAR(bootstrap_standard_error(replicates), .1831630, 5e-8);

  const Interval percentile = percentile_interval(replicates, kAlpha);
  EXPECT_NEAR(percentile.low, .325714, 5e-7);
  EXPECT_NEAR(percentile.high, 1.037143, 5e-7);

  const double acceleration = jackknife_acceleration(jackknife());
  EXPECT_NEAR(acceleration, .0225692, 5e-8);
  EXPECT_NEAR(bias_correction(replicates, estimate), .0185784, 5e-8);
  const auto bca = bca_interval(replicates, estimate, acceleration, kAlpha);
  ASSERT_TRUE(bca);
  EXPECT_NEAR(bca->low, .341429, 5e-7);
  EXPECT_NEAR(bca->high, 1.068571, 5e-7);
}

TEST(BootstrapInterval, QuantilesAreReplicates) {
  std::vector<double> replicates(2000);
  std::iota(replicates.begin(), replicates.end(), 1);
  const Interval interval = percentile_interval(replicates, 0.05);
  EXPECT_EQ(interval.low, 100);
  EXPECT_EQ(interval.high, 1900);
}

TEST(BootstrapInterval, BcaIsThePercentileIntervalWithoutBiasAndSkew) {
  std::vector<double> replicates(2001);
  std::iota(replicates.begin(), replicates.end(), -1000);
  const auto bca = bca_interval(replicates, 0, 0, 0.05);
  ASSERT_TRUE(bca);
  const Interval percentile = percentile_interval(replicates, 0.05);
  EXPECT_EQ(bca->low, percentile.low);
  EXPECT_EQ(bca->high, percentile.high);
}

TEST(BootstrapInterval, TiesCountHalf) {
  EXPECT_EQ(bias_correction(std::vector<double>{1, 2, 2, 3}, 2), 0);
  EXPECT_NEAR(bias_correction(std::vector<double>{2, 2, 2, 3}, 2), -.3186394, 5e-8);  // 3/8
  EXPECT_EQ(bias_correction(std::vector<double>{1, .1 + .2, .3, -1}, .3), 0);  // equal but for rounding
}

TEST(BootstrapInterval, EqualReplicatesAreAPoint) {
  const std::vector<double> zeros(100);
  EXPECT_EQ(bias_correction(zeros, 0), 0);
  EXPECT_EQ(jackknife_acceleration(zeros), 0);
  EXPECT_EQ(bootstrap_standard_error(zeros), 0);
  const auto bca = bca_interval(zeros, 0, 0, 0.05);
  ASSERT_TRUE(bca);
  EXPECT_EQ(bca->low, 0);
  EXPECT_EQ(bca->high, 0);
}

TEST(BootstrapInterval, BcaMayBeUndefined) {
  const std::vector<double> replicates{1, 2, 3, 4};
  EXPECT_FALSE(bca_interval(replicates, 0.5, 0, 0.05));
  EXPECT_FALSE(bca_interval(replicates, 5, 0, 0.05));
  EXPECT_FALSE(bca_interval(replicates, 2.5, 0.7, 0.05));
  EXPECT_EQ(bias_correction(replicates, 0.5), -std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace pawl::gate
