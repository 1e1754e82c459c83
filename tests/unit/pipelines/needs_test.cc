#include "pipelines/needs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::pipeline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<Stage> stages(std::vector<std::pair<std::string, std::vector<std::string>>> graph) {
  std::vector<Stage> out;
  for (auto& [name, needs] : graph) {
    out.emplace_back();
    out.back().name = name;
    out.back().needs = needs;
  }
  return out;
}

std::vector<std::string> order_of(std::vector<Stage> graph) {
  std::vector<std::string> names;
  for (const Stage& stage : in_topological_order(std::move(graph))) names.push_back(stage.name);
  return names;
}

TEST(Needs, OrderOfTheFileWhereNothingSaysOtherwise) {
  EXPECT_THAT(order_of(stages({{"c", {}}, {"a", {}}, {"b", {}}})), ElementsAre("c", "a", "b"));
}

TEST(Needs, EachAfterAllItNeeds) {
  EXPECT_THAT(
      order_of(stages({{"report", {"train", "lint"}}, {"train", {"build"}}, {"lint", {}}, {"build", {}}})),
      ElementsAre("lint", "build", "train", "report"));
}

TEST(Needs, CyclesAreNamedFromTheirFirstStage) {
  EXPECT_THAT(find_cycle(stages({{"a", {}}, {"b", {"a"}}})), IsEmpty());
  EXPECT_THAT(find_cycle(stages({{"d", {"a", "b"}}, {"a", {"c"}}, {"b", {"c"}}, {"c", {}}})), IsEmpty());
  EXPECT_THAT(find_cycle(stages({{"a", {"a"}}})), ElementsAre("a", "a"));
  EXPECT_THAT(find_cycle(stages({{"x", {"b"}}, {"a", {"b"}}, {"b", {"c"}}, {"c", {"a"}}})),
              ElementsAre("b", "c", "a", "b"));
}

TEST(Needs, WideAndDeepGraphsAreQuick) {
  std::vector<std::pair<std::string, std::vector<std::string>>> graph;
  std::vector<std::string> all;
  for (int i = 0; i < 200; ++i) {
    graph.push_back({"s" + std::to_string(i), all});
    all.push_back("s" + std::to_string(i));
  }
  EXPECT_THAT(find_cycle(stages(graph)), IsEmpty());
  EXPECT_EQ(order_of(stages({graph.rbegin(), graph.rend()})), all);
}

}  // namespace
}  // namespace pawl::pipeline
