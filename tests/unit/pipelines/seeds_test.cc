#include "pipelines/seeds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Stage stage(std::string name, std::vector<std::string> needs = {}, std::vector<int64_t> seeds = {}) {
  Stage out;
  out.name = std::move(name);
  out.needs = std::move(needs);
  out.seeds = std::move(seeds);
  return out;
}

TEST(Seeds, NamesOfCopies) {
  EXPECT_EQ(seed_copy_name("train", 42), "train@42");
  EXPECT_EQ(seed_of("train@42"), 42);
  EXPECT_EQ(without_seed("train@42"), "train");
  EXPECT_EQ(seed_of("train"), std::nullopt);
  EXPECT_EQ(without_seed("train"), "train");
  EXPECT_EQ(seed_of("train@baseline"), std::nullopt);
  EXPECT_EQ(without_seed("train@baseline"), "train@baseline");
}

TEST(Seeds, WhatNeedsAStageWithSeedsIsCopiedWithIt) {
  Stage evaluate = stage("evaluate", {"train", "build"});
  evaluate.evaluates = "train";
  const auto plan =
      copy_for_seeds({stage("build"), stage("train", {"build"}, {3, 7}), evaluate, stage("lint")});
  std::vector<std::string> names;
  for (const Stage& s : plan) names.push_back(s.name);
  EXPECT_THAT(names, ElementsAre("build", "train@3", "train@7", "evaluate@3", "evaluate@7", "lint"));
  EXPECT_THAT(plan[1].needs, ElementsAre("build"));
  EXPECT_THAT(plan[4].needs, ElementsAre("train@7", "build"));
  EXPECT_EQ(plan[4].evaluates, "train@7");
  EXPECT_EQ(plan[4].seed, 7);
  EXPECT_THAT(plan[4].seeds, IsEmpty());
  EXPECT_EQ(plan[0].seed, std::nullopt);
}

TEST(Seeds, AChainHasOneSetOfSeeds) {
  const auto conflicts = [](const std::vector<Stage>& stages) {
    std::vector<std::string> out;
    for (const StageSeeds& seeds : seeds_of_stages(stages)) {
      if (seeds.conflict) out.push_back(seeds.stage);
    }
    return out;
  };
  EXPECT_THAT(conflicts({stage("b", {"a"}, {1, 2}), stage("a", {}, {1, 2})}), IsEmpty());
  EXPECT_THAT(conflicts({stage("b", {"a"}, {1, 3}), stage("a", {}, {1, 2})}), ElementsAre("b"));
  EXPECT_THAT(conflicts({stage("a", {}, {1, 2}), stage("b", {}, {1, 3}), stage("c", {"a", "b"})}),
              ElementsAre("c"));
}

}  // namespace
}  // namespace pawl::pipeline
