#include "engine/supervise/progress.h"

#include <gtest/gtest.h>

namespace pawl::supervise {
namespace {

TEST(Progress, KnowsNothingAtFirst) {
  Progress progress(100);
  EXPECT_FALSE(progress.last_step());
  EXPECT_FALSE(progress.steps_per_s(0));
  EXPECT_FALSE(progress.eta_s(0));
  EXPECT_FALSE(progress.mean_steps_per_s());
}

TEST(Progress, RateAndTimeLeft) {
  Progress progress(100);
  for (uint64_t step = 0; step < 50; ++step) progress.on_step(step, static_cast<int64_t>(step) * 100);
  EXPECT_EQ(progress.steps(), 50u);
  EXPECT_EQ(progress.last_step(), 49u);
  EXPECT_DOUBLE_EQ(*progress.steps_per_s(4950), 10.0);
  EXPECT_DOUBLE_EQ(*progress.mean_steps_per_s(), 10.0);
  EXPECT_DOUBLE_EQ(*progress.eta_s(4950), 5.0);
}

TEST(Progress, FollowsAChangeOfPace) {
  Progress progress(std::nullopt);
  int64_t now_ms = 0;
  for (uint64_t step = 0; step < 100; ++step) progress.on_step(step, now_ms += 100);
  for (uint64_t step = 100; step < 120; ++step) progress.on_step(step, now_ms += 1000);
  EXPECT_NEAR(*progress.steps_per_s(now_ms), 1.0, 0.01);
  EXPECT_FALSE(progress.eta_s(now_ms));  // the total is not known
}

TEST(Progress, ASilenceSlowsTheRateDown) {
  Progress progress(1000);
  for (uint64_t step = 0; step < 100; ++step) progress.on_step(step, static_cast<int64_t>(step) * 100);
  EXPECT_NEAR(*progress.steps_per_s(15'000), 10.0, 0.01);
  EXPECT_LT(*progress.steps_per_s(110'000), 1.0);
}

TEST(Progress, AResumedAttemptCountsItsOwnSteps) {
  Progress progress(500);
  for (uint64_t step = 400; step < 450; ++step) progress.on_step(step, static_cast<int64_t>(step) * 100);
  EXPECT_EQ(progress.steps(), 50u);
  EXPECT_DOUBLE_EQ(*progress.eta_s(44'900), 5.0);
}

TEST(Progress, NothingIsLeftBehindTheEnd) {
  Progress progress(10);
  for (uint64_t step = 0; step < 20; ++step) progress.on_step(step, static_cast<int64_t>(step) * 100);
  EXPECT_DOUBLE_EQ(*progress.eta_s(1900), 0.0);
}

}  // namespace
}  // namespace pawl::supervise
