#include "engine/gate/comparison.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "engine/gate/delong.h"
#include "engine/gate/paired_mean.h"
#include "engine/gate/paired_reason.h"
#include "engine/gate/paired_slices.h"
#include "engine/gate/predictions.h"
#include "engine/gate/slice_comparison.h"

namespace pawl::gate {
namespace {

using ::testing::HasSubstr;
using Of = PairedTest::Of;

PairedTest test_of(Of of, double margin) {
  PairedTest test;
  test.of = of;
  test.margin = margin;
  if (of == Of::mean) test.column = "loss";
  if (of == Of::auc || of == Of::average_precision) {
    test.column = "score";
    test.positive = "1.0";
  }
  return test;
}

// Example i: label i % 2, score of the model, loss.
EvaluationVector model(int n, const std::function<double(int)>& score, const PairedTest& test,
                       bool backwards = false) {
  std::string csv = "id,label,prediction,score,loss\n";
  for (int k = 0; k < n; ++k) {
    const int i = backwards ? n - 1 - k : k;
    const double s = score(i);
    csv += fmt::format("{:06},{},{},{},{}\n", i, i % 2, s > 0.5 ? 1 : 0, s, std::abs(s - i % 2));
  }
  WantedColumns wanted;
  want_columns(test, wanted);
  auto vector = parse_predictions_csv(csv, "p.csv", wanted);
  EXPECT_TRUE(vector) << vector.error().to_string();
  return std::move(vector).value();
}

// Numbers without pattern in [0, 1), the same everywhere.
double noise(int i, int salt) {
  const double x = std::sin(i * 12.9898 + salt * 78.233) * 43758.5453;
  return x - std::floor(x);
}
double good(int i) {
  return 0.35 * (i % 2) + 0.65 * noise(i, 1);
}
double bad(int i) {
  return 0.05 * (i % 2) + 0.95 * noise(i, 1);
}
double as_good(int i) {
  return i % 5 != 0 ? good(i) : 0.35 * (i % 2) + 0.65 * noise(i, 2);
}

Comparison compared(const PairedTest& test, const std::function<double(int)>& now,
                    const std::function<double(int)>& then, int n = 2000) {
  const Direction direction = test.of == Of::mean ? Direction::lower : Direction::higher;
  auto result = compare_models(test, direction, model(n, now, test), model(n, then, test));
  EXPECT_TRUE(result) << result.error().to_string();
  return result ? *result : Comparison();
}

class EveryStatistic : public ::testing::TestWithParam<Of> {};

TEST_P(EveryStatistic, TellsWorseFromAsGood) {
  const PairedTest test = test_of(GetParam(), 0.03);
  const Comparison worse = compared(test, bad, good);
  EXPECT_TRUE(worse.surely_worse);
  EXPECT_FALSE(worse.surely_not_worse);
  EXPECT_LT(worse.p_margin, 0.01);
  EXPECT_LE(worse.p_worse, worse.p_margin);
  EXPECT_FALSE(worse.examples_needed) << "no number of examples shows what is not so";
  const Comparison better = compared(test, good, bad);
  EXPECT_TRUE(better.surely_not_worse);
  EXPECT_FALSE(better.surely_worse);
  EXPECT_GT(better.p_worse, 0.9);
  EXPECT_NEAR(better.difference(), -worse.difference(), 1e-12);
  EXPECT_NEAR(better.interval.low, -worse.interval.high, 0.02);
  const Comparison equal = compared(test, as_good, good);
  EXPECT_FALSE(equal.surely_worse);
  EXPECT_LT(equal.interval.low, equal.difference());
  EXPECT_GT(equal.interval.high, equal.difference());
}

TEST_P(EveryStatistic, ModelsThatAnswerAlikeAreNotWorse) {
  const Comparison same = compared(test_of(GetParam(), 0.01), good, good, 200);
  EXPECT_TRUE(same.alike);
  EXPECT_EQ(same.difference(), 0);
  EXPECT_FALSE(same.surely_worse);
}

TEST_P(EveryStatistic, OrderOfTheFileDoesNotMatter) {
  const PairedTest test = test_of(GetParam(), 0.01);
  const auto forward =
      compare_models(test, Direction::higher, model(300, as_good, test), model(300, good, test));
  const auto backward =
      compare_models(test, Direction::higher, model(300, as_good, test, true), model(300, good, test));
  ASSERT_TRUE(forward);
  ASSERT_TRUE(backward);
  EXPECT_EQ(forward->interval.low, backward->interval.low);
  EXPECT_EQ(forward->p_margin, backward->p_margin);
}

TEST_P(EveryStatistic, ASubsetIsATestSetOfItsOwn) {
  const PairedTest test = test_of(GetParam(), 0.03);
  std::vector<std::uint32_t> first(400);
  for (std::uint32_t i = 0; i < first.size(); ++i) first[i] = i;
  const auto part =
      compare_models(test, Direction::higher, model(1000, as_good, test), model(1000, good, test), first);
  const auto whole =
      compare_models(test, Direction::higher, model(400, as_good, test), model(400, good, test));
  ASSERT_TRUE(part);
  ASSERT_TRUE(whole);
  EXPECT_EQ(part->n, 400);
  EXPECT_EQ(part->difference(), whole->difference());
  EXPECT_EQ(part->interval.low, whole->interval.low);
  EXPECT_EQ(*value_of(test, model(1000, as_good, test), first), part->candidate);
}

void expect_same(const Result<Comparison>& a, const Result<Comparison>& b) {
  ASSERT_TRUE(a) << a.error().to_string();
  ASSERT_TRUE(b) << b.error().to_string();
  EXPECT_EQ(a->test, b->test);
  EXPECT_EQ(a->n, b->n);
  EXPECT_NEAR(a->candidate, b->candidate, 1e-12);
  EXPECT_NEAR(a->baseline, b->baseline, 1e-12);
  EXPECT_NEAR(a->interval.low, b->interval.low, 1e-12);
  EXPECT_NEAR(a->interval.high, b->interval.high, 1e-12);
  EXPECT_NEAR(a->p_worse, b->p_worse, 1e-9);
  EXPECT_NEAR(a->p_margin, b->p_margin, 1e-9);
  EXPECT_EQ(a->surely_worse, b->surely_worse);
  EXPECT_EQ(a->surely_not_worse, b->surely_not_worse);
  EXPECT_EQ(a->alike, b->alike);
  EXPECT_EQ(a->counts, b->counts);
  EXPECT_EQ(a->examples_needed, b->examples_needed);
}

TEST_P(EveryStatistic, SlicesTogetherAreSlicesOneByOne) {
  const PairedTest test = test_of(GetParam(), 0.03);
  const Direction direction = test.of == Of::mean ? Direction::lower : Direction::higher;
  const EvaluationVector now = model(600, bad, test);
  const EvaluationVector then = model(600, good, test);
  Slicing slicing{{"few", "many", "empty", "most"}, {0, 0, 0, 0}, {}};
  for (std::uint32_t i = 0; i < 600; ++i) {
    const std::uint32_t code = i < 20 ? 0 : i % 7 == 0 ? kNoSlice : i % 3 == 0 ? 1 : 3;
    slicing.slice_of.push_back(code);
    if (code != kNoSlice) ++slicing.sizes[code];
  }
  const auto together = compare_slices(test, direction, now, then, slicing);
  const auto values = values_of_slices(test, now, slicing);
  const auto examples = examples_by_slice(slicing);
  ASSERT_EQ(together.size(), 4u);
  for (const std::size_t i : {0, 1, 3}) {
    expect_same(together[i], compare_models(test, direction, now, then, examples[i]));
    EXPECT_NEAR(*values[i], together[i]->candidate, 1e-12);
  }
  EXPECT_EQ(together[2].error().message(), "there are no examples to compare");
}

TEST_P(EveryStatistic, OfManyTestsEachIsWhatItIsAlone) {
  const PairedTest test = test_of(GetParam(), 0.03);
  PairedTest impossible = test_of(Of::average_precision, 0.03);
  impossible.positive = "7";
  PairedTest narrow = test_of(Of::macro_f1, 0.03);
  narrow.alpha = 0.2;
  EvaluationVector now = model(300, as_good, test_of(Of::auc, 0.03));
  EvaluationVector then = model(300, good, test_of(Of::auc, 0.03));
  now.numbers["loss"] = now.numbers["score"];
  then.numbers["loss"] = then.numbers["score"];
  const ModelTest tests[] = {{impossible}, {narrow}, {test}};
  const auto together = compare_models(tests, now, then);
  EXPECT_FALSE(together[0]);
  expect_same(together[1], compare_models(narrow, Direction::higher, now, then));
  expect_same(together[2], compare_models(test, Direction::higher, now, then));
}

INSTANTIATE_TEST_SUITE_P(Comparison, EveryStatistic,
                         ::testing::Values(Of::accuracy, Of::mean, Of::auc, Of::average_precision,
                                           Of::macro_f1));

TEST(Comparison, TheMeanGoesTheWayTheMetricDoes) {
  const PairedTest test = test_of(Of::mean, 0.01);
  const auto judged = [&](Direction direction) {
    return *compare_models(test, direction, model(500, bad, test), model(500, good, test));
  };
  const Comparison loss = judged(Direction::lower);
  EXPECT_EQ(loss.test, "paired t test");
  EXPECT_GT(loss.difference(), 0);
  EXPECT_TRUE(loss.surely_worse);
  EXPECT_GT(loss.interval.low, 0.01);
  EXPECT_TRUE(judged(Direction::higher).surely_not_worse);
}

TEST(Comparison, FewExamplesGetASignFlipTest) {
  EXPECT_EQ(compared(test_of(Of::mean, 0.01), bad, good, 12).test, "sign-flip test");
}

TEST(Comparison, FourExamplesShowNothingAndSayIt) {
  const PairedTest test = test_of(Of::mean, 0.01);
  const Comparison few = compared(test, bad, good, 4);
  EXPECT_FALSE(few.surely_worse);
  EXPECT_FALSE(few.surely_not_worse);
  const Reason reason = paired_reason(test, "loss", few, 0.01, "loss rose from 1 to 2", "", "run 1");
  EXPECT_EQ(reason.sentence, "loss rose from 1 to 2 (4 examples show nothing) against run 1");
  EXPECT_FALSE(reason.interval) << "JSON has no infinities";
}

TEST(Comparison, AucIsDeLongs) {
  const PairedTest test = test_of(Of::auc, 0.01);
  const EvaluationVector now = model(400, as_good, test);
  const EvaluationVector then = model(400, good, test);
  std::vector<bool> positive;
  for (int i = 0; i < 400; ++i) positive.push_back(i % 2 == 1);
  const auto expected = delong_difference(now.numbers.at("score"), then.numbers.at("score"), positive);
  const auto found = compare_models(test, Direction::higher, now, then);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->candidate, expected->candidate.auc);
  EXPECT_NEAR(2 * std::min(found->p_worse, 1 - found->p_worse), expected->p, 1e-12);
}

TEST(Comparison, WhatIsMissingIsAnError) {
  PairedTest test = test_of(Of::auc, 0.01);
  const EvaluationVector vector = model(100, good, test);
  const auto problem = [&](const PairedTest& asked, const EvaluationVector& now) {
    const auto result = compare_models(asked, Direction::higher, now, vector);
    return result ? std::string("accepted") : result.error().message();
  };
  PairedTest other = test;
  other.positive = "cat";
  EXPECT_THAT(problem(other, vector), HasSubstr("no label is the positive one, 'cat'"));
  other = test;
  other.column = "scoer";
  EXPECT_THAT(problem(other, vector), HasSubstr("no column 'scoer'"));
  EXPECT_THAT(problem(test, model(98, good, test)), HasSubstr("test set changed"));
  // Of one class only there is no ranking.
  std::vector<std::uint32_t> negatives = {0, 2, 4};
  EXPECT_FALSE(compare_models(test, Direction::higher, vector, vector, negatives));
}

}  // namespace
}  // namespace pawl::gate
