// loss_divergence, loss_at_chance, loss_plateau on curves with the noise of small batches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "tests/unit/rules/make_input.h"

namespace pawl::rules {
namespace {

using ::testing::HasSubstr;
using trace::Kind;
using Curve = std::function<double(int step, double noise)>;  // noise: standard normal

const double kLn10 = std::log(10);

// The step at which the rule fired first, at the end of training counted as `steps`.
std::optional<uint64_t> first_fired(Evaluator& evaluator, int steps, const Curve& curve, bool head = false) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  InputMaker maker;
  for (int step = 0; step < steps; ++step) {
    maker.begin(static_cast<uint64_t>(step)).loss(curve(step, normal(random)));
    if (head && step % 10 == 0) {
      maker.tensor("fc1.bias", Kind::bias, flat_stats(0.1), {128});
      maker.tensor("fc2.bias", Kind::bias, flat_stats(0.1), {10});
    }
    if (!evaluator.on_input(maker.get()).empty()) return step;
  }
  if (evaluator.finish(true).findings.empty()) return std::nullopt;
  return steps;
}

double learning(int step, double noise) {
  return (0.35 + 1.95 * std::exp(-step / 80.0)) * (1 + 0.25 * noise);
}

TEST(LossDivergence, FiresSoonAfterTheLossTurns) {
  Evaluator evaluator = evaluator_of("loss_divergence");
  auto fired = first_fired(evaluator, 1000, [](int step, double noise) {
    return step < 500 ? learning(step, noise) : std::min(5.0, 0.35 + 0.02 * (step - 500));
  });
  ASSERT_TRUE(fired.has_value());
  EXPECT_GT(*fired, 500u);
  EXPECT_LT(*fired, 650u);
  EXPECT_EQ(evaluator.findings()[0].action, Action::stop);
  EXPECT_GT(evaluator.findings()[0].value, evaluator.findings()[0].limit);
}

TEST(LossDivergence, WaitsForItsWarmUp) {
  Evaluator evaluator = evaluator_of("loss_divergence");
  EXPECT_EQ(first_fired(evaluator, 1000, [](int step, double) { return 1 + 0.1 * step; }), 200u);
}

TEST(LossDivergence, AWarmRestartOrAHardBatchIsNoDivergence) {
  Evaluator restart = evaluator_of("loss_divergence");
  EXPECT_EQ(first_fired(restart, 3000,
                        [](int step, double noise) {
                          double loss = step < 1500 ? 2.3 * std::exp(-step / 150.0) + 0.005
                                                    : 0.7 * std::exp(-(step - 1500) / 300.0) + 0.005;
                          return loss * (1 + 0.2 * noise);
                        }),
            std::nullopt);
  Evaluator hard = evaluator_of("loss_divergence");
  EXPECT_EQ(first_fired(hard, 3000,
                        [](int step, double) {
                          return step > 500 && step % 200 == 0 ? 3 : 2.3 * std::exp(-step / 50.0) + 1e-4;
                        }),
            std::nullopt);
}

TEST(LossDivergence, DoesNotJudgeALossThatIsNotPositive) {
  Evaluator evaluator = evaluator_of("loss_divergence");
  EXPECT_EQ(first_fired(evaluator, 2000, [](int, double noise) { return noise; }), std::nullopt);
  EXPECT_EQ(outcome_of(evaluator.finish(true), "loss_divergence").outcome, Outcome::not_evaluated);
}

TEST(LossDivergence, NonFiniteLossesDoNotBlindIt) {
  Evaluator evaluator = evaluator_of("loss_divergence");
  auto fired = first_fired(evaluator, 1000, [](int step, double noise) {
    if (step % 100 == 50) return std::nan("");
    return step < 500 ? learning(step, noise) : 10.0;
  });
  ASSERT_TRUE(fired.has_value());
  EXPECT_LT(*fired, 520u);
}

TEST(LossAtChance, FiresWhileTrainingWhenItLastsAndAtTheEndOtherwise) {
  auto stuck = [](int, double noise) { return kLn10 + 0.02 * noise; };
  Evaluator longer = evaluator_of("loss_at_chance", {{"classes", 10}});
  EXPECT_EQ(first_fired(longer, 5000, stuck), 1199u);
  Evaluator shorter = evaluator_of("loss_at_chance", {{"classes", 10}});
  EXPECT_EQ(first_fired(shorter, 300, stuck), 300u);
  EXPECT_THAT(shorter.findings()[0].message, HasSubstr("among 10 classes gives 2.303"));
  Evaluator too_short = evaluator_of("loss_at_chance", {{"classes", 10}});
  EXPECT_EQ(first_fired(too_short, 299, stuck), std::nullopt);
  EXPECT_EQ(outcome_of(too_short.finish(true), "loss_at_chance").outcome, Outcome::not_evaluated);
}

TEST(LossAtChance, DoesNotJudgeTheEndOfATrainingThatWasCutShort) {
  Evaluator evaluator = evaluator_of("loss_at_chance", {{"classes", 10}});
  InputMaker maker;
  for (uint64_t step = 0; step < 400; ++step) evaluator.on_input(maker.begin(step).loss(kLn10).get());
  EXPECT_TRUE(evaluator.finish(false).findings.empty());
}

TEST(LossAtChance, TakesTheClassesFromTheLastParameter) {
  auto stuck = [](int, double noise) { return kLn10 + 0.02 * noise; };
  Evaluator evaluator = evaluator_of("loss_at_chance");
  EXPECT_EQ(first_fired(evaluator, 400, stuck, true), 400u);
  Evaluator unknown = evaluator_of("loss_at_chance");
  EXPECT_EQ(first_fired(unknown, 400, stuck), std::nullopt);
  EXPECT_THAT(outcome_of(unknown.finish(true), "loss_at_chance").reason, HasSubstr("set `classes`"));
}

TEST(LossAtChance, ASlowStartIsNotTheEnd) {
  Evaluator evaluator = evaluator_of("loss_at_chance", {{"classes", 10}});
  EXPECT_EQ(first_fired(evaluator, 2000,
                        [](int step, double noise) {
                          double loss =
                              step < 900 ? kLn10 : 0.4 + (kLn10 - 0.4) * std::exp(-(step - 900) / 200.0);
                          return loss + 0.02 * noise;
                        }),
            std::nullopt);
}

TEST(LossAtChance, AResumedRunWithInferredClassesDoesNotFire) {
  for (double level : {0.4, 2.0, 5.0}) {
    Evaluator evaluator = evaluator_of("loss_at_chance");
    EXPECT_EQ(first_fired(
                  evaluator, 3000, [&](int, double noise) { return level * (1 + 0.05 * noise); }, true),
              std::nullopt);
  }
}

TEST(LossPlateau, WarnsOnlyWhileTheLossIsHigh) {
  Evaluator high = evaluator_of("loss_plateau");
  auto fired = first_fired(
      high, 2000, [](int step, double noise) { return 2.2 + 0.1 * std::exp(-step / 30.0) + 0.05 * noise; });
  ASSERT_TRUE(fired.has_value());
  EXPECT_GT(*fired, 500u);
  EXPECT_LT(*fired, 1000u);
  EXPECT_EQ(high.findings()[0].severity, Severity::warn);
  Evaluator low = evaluator_of("loss_plateau");
  EXPECT_EQ(first_fired(low, 5000, learning), std::nullopt);  // has converged, and is flat
}

TEST(LossPlateau, IsNotJudgedInAResumedAttempt) {
  Evaluator evaluator = evaluator_of("loss_plateau");
  InputMaker maker;
  maker.set_resumed(true);
  for (uint64_t step = 0; step < 2000; ++step) {
    EXPECT_TRUE(evaluator.on_input(maker.begin(step).loss(0.3).get()).empty());
  }
  EXPECT_EQ(outcome_of(evaluator.finish(true), "loss_plateau").outcome, Outcome::not_evaluated);
}

TEST(LossRules, EveryLossOfEveryRankIsJudgedByItself) {
  Evaluator evaluator = evaluator_of("loss_divergence");
  InputMaker maker;
  std::vector<Finding> findings;
  for (uint64_t step = 0; step < 400 && findings.empty(); ++step) {
    maker.begin(step, 2);
    for (uint32_t rank : {0u, 1u}) {
      maker.loss(1, rank).loss(rank == 1 && step > 250 ? 50 : 1, rank, "loss.1");
    }
    findings = evaluator.on_input(maker.get());
  }
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].rank, 1u);
  EXPECT_EQ(findings[0].tensor, "loss.1");
}

}  // namespace
}  // namespace pawl::rules
