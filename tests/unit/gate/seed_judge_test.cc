// Metrics of a stage that was run with several seeds: seed_evidence.h, seed_judge.h, and the verdict.
#include "engine/gate/seed_judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/gate/seed_evidence.h"

namespace pawl::gate {
namespace {

using ::testing::HasSubstr;

using Values = std::vector<double>;

Evidence seeded(const Values& values) {
  std::vector<std::pair<std::int64_t, Evidence>> seeds;
  for (std::size_t i = 0; i < values.size(); ++i) {
    seeds.emplace_back(i + 1, Evidence{});
    seeds.back().second.metrics = {{"accuracy", values[i], {}, "", 1000}};
  }
  return over_seeds(std::move(seeds));
}

Inputs inputs(Evidence now, Evidence then) {
  Inputs in;
  in.evidence = std::move(now);
  in.target_branch = "main";
  in.baseline = Baseline{.run = {"01KEX4Q2ZBAAAAAAAAAAAAAAAA", 1, "3f2a91c0ffee", "main", 1},
                         .evidence = std::move(then)};
  return in;
}

MetricRule over_seeds_rule(SeedsTest test = {}) {
  MetricRule rule;
  rule.metric = "accuracy";
  rule.direction = Direction::higher;
  rule.seeds = test;
  return rule;
}

Verdict judged(const MetricRule& rule, const Inputs& in) {
  Policy policy;
  policy.metrics = {rule};
  return judge(policy, in);
}

EvaluationVector vector_of(const std::string& id) {
  EvaluationBuilder builder("p", "row");
  EXPECT_TRUE(builder.add(id, "1", "1", 0));
  return builder.finish().value();
}

TEST(OverSeeds, MetricsAreMeansAndKeepTheirValues) {
  const Evidence evidence = seeded({0.8, 0.9, 0.7});
  ASSERT_EQ(evidence.metrics.size(), 1u);
  EXPECT_DOUBLE_EQ(evidence.metrics[0].value, 0.8);
  EXPECT_EQ(evidence.metrics[0].n, 1000);
  EXPECT_EQ(evidence.by_seed.at("accuracy")[1], (SeedValue{2, 0.9}));
}

TEST(OverSeeds, PredictionsTellOneTestSetOrNone) {
  Evidence a;
  a.vectors["predictions.csv"] = vector_of("1");
  Evidence b;
  b.vectors["predictions.csv"] = vector_of("2");
  EXPECT_TRUE(over_seeds({{1, a}, {2, a}}).vectors.contains("predictions.csv"));
  const Evidence mixed = over_seeds({{1, a}, {2, b}});
  EXPECT_TRUE(mixed.vectors.empty());
  EXPECT_THAT(mixed.unreadable.at("predictions.csv"),
              HasSubstr("seeds 1 and 2 were not scored on the same examples"));
  b = {};
  b.unreadable["predictions.csv"] = "row 3: no label";
  EXPECT_EQ(over_seeds({{1, a}, {2, b}}).unreadable.at("predictions.csv"), "seed 2: row 3: no label");
}

TEST(SeedJudge, AWorseTrainingIsRedAndAnEqualOneGreen) {
  const Evidence before = seeded({0.87, 0.88, 0.86, 0.875, 0.865});
  const Verdict worse = judged(over_seeds_rule(), inputs(seeded({0.81, 0.82, 0.8, 0.815, 0.805}), before));
  EXPECT_EQ(worse.kind, VerdictKind::fail);
  EXPECT_EQ(
      worse.headline,
      "accuracy (5 seeds, 0.8 to 0.82, mean 0.81) against run 1 of commit 3f2a91c (main) (5 seeds, 0.86 to "
      "0.88, mean 0.87): worse in 100 % of the pairs (90 % CI 100 % to 100 %, rank sum test p = 0.004 for no "
      "difference), surely more than the 75 % allowed");
  const Verdict equal =
      judged(over_seeds_rule(), inputs(seeded({0.874, 0.861, 0.879, 0.866, 0.871}), before));
  EXPECT_EQ(equal.kind, VerdictKind::pass);
}

TEST(SeedJudge, AGreenOneIsSureOrNot) {
  const auto sentence = [](const Verdict& verdict) { return verdict.reasons.at(0).sentence; };
  const Evidence before = seeded({0.87, 0.88, 0.86});
  const Verdict open = judged(over_seeds_rule(), inputs(seeded({0.865, 0.869, 0.859}), before));
  EXPECT_EQ(open.kind, VerdictKind::pass);
  EXPECT_THAT(sentence(open), HasSubstr(", not surely more than the 75 % allowed"));
  const Verdict better = judged(over_seeds_rule(), inputs(seeded({0.91, 0.92, 0.93}), before));
  EXPECT_THAT(sentence(better), HasSubstr(", surely not more than the 75 % allowed"));
}

TEST(SeedJudge, ARedOneMayBeWithinWhatIsAllowed) {
  const Evidence before = seeded({0.87, 0.88, 0.86, 0.875, 0.865});
  const Verdict worse = judged(over_seeds_rule(), inputs(seeded({0.868, 0.858, 0.85, 0.855, 0.862}), before));
  EXPECT_EQ(worse.kind, VerdictKind::fail);
  EXPECT_THAT(worse.headline, HasSubstr("worse in 88 % of the pairs"));
  EXPECT_THAT(worse.headline, HasSubstr(", surely more than half and perhaps more than the 75 % allowed"));
}

TEST(SeedJudge, LowerMayBeBetter) {
  MetricRule rule = over_seeds_rule();
  rule.direction = Direction::lower;
  const Evidence low = seeded({0.1, 0.11, 0.12, 0.13, 0.14});
  const Evidence high = seeded({0.2, 0.21, 0.22, 0.23, 0.24});
  EXPECT_EQ(judged(rule, inputs(high, low)).kind, VerdictKind::fail);
  EXPECT_EQ(judged(rule, inputs(low, high)).kind, VerdictKind::pass);
}

TEST(SeedJudge, StrictAsksForMoreSeeds) {
  const SeedsTest strict{.probability = 0.75, .alpha = 0.05, .mode = PairedTest::Mode::strict};
  const Evidence before = seeded({0.87, 0.88, 0.86});
  const Verdict unclear = judged(over_seeds_rule(strict), inputs(seeded({0.865, 0.885, 0.855}), before));
  EXPECT_EQ(unclear.kind, VerdictKind::inconclusive);
  EXPECT_THAT(unclear.headline, HasSubstr("about 17 seeds would be needed"));
  EXPECT_EQ(judged(over_seeds_rule(strict), inputs(seeded({0.91, 0.92, 0.93}), before)).kind,
            VerdictKind::pass);
}

TEST(SeedJudge, TheBaselineMayHaveAnotherNumberOfSeedsButEnough) {
  const Evidence now = seeded({0.81, 0.82, 0.8, 0.815, 0.805});
  EXPECT_EQ(judged(over_seeds_rule(), inputs(now, seeded({0.9, 0.91, 0.92}))).kind, VerdictKind::fail);
  const Verdict two = judged(over_seeds_rule(), inputs(now, seeded({0.9, 0.91})));
  EXPECT_EQ(two.kind, VerdictKind::no_baseline);
  EXPECT_THAT(two.headline, HasSubstr("takes 3 seeds, the stage was run with 2 in run 1"));
  EXPECT_THAT(two.headline, HasSubstr("; `pawl baseline pin RUN --red --why REASON` makes this run"));
  Evidence one;
  one.metrics = {{"accuracy", 0.9, {}, "", 1000}};
  EXPECT_EQ(judged(over_seeds_rule(), inputs(now, one)).kind, VerdictKind::no_baseline);
  MetricRule drop = over_seeds_rule();
  drop.seeds.reset();
  drop.max_drop = 0.2;
  EXPECT_EQ(judged(drop, inputs(now, one)).kind, VerdictKind::pass) << "a mean compares with a value";
}

TEST(SeedJudge, OneSeedWithoutANumberIsAnErrorThatNamesIt) {
  const Evidence before = seeded({0.87, 0.88, 0.86});
  MetricRule floor = over_seeds_rule();
  floor.seeds.reset();
  floor.floor = 0.1;
  for (const MetricRule& rule : {over_seeds_rule(), floor}) {
    const Verdict nan = judged(rule, inputs(seeded({0.87, std::nan(""), 0.86}), before));
    EXPECT_EQ(nan.kind, VerdictKind::error);
    EXPECT_THAT(nan.headline, HasSubstr("accuracy is NaN with seed 2"));
    Evidence missing = seeded({0.87, 0.88, 0.86});
    missing.by_seed["accuracy"][2].value.reset();
    EXPECT_THAT(judged(rule, inputs(missing, before)).headline, HasSubstr("accuracy is missing with seed 3"));
  }
}

TEST(SeedJudge, WhatAsksAboutOneModelIsAnError) {
  const Evidence now = seeded({0.87, 0.88, 0.86});
  MetricRule rule = over_seeds_rule();
  rule.seeds.reset();
  rule.paired = PairedTest{.margin = 0.02};
  EXPECT_EQ(judged(rule, inputs(now, now)).kind, VerdictKind::error);
  EXPECT_EQ(judged(over_seeds_rule(), inputs(seeded({0.8, 0.9}), now)).kind, VerdictKind::error);
  Policy policy;
  policy.conditions.emplace_back();
  policy.conditions[0].condition = parse_condition("n > 0.5 +/- 0.1", "c").value();
  const Verdict verdict = judge(policy, inputs(now, now));
  EXPECT_EQ(verdict.kind, VerdictKind::error);
  EXPECT_THAT(verdict.headline, HasSubstr("several seeds"));
}

// Trainings that are alike must not be red more often than alpha says, with however few seeds.
TEST(SeedJudge, EqualTrainingsAreSeldomRed) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal(0.87, 0.01);
  for (const std::size_t seeds : {3, 5, 8}) {
    constexpr int kTrials = 1000;
    int red = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      Values now(seeds);
      Values then(seeds);
      for (double& value : now) value = normal(random);
      for (double& value : then) value = normal(random);
      red += judged(over_seeds_rule(), inputs(seeded(now), seeded(then))).kind == VerdictKind::fail ? 1 : 0;
    }
    EXPECT_LE(red, kTrials * 0.07) << seeds << " seeds";  // 0.05 and three standard errors
  }
}

}  // namespace
}  // namespace pawl::gate
