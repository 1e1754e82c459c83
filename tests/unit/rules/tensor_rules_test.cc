// non_finite, exploding_tensor, vanishing_gradient, frozen_parameter, dead_relu: what fires them, and what
// looks similar and must not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/unit/rules/make_input.h"

namespace pawl::rules {
namespace {

using ::testing::HasSubstr;
using trace::Kind;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// Feeds `captures` steps, `every` apart; returns the step at which the rule fired first.
std::optional<uint64_t> first_fired(Evaluator& evaluator, InputMaker& maker, int captures, uint64_t every,
                                    const std::function<void(InputMaker&, uint64_t)>& fill) {
  for (int i = 0; i < captures; ++i) {
    uint64_t step = static_cast<uint64_t>(i) * every;
    maker.begin(step);
    fill(maker, step);
    if (!evaluator.on_input(maker.get()).empty()) return step;
  }
  return std::nullopt;
}

TEST(NonFinite, NamesTheFirstSeriesAndCountsTheOthers) {
  Evaluator evaluator = evaluator_of("non_finite");
  InputMaker maker;
  trace::TensorStats bad = with_nan(flat_stats(1), 3);
  bad.inf = 1;
  maker.begin(7, 2)
      .tensor("fc1.weight", Kind::weight, flat_stats(1))
      .tensor("fc1.weight", Kind::gradient, bad, {100, 10}, 1)
      .tensor("fc2.weight", Kind::gradient, bad, {100, 10}, 0)
      .loss(kNan, 0);
  auto findings = evaluator.on_input(maker.get());
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0];
  EXPECT_EQ(finding.rule, "non_finite");
  EXPECT_EQ(finding.action, Action::stop);
  EXPECT_EQ(finding.first_step, 7u);
  EXPECT_EQ(finding.tensor, "fc1.weight");
  EXPECT_EQ(finding.kind, "gradient");
  EXPECT_EQ(finding.rank, 1u);
  EXPECT_EQ(finding.value, 4);
  EXPECT_THAT(finding.message, HasSubstr("3 NaN and 1 infinite of 1000"));
  EXPECT_THAT(finding.message, HasSubstr("2 more"));
}

TEST(NonFinite, SeesALossOfAnyRankAndSaysWhichKindOfNonFinite) {
  for (auto [value, text] :
       {std::pair(kNan, "is NaN"), std::pair(kInf, "is infinity"), std::pair(-kInf, "-infinity")}) {
    Evaluator evaluator = evaluator_of("non_finite");
    InputMaker maker;
    maker.begin(0, 2).loss(1.0, 0).loss(value, 1);
    auto findings = evaluator.on_input(maker.get());
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].rank, 1u);
    EXPECT_THAT(findings[0].message, HasSubstr(text));
  }
}

TEST(NonFinite, LeavesActivationsAlone) {
  Evaluator evaluator = evaluator_of("non_finite");
  InputMaker maker;
  maker.begin(0).tensor("mask", Kind::activation, with_nan(flat_stats(1), 5)).loss(1);
  EXPECT_TRUE(evaluator.on_input(maker.get()).empty());
}

TEST(NonFinite, MixedPrecisionMaySkipAFewStepsInARow) {
  Evaluator evaluator = evaluator_of("non_finite");
  InputMaker maker;
  maker.set_mixed_precision(true);
  auto overflow = [](InputMaker& in, uint64_t) {
    in.loss(1)
        .tensor("w", Kind::gradient, with_nan(flat_stats(1), 1))
        .tensor("w", Kind::weight, flat_stats(1));
  };
  auto fine = [](InputMaker& in, uint64_t) { in.loss(1).tensor("w", Kind::gradient, flat_stats(1)); };
  EXPECT_EQ(first_fired(evaluator, maker, 16, 1, overflow), std::nullopt);
  EXPECT_EQ(first_fired(evaluator, maker, 1, 1, fine), std::nullopt);
  EXPECT_EQ(first_fired(evaluator, maker, 100, 1, overflow), 16u);  // the seventeenth in a row
}

TEST(NonFinite, TheScalerMaySkipAFewStepsInARow) {
  Evaluator evaluator = evaluator_of("non_finite");
  InputMaker maker;
  auto fill = [](InputMaker& in, uint64_t) { in.loss(1); };
  maker.set_scaler_skipped(true);
  EXPECT_EQ(first_fired(evaluator, maker, 16, 1, fill), std::nullopt);
  maker.set_scaler_skipped(false);
  EXPECT_EQ(first_fired(evaluator, maker, 1, 1, fill), std::nullopt);
  maker.set_scaler_skipped(true);
  EXPECT_EQ(first_fired(evaluator, maker, 100, 1, fill), 16u);
  EXPECT_EQ(evaluator.findings()[0].tensor, "amp.skipped");
}

