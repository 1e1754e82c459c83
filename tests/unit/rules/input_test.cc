// From the assembler's steps to what rules see.
#include "engine/rules/input.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/rules/make_input.h"
#include "tests/unit/trace/make_step.h"

namespace pawl::rules {
namespace {

using trace::Kind;
using trace::StepMaker;

TEST(MakeInput, SortsObservationsByWhatTheyAre) {
  StepMaker maker;
  trace::Step step = maker.step(7, {0, 3});
  maker.add(step, 0, "lr", Kind::scalar, 0.5);
  maker.add(step, 0, "loss", Kind::loss, 2.0);
  maker.add(step, 0, "w", Kind::gradient, flat_stats(1));
  maker.add(step, 3, "loss_scale", Kind::scalar, 1024.0);
  maker.add(step, 3, "amp.skipped", Kind::scalar, 1.0);
  maker.add(step, 3, "loss", Kind::loss, 3.0);
  Input input = make_input(step);
  EXPECT_EQ(input.step, 7u);
  ASSERT_EQ(input.ranks.size(), 2u);
  EXPECT_EQ(input.ranks[0].lr, 0.5);
  EXPECT_FALSE(input.ranks[0].mixed_precision);
  EXPECT_EQ(input.ranks[1].rank, 3u);
  EXPECT_DOUBLE_EQ(input.ranks[1].end_s, 1.7);
  EXPECT_TRUE(input.ranks[1].mixed_precision);
  EXPECT_TRUE(input.ranks[1].scaler_skipped);
  EXPECT_FALSE(input.ranks[0].scaler_skipped);
  ASSERT_EQ(input.losses.size(), 2u);
  EXPECT_EQ(input.losses[0].value, 2.0);
  EXPECT_EQ(input.losses[1].rank, 3u);
  EXPECT_EQ(input.losses[0].series, input.losses[1].series);
  ASSERT_EQ(input.tensors.size(), 1u);
  EXPECT_EQ(input.tensors[0].name, "w");
  EXPECT_EQ(input.tensors[0].kind, Kind::gradient);
  EXPECT_EQ(input.tensors[0].shape.size(), 2u);
  EXPECT_EQ(*input.tensors[0].stats, flat_stats(1));
}

TEST(MakeInput, MoreOfAStepHasValuesAndCompletesNothing) {
  StepMaker maker;
  trace::Step step = maker.step(7);
  step.more = true;
  maker.add(step, 0, "loss", Kind::loss, 2.0);
  maker.add(step, 0, "lr", Kind::scalar, 0.5);
  const Input input = make_input(step);
  EXPECT_TRUE(input.ranks.empty());
  ASSERT_EQ(input.losses.size(), 1u);
  EXPECT_EQ(input.scalars.size(), 1u);
}

TEST(MakeInput, MicroBatchesAreOneLossAndTheLastGradient) {
  StepMaker maker;
  trace::Step step = maker.step(0);
  for (double value : {1.0, 2.0, 6.0}) {
    maker.add(step, 0, "loss", Kind::loss, value);
    maker.add(step, 0, "w", Kind::gradient, flat_stats(value));
  }
  Input input = make_input(step);
  ASSERT_EQ(input.losses.size(), 1u);
  EXPECT_DOUBLE_EQ(input.losses[0].value, 3);
  ASSERT_EQ(input.tensors.size(), 1u);
  EXPECT_EQ(input.tensors[0].stats->max, 6);
  maker.add(step, 0, "loss", Kind::loss, std::nan(""));
  EXPECT_TRUE(std::isnan(make_input(step).losses[0].value));
}

TEST(Evaluator, TheFindingNamesWhatWasRecordedFirst) {
  StepMaker maker;
  trace::Step before = maker.step(0);  // declared in another order than executed
  maker.add(before, 0, "fc1.weight", Kind::weight, flat_stats(1));
  maker.add(before, 0, "loss", Kind::loss, 1.0);
  trace::Step step = maker.step(1);
  maker.add(step, 0, "loss", Kind::loss, std::nan(""));
  maker.add(step, 0, "fc1.weight", Kind::weight, with_nan(flat_stats(1), 1));
  Evaluator evaluator = default_evaluator();
  EXPECT_TRUE(evaluator.on_step(before).empty());
  auto findings = evaluator.on_step(step);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].tensor, "loss");
}

TEST(Evaluator, IgnoresStepsInEvaluationMode) {
  StepMaker maker;
  trace::Step step = maker.step(0);
  step.mode = 1;
  maker.add(step, 0, "loss", Kind::loss, std::nan(""));
  Evaluator evaluator = default_evaluator();
  EXPECT_TRUE(evaluator.on_step(step).empty());
}

TEST(Evaluator, AStepThatARankNeverEndedIsStillLookedAt) {
  StepMaker maker;
  trace::Step step = maker.step(0, {});
  step.missing_ranks = {0};
  maker.add(step, 0, "lr", Kind::scalar, 0.1);
  maker.add(step, 0, "w", Kind::weight, with_nan(flat_stats(1), 1));
  maker.add(step, 0, "w", Kind::gradient, flat_stats(1));
  Evaluator evaluator = default_evaluator();
  EXPECT_EQ(evaluator.on_step(step).size(), 1u);
}

TEST(Evaluator, ASecondTrainingInTheSameStageBeginsAnew) {
  StepMaker maker;
  Evaluator evaluator = default_evaluator();
  for (uint64_t incarnation : {0u, 1u}) {
    for (uint64_t number = 0; number < 400; ++number) {
      trace::Step step = maker.step(number);
      step.incarnation = incarnation;
      maker.add(step, 0, "loss", Kind::loss, 2.3 * std::exp(-static_cast<double>(number) / 50) + 0.01);
      EXPECT_TRUE(evaluator.on_step(step).empty());
    }
  }
  Summary summary = evaluator.finish(true);
  EXPECT_TRUE(summary.findings.empty());
  // It could be judged, if only in the first training.
  EXPECT_EQ(outcome_of(summary, "loss_divergence").outcome, Outcome::pass);
}

}  // namespace
}  // namespace pawl::rules
