#include "engine/rules/streaming.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pawl::rules {
namespace {

TEST(Ema, IsTheSampleWhenAllSamplesAreEqual) {
  Ema ema(0.98);
  EXPECT_TRUE(std::isnan(ema.value()));
  ema.add(3);
  EXPECT_DOUBLE_EQ(ema.value(), 3);  // no bias towards a start value
  for (int i = 0; i < 500; ++i) ema.add(3);
  EXPECT_DOUBLE_EQ(ema.value(), 3);
}

TEST(Ema, ForgetsAtTheRateOfItsDecay) {
  Ema ema(0.9);
  for (int i = 0; i < 1000; ++i) ema.add(1);
  for (int i = 0; i < 10; ++i) ema.add(0);
  EXPECT_NEAR(ema.value(), std::pow(0.9, 10), 1e-12);
}

TEST(Ema, HugeSamplesDoNotOverflow) {
  Ema ema(0.98);
  for (int i = 0; i < 1000; ++i) ema.add(1.7e308);
  EXPECT_TRUE(std::isfinite(ema.value()));
}

TEST(MedianWindow, ForgetsWhatIsOlderThanTheWindowButKeepsItsReference) {
  MedianWindow window(10);
  EXPECT_EQ(window.median(), 0);
  for (int i = 0; i < 9; ++i) window.add(5);
  EXPECT_EQ(window.reference(), 0);
  window.add(5);
  EXPECT_EQ(window.reference(), 5);
  for (int i = 0; i < 10; ++i) window.add(i);
  EXPECT_EQ(window.median(), 4);  // the lower of 4 and 5
  EXPECT_EQ(window.reference(), 5);
  EXPECT_EQ(window.seen(), 20u);
}

TEST(DurationQuantile, IsAtMostFivePercentTooLargeAndNeverTooSmall) {
  DurationQuantile times;
  EXPECT_EQ(times.quantile(0.99), 0);
  for (int i = 1; i <= 1000; ++i) times.add(i * 1e-3);
  for (double q : {0.01, 0.5, 0.9, 0.99, 1.0}) {
    EXPECT_GE(times.quantile(q), q * 0.9999);
    EXPECT_LE(times.quantile(q), q * 1.0501);
  }
}

TEST(DurationQuantile, TakesAnyDuration) {
  DurationQuantile times;
  for (double seconds : {0.0, 1e-12, 1e12}) times.add(seconds);
  EXPECT_EQ(times.count(), 3u);
  EXPECT_LE(times.quantile(0.5), 1e-6);
  EXPECT_GT(times.quantile(1), 900000);
}

TEST(LossTrend, BestIsCountedFromWhereTheAverageIsMature) {
  LossTrend trend(0.98);
  for (int i = 0; i < 10; ++i) trend.add(0.1);  // a lucky start
  EXPECT_DOUBLE_EQ(trend.start(), 0.1);
  for (int i = 0; i < 39; ++i) trend.add(2);
  EXPECT_FALSE(trend.has_best());
  trend.add(2);
  EXPECT_TRUE(trend.has_best());
  EXPECT_GT(trend.best(), 1);
}

}  // namespace
}  // namespace pawl::rules