TEST(NonFinite, WithoutAScalerAnOverflowIsAFault) {
  Evaluator evaluator = evaluator_of("non_finite");
  InputMaker maker;
  maker.begin(0).loss(1).tensor("w", Kind::gradient, with_nan(flat_stats(1), 1));
  EXPECT_EQ(evaluator.on_input(maker.get()).size(), 1u);
}

TEST(NonFinite, MixedPrecisionDoesNotExcuseParameters) {
  Evaluator evaluator = evaluator_of("non_finite");
  InputMaker maker;
  maker.set_mixed_precision(true);
  maker.begin(0)
      .tensor("w", Kind::gradient, with_nan(flat_stats(1), 1))
      .tensor("w", Kind::weight, with_nan(flat_stats(1), 1));
  EXPECT_EQ(evaluator.on_input(maker.get()).size(), 1u);
}

TEST(ExplodingTensor, FiresOnTheLargestMagnitudeAtOnce) {
  Evaluator evaluator = evaluator_of("exploding_tensor");
  InputMaker maker;
  trace::TensorStats stats = flat_stats(1);
  stats.min = -2e6;
  maker.begin(0).tensor("w", Kind::weight, stats);
  auto findings = evaluator.on_input(maker.get());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].value, 2e6);
  EXPECT_EQ(findings[0].limit, 1e6);
}

TEST(ExplodingTensor, FiresOnGrowthOfTheNormAndKeepsFiring) {
  Evaluator evaluator = evaluator_of("exploding_tensor");
  InputMaker maker;
  auto fired = first_fired(evaluator, maker, 30, 10, [](InputMaker& in, uint64_t step) {
    in.tensor("w", Kind::gradient, flat_stats(step >= 200 ? 0.11 : 0.001));
  });
  EXPECT_EQ(fired, 210u);  // the second in a row
  // What exploded did not become usual: it fires again.
  maker.begin(220).tensor("w", Kind::gradient, flat_stats(0.11));
  EXPECT_TRUE(evaluator.on_input(maker.get()).empty());
  EXPECT_EQ(evaluator.findings()[0].count, 2u);
  EXPECT_EQ(evaluator.findings()[0].first_step, 210u);
  EXPECT_EQ(evaluator.findings()[0].last_step, 220u);
}

TEST(ExplodingTensor, AHardBatchAfterConvergenceIsNoExplosion) {
  Evaluator evaluator = evaluator_of("exploding_tensor");
  InputMaker maker;
  auto fired = first_fired(evaluator, maker, 400, 10, [](InputMaker& in, uint64_t step) {
    double usual = step < 100 ? 0.01 : 1e-7;
    in.tensor("w", Kind::gradient, flat_stats(step % 1000 == 990 ? 0.02 : usual));
  });
  EXPECT_EQ(fired, std::nullopt);
}

TEST(ExplodingTensor, ABiasThatStartsAtZeroMayGrow) {
  Evaluator evaluator = evaluator_of("exploding_tensor");
  InputMaker maker;
  auto fired = first_fired(evaluator, maker, 300, 10, [](InputMaker& in, uint64_t step) {
    in.tensor("b", Kind::bias, flat_stats(1e-4 * static_cast<double>(step)), {10});
  });
  EXPECT_EQ(fired, std::nullopt);
}

TEST(ExplodingTensor, AnInfiniteNormIsAnExplosion) {
  Evaluator evaluator = evaluator_of("exploding_tensor", {{"abs_max", 1e300}});
  InputMaker maker;
  auto fired = first_fired(evaluator, maker, 20, 1, [](InputMaker& in, uint64_t step) {
    in.tensor("w", Kind::gradient, flat_stats(step >= 15 ? 1e200 : 1));  // its square overflows
  });
  EXPECT_EQ(fired, 16u);
}

TEST(VanishingGradient, NamesTheLayerThatGetsNothing) {
  Evaluator evaluator = evaluator_of("vanishing_gradient");
  InputMaker maker;
  auto fill = [](InputMaker& in, uint64_t) {
    in.loss(2.3);
    in.tensor("fc1.weight", Kind::gradient, flat_stats(5e-7));
    in.tensor("fc1.bias", Kind::gradient, flat_stats(0), {10});
    in.tensor("fc8.weight", Kind::gradient, flat_stats(1e-2));
  };
  EXPECT_EQ(first_fired(evaluator, maker, 100, 10, fill), 90u);  // ten captures
  EXPECT_EQ(evaluator.findings()[0].tensor, "fc1.weight");
  Evaluator every_step = evaluator_of("vanishing_gradient");
  EXPECT_EQ(first_fired(every_step, maker, 100, 1, fill), 49u);  // fifty steps
}

