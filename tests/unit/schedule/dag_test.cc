#include "engine/schedule/dag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::schedule {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(Dag, AStageIsReadyWhenAllItNeedsSucceeded) {
  std::vector<StageNode> nodes = {
      {"build", {}}, {"train", {"build"}}, {"evaluate", {"build", "train"}}, {"lint", {}}};
  EXPECT_THAT(ready_stages(nodes), ElementsAre("build", "lint"));
  nodes[0].state = StageState::running;
  EXPECT_THAT(ready_stages(nodes), ElementsAre("lint"));
  nodes[0].state = StageState::succeeded;
  EXPECT_THAT(ready_stages(nodes), ElementsAre("train", "lint"));
  nodes[1].state = StageState::succeeded;
  EXPECT_THAT(ready_stages(nodes), ElementsAre("evaluate", "lint"));
}

TEST(Dag, AChainIsDoomedToItsEndWhateverTheOrder) {
  std::vector<StageNode> nodes = {{"d", {"c"}}, {"c", {"b"}},
                                  {"b", {"a"}}, {"a", {}, StageState::failed},
                                  {"free", {}}, {"e", {"free", "d"}}};
  EXPECT_THAT(doomed_stages(nodes), UnorderedElementsAre("b", "c", "d", "e"));
  EXPECT_THAT(ready_stages(nodes), ElementsAre("free"));
}

TEST(Dag, SkippedAndCancelledDoomAsFailedDoes) {
  for (StageState state : {StageState::failed, StageState::skipped, StageState::cancelled}) {
    EXPECT_THAT(doomed_stages({{"a", {}, state}, {"b", {"a"}}}), ElementsAre("b"));
  }
  for (StageState state : {StageState::waiting, StageState::running, StageState::succeeded}) {
    EXPECT_THAT(doomed_stages({{"a", {}, state}, {"b", {"a"}}}), IsEmpty());
  }
}

TEST(Dag, WhatHasStartedIsNotDoomed) {
  EXPECT_THAT(doomed_stages({{"a", {}, StageState::failed}, {"b", {"a"}, StageState::running}}), IsEmpty());
}

TEST(Dag, SettledAndSucceeded) {
  using S = StageState;
  EXPECT_FALSE(all_settled({{"a", {}, S::succeeded}, {"b", {}, S::running}}));
  EXPECT_FALSE(all_settled({{"a", {}, S::waiting}}));
  EXPECT_TRUE(all_settled({{"a", {}, S::succeeded}, {"b", {}, S::skipped}}));
  EXPECT_FALSE(all_succeeded({{"a", {}, S::succeeded}, {"b", {}, S::skipped}}));
  EXPECT_TRUE(all_succeeded({{"a", {}, S::succeeded}}));
}

TEST(Dag, StatesReadBackAndTheUnknownIsNeverGreen) {
  for (StageState state : {StageState::waiting, StageState::running, StageState::succeeded,
                           StageState::failed, StageState::skipped, StageState::cancelled}) {
    EXPECT_EQ(parse_stage_state(to_string(state)), state);
  }
  for (const char* text : {"", "Succeeded", "succeeded ", "green"})
    EXPECT_EQ(parse_stage_state(text), StageState::failed);
}

}  // namespace
}  // namespace pawl::schedule
