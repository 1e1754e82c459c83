#include "engine/gate/attribution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "engine/gate/normal.h"
#include "engine/gate/predictions.h"

namespace pawl::gate {
namespace {

using Rows = std::function<std::string(int)>;  // label,prediction[,column...] of an example

Evidence measured(double value, int n, const std::string& header, const Rows& rows,
                  const WantedColumns& wanted = {}) {
  std::string text = "id,label,prediction" + header + "\n";
  for (int i = 0; i < n; ++i) text += std::to_string(i) + "," + rows(i) + "\n";
  auto vector = parse_predictions_csv(text, "predictions.csv", wanted);
  EXPECT_TRUE(vector.ok()) << vector.error().to_string();
  Evidence out;
  out.metrics.push_back({"m", value, std::nullopt, "", std::nullopt});
  out.vectors["predictions.csv"] = std::move(*vector);
  return out;
}

// Right on examples from `from` to before `to`.
Evidence model(int from, int to, int n = 100, const std::string& label = "1") {
  return measured(static_cast<double>(to - from) / n, n, "",
                  [&](int i) { return label + "," + (i >= from && i < to ? label : "x"); });
}

MetricRule rule_of(PairedTest::Of of) {
  MetricRule rule;
  rule.metric = "m";
  rule.paired = PairedTest();
  rule.paired->of = of;
  return rule;
}

Attribution of(const MetricRule& rule, const Evidence& a, const Evidence& b, const Evidence& c,
               const Evidence& d) {
  auto found = attribute(rule, {{{&a, &b}, {&c, &d}}}, 0.025);
  EXPECT_TRUE(found.ok()) << found.error().to_string();
  return std::move(*found);
}

TEST(Attribution, TheEffectsAddUpToTheChange) {
  const Attribution found =
      of(rule_of(PairedTest::Of::accuracy), model(0, 90), model(0, 80), model(0, 88), model(0, 70));
  EXPECT_NEAR(found.total.change, -0.20, 1e-12);
  EXPECT_NEAR(found.code.change, (-0.02 - 0.10) / 2, 1e-12);
  EXPECT_NEAR(found.data.change, (-0.10 - 0.18) / 2, 1e-12);
  EXPECT_NEAR(found.code.change + found.data.change, found.total.change, 1e-12);
  EXPECT_NEAR(found.interaction.change, -0.08, 1e-12);
  EXPECT_EQ(found.values[0][1], 0.8);
}

// By hand: the code makes 10 of 100 examples wrong, with either data, so each combination is -1 or 0.
TEST(Attribution, TheIntervalIsThatOfTheMeanOfTheCombination) {
  const Attribution found =
      of(rule_of(PairedTest::Of::accuracy), model(0, 90), model(0, 90), model(10, 90), model(10, 90));
  const double half = normal_quantile(0.975) * std::sqrt(0.1 * 0.9 / 99);
  ASSERT_TRUE(found.code.interval);
  EXPECT_NEAR(found.code.interval->low, -0.1 - half, 1e-12);
  EXPECT_NEAR(found.code.interval->high, -0.1 + half, 1e-12);
  EXPECT_EQ(found.data.interval->low, 0);
  EXPECT_EQ(found.data.interval->high, 0);
  EXPECT_EQ(found.no_interval, "");
}

// With another test set the old and the new data are independent samples: variances add.
TEST(Attribution, TwoTestSetsAreIndependent) {
  const Attribution found = of(rule_of(PairedTest::Of::accuracy), model(0, 90), model(0, 90, 100, "2"),
                               model(0, 90), model(0, 90, 100, "2"));
  ASSERT_TRUE(found.data.interval);
  const double half = normal_quantile(0.975) * std::sqrt(2 * 0.9 * 0.1 / 99);
  EXPECT_NEAR(found.data.interval->high, half, 1e-12);
  EXPECT_EQ(found.code.interval->high, 0);
}

TEST(Attribution, AMeanOfAColumn) {
  MetricRule rule = rule_of(PairedTest::Of::mean);
  rule.paired->column = "loss";
  rule.direction = Direction::lower;
  WantedColumns wanted;
  wanted.numbers.insert("loss");
  const auto losses = [&](double base) {
    return measured(
        base, 50, ",loss", [base](int i) { return "1,1," + std::to_string(base + 0.01 * i); }, wanted);
  };
  const Attribution found = of(rule, losses(1), losses(1.5), losses(1.2), losses(1.7));
  EXPECT_NEAR(found.code.change, 0.2, 1e-9);
  EXPECT_NEAR(found.data.change, 0.5, 1e-9);
  EXPECT_NEAR(found.data.interval->low, 0.5, 1e-9);  // each example changed alike
}

TEST(Attribution, OtherTestsTakeTheirOwnIntervals) {
  MetricRule rule = rule_of(PairedTest::Of::auc);
  rule.paired->positive = "1";
  rule.paired->column = "score";
  WantedColumns wanted;
  wanted.classes = true;
  wanted.numbers.insert("score");
  std::mt19937 random(1);
  std::normal_distribution<double> noise;
  const auto scores = [&](double signal) {
    return measured(
        0.8, 200, ",score",
        [&](int i) {
          return std::string(i % 2 == 0 ? "0,0," : "1,1,") + std::to_string(signal * (i % 2) + noise(random));
        },
        wanted);
  };
  const Evidence strong = scores(3);
  const Evidence weak = scores(0.2);
  const Attribution found = of(rule, strong, strong, weak, weak);
  ASSERT_TRUE(found.code.interval);
  EXPECT_LT(found.code.interval->high, -0.2);
  EXPECT_EQ(found.data.interval->low, 0);
  EXPECT_FALSE(found.interaction.interval);
}

TEST(Attribution, SaysWhyThereIsNoInterval) {
  MetricRule rule = rule_of(PairedTest::Of::accuracy);
  Evidence bare = model(0, 90);
  bare.vectors.clear();
  const Evidence whole = model(0, 90);
  EXPECT_EQ(of(rule, whole, whole, whole, bare).no_interval,
            "the new code with the new data left no predictions.csv");
  rule.paired.reset();
  EXPECT_EQ(of(rule, whole, whole, whole, whole).no_interval, "the gate has no paired test of it");
}

TEST(Attribution, AMissingNumberHasItsPlace) {
  const Evidence whole = model(0, 90);
  Evidence none = whole;
  none.metrics.clear();
  const auto found =
      attribute(rule_of(PairedTest::Of::accuracy), {{{&whole, &none}, {&whole, &whole}}}, 0.025);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().message(), "m of the old code with the new data is missing");
}

TEST(Attribution, TheSentenceSaysWhatMayBeChance) {
  const Attribution found = of(rule_of(PairedTest::Of::accuracy), model(0, 900, 1000), model(0, 700, 1000),
                               model(0, 899, 1000), model(0, 699, 1000));
  EXPECT_EQ(
      describe(found, 0.025),
      "the data changed m by -20.0 points (95 % CI -22.5 to -17.5), the code by -0.1 points (95 % CI -0.2 to "
      "+0.0), which may be chance");
}

}  // namespace
}  // namespace pawl::gate