TEST(VanishingGradient, FiresWhenTheWholeNetworkIsSilent) {
  Evaluator evaluator = evaluator_of("vanishing_gradient");
  InputMaker maker;
  auto fired = first_fired(evaluator, maker, 20, 10, [](InputMaker& in, uint64_t) {
    in.loss(2.3).tensor("w", Kind::gradient, flat_stats(0));
  });
  EXPECT_EQ(fired, 90u);
}

TEST(VanishingGradient, ANetworkThatHasLearnedEverythingIsFine) {
  Evaluator evaluator = evaluator_of("vanishing_gradient");
  InputMaker maker;
  auto fired = first_fired(evaluator, maker, 1000, 1, [](InputMaker& in, uint64_t step) {
    double loss = 2.3 * std::exp(-static_cast<double>(step) / 30);
    in.loss(loss).tensor("w", Kind::gradient, flat_stats(loss * 1e-2));
  });
  EXPECT_EQ(fired, std::nullopt);
}

TEST(VanishingGradient, NonFiniteGradientsSayNothing) {
  Evaluator evaluator = evaluator_of("vanishing_gradient");
  InputMaker maker;
  auto fired = first_fired(evaluator, maker, 100, 10, [](InputMaker& in, uint64_t) {
    in.tensor("w", Kind::gradient, with_nan(flat_stats(0), 1));
  });
  EXPECT_EQ(fired, std::nullopt);
  EXPECT_EQ(outcome_of(evaluator.finish(true), "vanishing_gradient").outcome, Outcome::not_evaluated);
}

TEST(FrozenParameter, FiresWhenStatisticsNeverChangeAlthoughThereIsAGradient) {
  Evaluator evaluator = evaluator_of("frozen_parameter");
  InputMaker maker;
  auto fill = [](InputMaker& in, uint64_t step) {
    in.tensor("fc1.weight", Kind::weight, flat_stats(0.05));
    in.tensor("fc1.weight", Kind::gradient, flat_stats(0.01));
    in.tensor("fc2.weight", Kind::weight, flat_stats(0.05 + 1e-9 * static_cast<double>(step)));
    in.tensor("fc2.weight", Kind::gradient, flat_stats(0.01));
  };
  EXPECT_EQ(first_fired(evaluator, maker, 100, 10, fill), 50u);  // five captures that equal the one before
  EXPECT_EQ(evaluator.findings()[0].tensor, "fc1.weight");
  Evaluator every_step = evaluator_of("frozen_parameter");
  EXPECT_EQ(first_fired(every_step, maker, 100, 1, fill), 20u);  // twenty steps without a change
}

TEST(FrozenParameter, FiresOnUpdatesThatAreExactlyZero) {
  Evaluator evaluator = evaluator_of("frozen_parameter");
  InputMaker maker;
  auto fired = first_fired(evaluator, maker, 100, 1,
                           [](InputMaker& in, uint64_t) { in.tensor("w", Kind::update, flat_stats(0)); });
  EXPECT_EQ(fired, 19u);
}

struct NoFreeze {
  const char* name;
  std::function<void(InputMaker&, uint64_t)> fill;
  std::optional<double> lr = 0.1;
};

TEST(FrozenParameter, WhatStandsStillByRightDoesNotFire) {
  const std::vector<NoFreeze> cases = {
      {"frozen on purpose: no gradient",
       [](InputMaker& in, uint64_t) {
         in.tensor("a", Kind::weight, flat_stats(1)).tensor("b", Kind::gradient, flat_stats(1));
       }},
      {"learning rate zero",
       [](InputMaker& in, uint64_t) {
         in.tensor("a", Kind::weight, flat_stats(1)).tensor("a", Kind::gradient, flat_stats(1));
       },
       0.0},
      {"bias before a batch normalisation: a gradient of rounding noise",
       [](InputMaker& in, uint64_t step) {
         in.tensor("conv.bias", Kind::bias, flat_stats(0.05), {16});
         in.tensor("conv.bias", Kind::gradient, flat_stats(1e-9), {16});
         in.tensor("conv.weight", Kind::weight, flat_stats(0.1 + 1e-6 * static_cast<double>(step)));
         in.tensor("conv.weight", Kind::gradient, flat_stats(1e-2));
       }},
      {"converged: moved before, and the step is below rounding",
       [](InputMaker& in, uint64_t step) {
         double loss = std::exp(-static_cast<double>(step));
         in.tensor("a", Kind::weight, flat_stats(step < 30 ? 1 - loss : 1));
         in.tensor("a", Kind::gradient, flat_stats(step < 30 ? loss : 1e-9));
       }},
      {"gradient exactly zero", [](InputMaker& in, uint64_t) {
         in.tensor("a", Kind::weight, flat_stats(1)).tensor("a", Kind::gradient, flat_stats(0));
       }}};
  for (const NoFreeze& c : cases) {
    Evaluator evaluator = evaluator_of("frozen_parameter");
    InputMaker maker;
    maker.set_lr(c.lr);
    EXPECT_EQ(first_fired(evaluator, maker, 300, 1, c.fill), std::nullopt) << c.name;
  }
}

