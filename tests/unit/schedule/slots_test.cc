#include "engine/schedule/slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::schedule {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Demand cpus(int count) {
  return {.ranks = 1, .cpus = count};
}
Demand gpus(int ranks, int each) {
  return {.ranks = ranks, .cpus = 1, .gpus_per_rank = each};
}
Machine machine(int cpu_count, std::vector<std::string> gpu_ids = {}) {
  return {cpu_count, std::move(gpu_ids), "2: Test GPU"};
}

TEST(Slots, AllOfAStageOrNothing) {
  Slots slots(machine(4));
  auto first = slots.try_take(cpus(3));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->cpus, 3);
  EXPECT_FALSE(slots.try_take(cpus(2)));
  EXPECT_EQ(slots.free_cpus(), 1);
  EXPECT_TRUE(slots.try_take(cpus(1)));
  EXPECT_EQ(slots.free_cpus(), 0);
}

TEST(Slots, WhatIsGivenBackCanBeTakenAgain) {
  Slots slots(machine(2, {"GPU-a", "GPU-b"}));
  auto grant = slots.try_take({.ranks = 2, .cpus = 2, .gpus_per_rank = 1});
  ASSERT_TRUE(grant);
  EXPECT_FALSE(slots.try_take(gpus(1, 1)));
  slots.give_back(*grant);
  EXPECT_EQ(slots.free_cpus(), 2);
  EXPECT_EQ(slots.try_take({.ranks = 2, .cpus = 2, .gpus_per_rank = 1})->gpus, grant->gpus);
}

TEST(Slots, MoreCpusThanThereAreIsTheWholeMachine) {
  Slots slots(machine(2));
  EXPECT_TRUE(slots.check(cpus(16)).ok());
  auto grant = slots.try_take(cpus(16));
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->cpus, 2);
  slots.give_back(*grant);
  EXPECT_EQ(slots.try_take(cpus(0))->cpus, 1);
}

TEST(Slots, EveryRankGetsItsOwnGpus) {
  Slots slots(machine(8, {"GPU-a", "GPU-b", "GPU-c", "GPU-d"}));
  auto grant = slots.try_take(gpus(2, 2));
  ASSERT_TRUE(grant);
  EXPECT_THAT(grant->gpus, ElementsAre(ElementsAre("GPU-a", "GPU-b"), ElementsAre("GPU-c", "GPU-d")));
  EXPECT_EQ(slots.why_waiting(gpus(1, 1)), "needs 1 GPU, 0 of 4 free");
}

TEST(Slots, AutoSharesWhatThereIsAndTakesNoneWhenThatIsTooLittle) {
  Demand both{.ranks = 2, .cpus = 1, .gpus_auto = true};
  Slots three(machine(8, {"GPU-a", "GPU-b", "GPU-c"}));
  EXPECT_THAT(three.try_take(both)->gpus, ElementsAre(ElementsAre("GPU-a"), ElementsAre("GPU-b")));
  Slots one(machine(8, {"GPU-a"}));
  EXPECT_TRUE(one.check(both).ok());
  EXPECT_THAT(one.try_take(both)->gpus, IsEmpty());
  Slots none(machine(8));
  EXPECT_TRUE(none.check(both).ok());
  EXPECT_THAT(none.try_take(both)->gpus, IsEmpty());
}

TEST(Slots, AutoWaitsForGpusThatAreHeld) {
  Slots slots(machine(8, {"GPU-a", "GPU-b"}));
  auto held = slots.try_take(gpus(1, 1));
  Demand both{.ranks = 2, .cpus = 1, .gpus_auto = true};
  EXPECT_FALSE(slots.try_take(both));
  EXPECT_EQ(slots.free_cpus(), 7);  // what could not be had in full was not taken in part
  slots.give_back(*held);
  EXPECT_TRUE(slots.try_take(both));
}

TEST(Slots, WhatTheMachineHasNotIsAnErrorThatSaysWhatItHas) {
  Slots slots(machine(2, {"GPU-a", "GPU-b"}));
  EXPECT_TRUE(slots.check(gpus(2, 1)).ok());
  auto refused = slots.check(gpus(3, 1));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::usage);
  EXPECT_EQ(refused.error().message(),
            "asks for 1 GPU for each of 3 ranks (3 in all); this machine has 2: Test GPU");
}

TEST(Slots, SlotsOfWhatRunsAlreadyAreHeldAfterARestart) {
  Slots slots(machine(2, {"GPU-a", "GPU-b"}));
  slots.take({2, {{"GPU-b"}}});
  EXPECT_EQ(slots.why_waiting(cpus(1)), "needs 1 CPU slot, 0 of 2 free");
  slots.give_back({2, {{"GPU-b"}}});
  EXPECT_EQ(slots.why_waiting(cpus(1)), "");
  slots.take({3, {}});  // more than the machine has now: it was larger when they were granted
  EXPECT_EQ(slots.why_waiting(cpus(1)), "needs 1 CPU slot, 0 of 2 free");
}

}  // namespace
}  // namespace pawl::schedule
