#include "engine/gate/baseline_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace pawl::gate {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

GreenRun green(std::int64_t number, const std::string& commit, double accuracy = 0.9) {
  return {.id = "run " + std::to_string(number),
          .number = number,
          .commit = commit,
          .metrics = {{"accuracy", accuracy, std::nullopt, "", 1000}}};
}

std::vector<std::int64_t> numbers(const std::vector<GreenRun>& runs) {
  std::vector<std::int64_t> out;
  for (const GreenRun& run : runs) out.push_back(run.number);
  return out;
}

Policy policy_of(BaselineRule rule, Direction direction = Direction::higher) {
  MetricRule metric;
  metric.metric = "accuracy";
  metric.direction = direction;
  metric.max_drop = 0.01;
  Policy policy;
  policy.metrics = {metric};
  policy.baseline = rule;
  return policy;
}

Evidence candidate(std::optional<std::int64_t> n = 1000) {
  Evidence evidence;
  evidence.metrics = {{"accuracy", 0.9, std::nullopt, "", n}};
  return evidence;
}

TEST(CommitOrder, IsThatOfTheCommitsNotOfTheRuns) {
  // Run 2 of the older commit was recorded after run 3 of the newer one.
  const std::vector<PastCommit> past = {{"c", 0}, {"b", 1}, {"a", 2}};
  const auto line = in_commit_order({green(1, "a"), green(3, "c"), green(2, "b")}, past);
  EXPECT_THAT(numbers(line), ElementsAre(1, 2, 3));
  EXPECT_EQ(line[0].distance, 2);
}

TEST(CommitOrder, OfOneCommitTheLaterRunIsNewer) {
  const std::vector<PastCommit> past = {{"a", 0}};
  EXPECT_THAT(numbers(in_commit_order({green(7, "a"), green(5, "a"), green(6, "a")}, past)),
              ElementsAre(5, 6, 7));
}

TEST(CommitOrder, RunsOfCommitsThatAreNotInThePastAreLeftOut) {
  const std::vector<PastCommit> past = {{"b", 0}, {"a", 1}};
  EXPECT_THAT(numbers(in_commit_order({green(1, "a"), green(2, "dropped by a force push")}, past)),
              ElementsAre(1));
}

TEST(ChooseBaseline, TheLastGreenIsTheNearest) {
  const std::vector<GreenRun> past = {green(1, "a"), green(2, "b"), green(3, "c")};
  const auto choice = choose_baseline(policy_of({}), candidate(), past);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->run, 2u);
  EXPECT_TRUE(choice->best.empty() && choice->medians.empty());
  EXPECT_FALSE(choose_baseline(policy_of({}), candidate(), {}));
}

TEST(ChooseBaseline, BestOfEachMetric) {
  const BaselineRule best{.kind = BaselineRule::Kind::best};
  std::vector<GreenRun> past = {green(1, "a", .9), green(2, "b", .95), green(3, "c", .92)};
  EXPECT_THAT(choose_baseline(policy_of(best), candidate(), past)->best, ElementsAre(Pair("accuracy", 1u)));
  EXPECT_THAT(choose_baseline(policy_of(best, Direction::lower), candidate(), past)->best,
              ElementsAre(Pair("accuracy", 0u)));
  past[1].metrics[0].value = std::nan("");
  EXPECT_THAT(choose_baseline(policy_of(best), candidate(), past)->best, ElementsAre(Pair("accuracy", 2u)));
}

TEST(ChooseBaseline, RunsOnAnotherTestSetAreNoBest) {
  const BaselineRule best{.kind = BaselineRule::Kind::best};
  std::vector<GreenRun> past = {green(1, "a", .99), green(2, "b", .98), green(3, "c", .9)};
  past[0].metrics[0].n = 500;
  past[1].testsets["predictions.csv"] = "another";
  past[2].testsets["predictions.csv"] = "this";
  Evidence now = candidate();
  now.vectors["predictions.csv"].testset = "this";
  const auto choice = choose_baseline(policy_of(best), now, past);
  EXPECT_THAT(choice->best, ElementsAre(Pair("accuracy", 2u)));
  past.resize(2);
  const auto none = choose_baseline(policy_of(best), now, past);
  EXPECT_TRUE(none->best.empty());
  EXPECT_EQ(none->run, 1u);
}

TEST(ChooseBaseline, RollingIsTheMedianOfTheLastRuns) {
  const std::vector<GreenRun> past = {green(1, "a", .1), green(2, "b", .9), green(3, "c", .8),
                                      green(4, "d", .94)};
  const BaselineRule three{.kind = BaselineRule::Kind::rolling, .runs = 3};
  const auto choice = choose_baseline(policy_of(three), candidate(), past);
  EXPECT_EQ(choice->run, 3u);
  EXPECT_THAT(choice->medians, UnorderedElementsAre(Pair("accuracy", .9)));
  const BaselineRule ten{.kind = BaselineRule::Kind::rolling, .runs = 10};
  EXPECT_DOUBLE_EQ(choose_baseline(policy_of(ten), candidate(), past)->medians.at("accuracy"), .85);
}

TEST(NeedsBaseline, OnlyWhatCompares) {
  Policy policy = policy_of({});
  EXPECT_TRUE(needs_baseline(policy));
  policy.metrics[0].max_drop.reset();
  policy.metrics[0].floor = .5;
  EXPECT_FALSE(needs_baseline(policy));
  policy.metrics[0].slices.emplace_back().floor = .5;
  EXPECT_FALSE(needs_baseline(policy));
  policy.metrics[0].slices[0].max_drop = .1;
  EXPECT_TRUE(needs_baseline(policy));
  policy.metrics[0].slices.clear();
  policy.sustained = SustainedRule{};
  EXPECT_TRUE(needs_baseline(policy));
  policy = {};
  policy.conditions.emplace_back().condition = *parse_condition("n > 0.8 +/- 0.1", "");
  EXPECT_FALSE(needs_baseline(policy));
  policy.conditions[0].condition = *parse_condition("d < 0.1 +/- 0.05", "");
  EXPECT_TRUE(needs_baseline(policy));
}

}  // namespace
}  // namespace pawl::gate
