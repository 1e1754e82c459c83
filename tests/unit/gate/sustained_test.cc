#include "engine/gate/sustained.h"

#include <gtest/gtest.h>

namespace pawl::gate {
namespace {

std::optional<SustainedBest> best(std::vector<double> values, Direction direction = Direction::higher) {
  return best_sustained(values, 3, direction);
}

TEST(BestSustained, TheBestMedianOfAWindow) {
  EXPECT_EQ(best({.9, .8, .85}), (SustainedBest{.85, 0, 2}));
  EXPECT_EQ(best({.9, .8, .85, .95, .91}), (SustainedBest{.91, 2, 4}));
  EXPECT_EQ(best({.5, .99, .5, .5}), (SustainedBest{.5, 1, 3})) << "one lucky run sets no bar";
  EXPECT_EQ(best({.3, .2, .25, .4, .4}, Direction::lower), (SustainedBest{.25, 1, 3}));
  EXPECT_EQ(best({.9, .9, .9, .9}), (SustainedBest{.9, 1, 3})) << "the latest of equally good ones";
  EXPECT_FALSE(best({.9, .8}));
  EXPECT_FALSE(best({}));
}

TEST(BestSustained, AnEvenWindowTakesTheMiddle) {
  const std::vector<double> values = {.9, .8, .6, .7};
  EXPECT_DOUBLE_EQ(best_sustained(values, 4, Direction::higher)->value, .75);
  EXPECT_DOUBLE_EQ(median({3, 1, 2}), 2);
}

class SustainedVerdict : public ::testing::Test {
 protected:
  SustainedVerdict() {
    MetricRule rule;
    rule.metric = "accuracy";
    rule.direction = Direction::higher;
    rule.max_drop = .005;
    policy_.metrics = {rule};
    policy_.sustained = SustainedRule{.window = 3, .max_drop = .01};
    policy_.bootstrap = true;
    inputs_.target_branch = "main";
    inputs_.target_was_ever_green = false;
  }

  // Judges the next run of the branch; a green one becomes the baseline.
  Verdict run(double accuracy, std::int64_t n = 1000) {
    ++number_;
    inputs_.evidence.metrics = {{"accuracy", accuracy, std::nullopt, "", n}};
    const Verdict verdict = judge(policy_, inputs_);
    if (verdict.kind == VerdictKind::pass) {
      inputs_.target_was_ever_green = true;
      inputs_.baseline = Baseline{{"", number_, "0123456789", "main", 0}, inputs_.evidence};
      inputs_.past.push_back({"", number_, "0123456789", 0, inputs_.evidence.metrics});
    }
    return verdict;
  }

  static const Reason* reason(const Verdict& verdict) {
    for (const Reason& reason : verdict.reasons) {
      if (reason.check == Check::sustained) return &reason;
    }
    return nullptr;
  }

  Policy policy_;
  Inputs inputs_;
  std::int64_t number_ = 0;
};

TEST_F(SustainedVerdict, SlowCreepTurnsRedBeforeTwoPointsAreLost) {
  EXPECT_EQ(run(.900).kind, VerdictKind::pass);
  EXPECT_EQ(run(.896).kind, VerdictKind::pass);
  EXPECT_EQ(run(.892).kind, VerdictKind::pass);
  EXPECT_EQ(run(.888).kind, VerdictKind::pass);
  const Verdict red = run(.884);  // four tenths of a point at a time, each below the margin of a half
  EXPECT_EQ(red.kind, VerdictKind::fail);
  EXPECT_EQ(red.headline, "accuracy is 0.884 (limit 0.886), sustained best 0.896 over runs 1 to 3");
  ASSERT_NE(reason(red), nullptr);
  EXPECT_EQ(reason(red)->baseline, .896);
  EXPECT_NEAR(*reason(red)->limit, .886, 1e-12);
  EXPECT_EQ(run(.888).kind, VerdictKind::pass) << "a red run is no step down";
}

TEST_F(SustainedVerdict, WithoutAWindowItSaysSoAndPasses) {
  const Verdict first = run(.9);
  EXPECT_EQ(first.kind, VerdictKind::pass);
  ASSERT_NE(reason(first), nullptr);
  EXPECT_EQ(reason(first)->status, Status::pass);
  EXPECT_EQ(reason(first)->sentence,
            "accuracy has no sustained best yet: it takes 3 comparable green runs, there are 0");
  EXPECT_EQ(first.headline.find("sustained"), std::string::npos) << first.headline;
}

TEST_F(SustainedVerdict, RunsOnAnotherTestSetDoNotCount) {
  for (const double accuracy : {.9, .9, .9}) EXPECT_EQ(run(accuracy).kind, VerdictKind::pass);
  inputs_.baseline->evidence.metrics[0] = {"accuracy", .8, std::nullopt, "", 500};
  const Verdict changed = run(.8, 500);
  EXPECT_EQ(changed.kind, VerdictKind::pass) << changed.headline;
  EXPECT_NE(reason(changed)->sentence.find("there are 0"), std::string::npos);
}

TEST_F(SustainedVerdict, AMissingMetricIsTheMetricsOwnError) {
  inputs_.evidence.metrics.clear();
  const Verdict verdict = judge(policy_, inputs_);
  EXPECT_EQ(verdict.kind, VerdictKind::error);
  EXPECT_EQ(reason(verdict), nullptr);
}

TEST_F(SustainedVerdict, OfOwnBaselinesEachMetricHasItsOwn) {
  policy_.sustained.reset();
  run(.9);
  inputs_.own_baselines["accuracy"] = *inputs_.baseline;
  inputs_.own_baselines["accuracy"].evidence.metrics[0].value = .95;
  EXPECT_EQ(run(.9).kind, VerdictKind::fail);
}

}  // namespace
}  // namespace pawl::gate