TEST(FrozenParameter, FreezingInTheMiddleIsSeen) {
  Evaluator evaluator = evaluator_of("frozen_parameter");
  InputMaker maker;
  auto fired = first_fired(evaluator, maker, 300, 1, [](InputMaker& in, uint64_t step) {
    in.tensor("a", Kind::weight, flat_stats(1 + 1e-3 * static_cast<double>(std::min<uint64_t>(step, 100))));
    in.tensor("a", Kind::gradient, flat_stats(0.01));
  });
  EXPECT_EQ(fired, 120u);
}

TEST(DeadRelu, WarnsAboutALayerThatIsSilentForLong) {
  Evaluator evaluator = evaluator_of("dead_relu");
  InputMaker maker;
  trace::TensorStats dead = flat_stats(0);
  EXPECT_EQ(first_fired(evaluator, maker, 100, 10,
                        [&](InputMaker& in, uint64_t) { in.tensor("relu1", Kind::activation, dead); }),
            100u);
  EXPECT_EQ(evaluator.findings()[0].severity, Severity::warn);
  EXPECT_FALSE(evaluator.finish(true).failed);
}

TEST(DeadRelu, SparseOrSignedOutputsAreNotDead) {
  trace::TensorStats sparse = flat_stats(1);
  sparse.min = 0;
  sparse.zero = 950;  // 95 % zeros: a wide healthy layer may do this
  trace::TensorStats negative = flat_stats(1);
  negative.zero = 999;
  for (const trace::TensorStats& stats : {sparse, negative}) {
    Evaluator evaluator = evaluator_of("dead_relu");
    InputMaker maker;
    EXPECT_EQ(first_fired(evaluator, maker, 100, 10,
                          [&](InputMaker& in, uint64_t) { in.tensor("relu1", Kind::activation, stats); }),
              std::nullopt);
    EXPECT_EQ(outcome_of(evaluator.finish(true), "dead_relu").outcome, Outcome::pass);
  }
}

TEST(TensorRules, IncludeLimitsThemToMatchingNames) {
  RuleConfig config = rule_config("exploding_tensor");
  config.include = "^fc2";
  Evaluator evaluator = Evaluator::create({config}).value();
  InputMaker maker;
  maker.begin(0).tensor("fc1.weight", Kind::weight, flat_stats(1e9));
  EXPECT_TRUE(evaluator.on_input(maker.get()).empty());
  maker.begin(1)
      .tensor("fc1.weight", Kind::weight, flat_stats(1e9))
      .tensor("fc2.weight", Kind::weight, flat_stats(1e9));
  auto findings = evaluator.on_input(maker.get());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].tensor, "fc2.weight");
}

// A reader hands on whatever a (damaged, hostile) trace says.
TEST(TensorRules, NonsenseStatisticsDoNotBreakThem) {
  Evaluator evaluator = default_evaluator();
  InputMaker maker;
  for (uint64_t step = 0; step < 300; ++step) {
    maker.begin(step);
    for (Kind kind : {Kind::weight, Kind::bias, Kind::gradient, Kind::activation, Kind::update}) {
      trace::TensorStats stats;
      stats.count = step % 3;
      stats.nan = step % 5 == 0 ? ~uint64_t{0} : 0;
      stats.inf = step % 7 == 0 ? ~uint64_t{0} : 0;
      stats.zero = 1000;
      stats.min = step % 2 == 0 ? kNan : kInf;
      stats.max = -kInf;
      stats.sum = stats.abs_sum = kNan;
      stats.square_sum = step % 2 == 0 ? -1 : kNan;
      maker.tensor("t", kind, stats, {});
    }
    maker.loss(step % 4 == 0 ? kNan : -1e308);
    evaluator.on_input(maker.get());
  }
  EXPECT_TRUE(evaluator.finish(true).failed);
}

}  // namespace
}  // namespace pawl::rules
