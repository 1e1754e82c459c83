#include "engine/gate/comparability.h"

#include <gtest/gtest.h>

#include "engine/gate/predictions.h"

namespace pawl::gate {
namespace {

EvaluationVector vector_of(const std::string& rows) {
  auto vector = parse_predictions_csv("id,label,prediction\n" + rows, "predictions.csv", {});
  EXPECT_TRUE(vector.ok()) << vector.error().to_string();
  return std::move(*vector);
}

Evidence measured(const std::string& rows, const std::string& evaluator = "") {
  Evidence out;
  out.metrics.push_back({"accuracy", 0.5, std::nullopt, "", std::nullopt});
  out.vectors["predictions.csv"] = vector_of(rows);
  out.evaluator = evaluator;
  return out;
}

MetricRule drop_rule() {
  MetricRule rule;
  rule.metric = "accuracy";
  rule.max_drop = 0.1;
  return rule;
}

const std::string kRows = "a,1,1\nb,0,1\n";

TEST(Comparability, OtherAnswersAreComparable) {
  EXPECT_EQ(why_incomparable(drop_rule(), measured(kRows), measured("b,0,0\na,1,0\n")), "");
}

TEST(Comparability, OtherExamplesAreNot) {
  EXPECT_EQ(why_incomparable(drop_rule(), measured(kRows), measured("a,1,1\n")),
            "test set changed: 2 examples, were 1");
  EXPECT_EQ(why_incomparable(drop_rule(), measured(kRows), measured("a,1,1\nb,1,1\n")),
            "test set changed: 2 examples, but other ids or labels");
}

TEST(Comparability, WithoutPredictionsTheCountSpeaks) {
  Evidence now;
  now.metrics.push_back({"accuracy", 0.5, std::nullopt, "", 100});
  Evidence then = now;
  EXPECT_EQ(why_incomparable(drop_rule(), now, then), "");
  then.metrics.front().n = 90;
  EXPECT_EQ(why_incomparable(drop_rule(), now, then), "test set changed: 100 examples, were 90");
  then.metrics.front().n.reset();
  EXPECT_EQ(why_incomparable(drop_rule(), now, then), "");
}

TEST(Comparability, AnEvaluatorCountsAsFarAsBothAreKnown) {
  EXPECT_EQ(why_incomparable(drop_rule(), measured(kRows, "x"), measured(kRows, "x")), "");
  EXPECT_EQ(why_incomparable(drop_rule(), measured(kRows, "x"), measured(kRows)), "");
  EXPECT_EQ(why_incomparable(drop_rule(), measured(kRows, "x"), measured(kRows, "y")),
            "the evaluator, or data that it reads, is another than");
}

TEST(Comparability, AnotherTestSetIsToldBeforeAnotherEvaluator) {
  EXPECT_EQ(why_incomparable(drop_rule(), measured(kRows, "x"), measured("a,1,1\n", "y")),
            "test set changed: 2 examples, were 1");
}

TEST(Comparability, OnlyWhatThePolicyComparesMatters) {
  Policy policy;
  policy.metrics.push_back(drop_rule());
  const Evidence now = measured(kRows, "x");
  const Evidence then = measured("a,1,1\n", "x");
  EXPECT_NE(why_incomparable(policy, now, then), "");
  policy.metrics.front().max_drop.reset();
  policy.metrics.front().floor = 0.5;
  EXPECT_EQ(why_incomparable(policy, now, then), "");
  policy.metrics.front().slices.emplace_back().max_drop = 0.1;
  EXPECT_NE(why_incomparable(policy, now, then), "");
  policy.metrics.clear();
  policy.conditions.emplace_back().condition = *parse_condition("n > 0.5 +/- 0.1", "");
  EXPECT_EQ(why_incomparable(policy, now, then), "");
  policy.conditions.front().condition = *parse_condition("n - o > 0 +/- 0.1", "");
  EXPECT_NE(why_incomparable(policy, now, then), "");
}

}  // namespace
}  // namespace pawl::gate
