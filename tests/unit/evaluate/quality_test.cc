#include "stages/evaluate/quality.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "stages/evaluate/results.h"
#include "tests/unit/evaluate/fixtures.h"

namespace pawl::evaluate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

double value_of(const Quality& quality, const std::string& name) {
  const gate::Metric* metric = gate::find_metric(quality.metrics, name);
  EXPECT_NE(metric, nullptr) << name;
  return metric == nullptr ? -1 : metric->value;
}

bool has(const Quality& quality, const std::string& name) {
  return gate::find_metric(quality.metrics, name) != nullptr;
}

Quality judge(const Outputs& outputs, const std::vector<double>& labels, const ClassOptions& options) {
  const auto probabilities = read_probabilities(outputs, options.task, Scale::probabilities);
  EXPECT_TRUE(probabilities.ok()) << message_of(probabilities);
  return judge_classes(*probabilities, *code_labels({labels, {}}, {}, probabilities->classes), options);
}

// Labels 0, 1, 2, 2; right but for the third.
const Outputs kThree{3, {0.5, 0.25, 0.25, 0, 1, 0, 0.5, 0.25, 0.25, 0.25, 0.25, 0.5}};

TEST(Quality, OfAClassifier) {
  const Quality quality = judge(kThree, {0, 1, 2, 2}, {Task::classification, {1, 2}, false});
  EXPECT_EQ(value_of(quality, "non_finite_outputs"), 0);
  EXPECT_EQ(value_of(quality, "accuracy"), 0.75);
  EXPECT_EQ(value_of(quality, "top_2_accuracy"), 0.75);  // the tie of the third counts against it
  EXPECT_EQ(value_of(quality, "recall.2"), 0.5);
  EXPECT_EQ(value_of(quality, "precision.0"), 0.5);
  EXPECT_NEAR(value_of(quality, "f1.1"), 1, 1e-15);
  EXPECT_NEAR(value_of(quality, "log_loss"), (std::log(2) + 0 + std::log(4) + std::log(2)) / 4, 1e-15);
  EXPECT_THAT(quality.rows.labels, ElementsAre("0", "1", "2", "2"));
  EXPECT_THAT(quality.rows.predictions, ElementsAre("0", "1", "0", "2"));
  ASSERT_EQ(quality.rows.columns.size(), 2u);
  EXPECT_THAT(quality.rows.columns[0].values, ElementsAre(0.5, 1, 0.5, 0.5));
  EXPECT_EQ(quality.rows.columns[1].name, "loss");
  EXPECT_EQ(quality.rows.columns[1].values[2], std::log(4));
  EXPECT_THAT(quality.confusion.cells, ElementsAre(1, 0, 0, 0, 1, 0, 1, 0, 1));
  EXPECT_THAT(quality.notes, IsEmpty());
  EXPECT_FALSE(has(quality, "auc"));
}

TEST(Quality, ScoresOfAllClasses) {
  const Quality quality = judge(kThree, {0, 1, 2, 2}, {Task::classification, {}, true});
  ASSERT_EQ(quality.rows.columns.size(), 5u);
  EXPECT_EQ(quality.rows.columns[4].name, "score_2");
  EXPECT_THAT(quality.rows.columns[4].values, ElementsAre(0.25, 0, 0.25, 0.5));
}

TEST(Quality, OfABinaryClassifier) {
  const Quality quality = judge({1, {0.1, 0.4, 0.35, 0.8}}, {0, 0, 1, 1}, {Task::binary, {}, false});
  EXPECT_EQ(value_of(quality, "auc"), 0.75);
  EXPECT_NEAR(value_of(quality, "average_precision"), 0.8333333333333333, 1e-15);
  EXPECT_EQ(value_of(quality, "precision"), 1);
  EXPECT_EQ(value_of(quality, "recall"), 0.5);
  EXPECT_THAT(quality.rows.columns[0].values, ElementsAre(0.1, 0.4, 0.35, 0.8));
  EXPECT_FALSE(has(quality, "auc_macro"));
}

TEST(Quality, NanIsCountedAndNoMetricHasAValue) {
  Outputs outputs = kThree;
  outputs.values[4] = NAN;
  const Quality quality = judge(outputs, {0, 1, 2, 2}, {Task::classification, {2}, true});
  EXPECT_EQ(value_of(quality, "non_finite_outputs"), 1);
  for (const char* name :
       {"accuracy", "top_2_accuracy", "log_loss", "auc_macro", "calibration_error", "f1.2"})
    EXPECT_TRUE(std::isnan(value_of(quality, name))) << name;
  EXPECT_THAT(quality.rows.predictions, ElementsAre("0", "nan", "0", "2"));
  EXPECT_TRUE(std::isnan(quality.rows.columns[1].values[1]));
  EXPECT_EQ(quality.rows.columns[1].values[3], std::log(2));
  EXPECT_THAT(quality.confusion.cells, ElementsAre(1, 0, 0, 0, 0, 0, 1, 0, 1));
  EXPECT_THAT(quality.notes, ElementsAre(HasSubstr("NaN or infinity for 1 of 4 examples")));
  EXPECT_THAT(metrics_json(quality.metrics), HasSubstr("\"accuracy\": {\"value\":\"NaN\""));
}

TEST(Quality, WhatTheDatasetDoesNotDefineIsLeftOutWithANote) {
  const Quality quality = judge(kThree, {0, 1, 1, 0}, {Task::classification, {}, false});
  EXPECT_FALSE(has(quality, "auc_macro"));
  EXPECT_TRUE(has(quality, "accuracy"));
  EXPECT_THAT(quality.notes,
              ElementsAre(HasSubstr("auc_macro is left out: class 2"), HasSubstr("average_precision")));
}

TEST(Quality, ManyClassesHaveNoMetricsOfTheirOwn) {
  const std::size_t classes = kMaxNamedClasses + 1;
  Outputs outputs{classes, std::vector<double>(classes)};
  outputs.values[7] = 1;
  const Quality quality = judge(outputs, {7}, {Task::classification, {}, false});
  EXPECT_EQ(value_of(quality, "accuracy"), 1);
  EXPECT_FALSE(has(quality, "recall.7"));
  EXPECT_THAT(quality.notes, testing::Contains(HasSubstr("more than 1000 classes")));
}

TEST(Quality, OfNumbers) {
  const auto quality = judge_numbers({1, {2.5, 0, 2, 8}}, {{3, -0.5, 2, 7}, {}});
  ASSERT_TRUE(quality.ok());
  EXPECT_EQ(value_of(*quality, "mae"), 0.5);
  EXPECT_NEAR(value_of(*quality, "rmse"), std::sqrt(0.375), 1e-15);
  EXPECT_NEAR(value_of(*quality, "r2"), 0.9486081370449679, 1e-15);
  EXPECT_THAT(quality->rows.predictions, ElementsAre("2.5", "0", "2", "8"));
  EXPECT_THAT(quality->rows.columns[0].values, ElementsAre(0.25, 0.25, 0, 1));
  EXPECT_TRUE(quality->confusion.classes.empty());
  EXPECT_THAT(judge_numbers({1, {NAN, 1}}, {{3, 2}, {}})->rows.predictions, ElementsAre("nan", "1"));
  EXPECT_THAT(message_of(judge_numbers({2, {1, 2}}, {{3}, {}})), HasSubstr("2 numbers for each example"));
  EXPECT_THAT(message_of(judge_numbers({1, {1}}, {{}, {"a"}})), HasSubstr("'a'"));
}

TEST(Quality, OfARanking) {
  const auto quality = judge_ranking({1, {3, 2, 1, 1, 2}}, {{1, 0, 1, 1, 0}, {}}, {0, 0, 0, 1, 1}, {2, 10});
  const double second = 1 / std::log2(3);
  EXPECT_NEAR(value_of(*quality, "ndcg_2"), (1 / (1 + second) + second) / 2, 1e-15);
  EXPECT_NEAR(value_of(*quality, "ndcg_10"), ((1 + 0.5) / (1 + second) + second) / 2, 1e-15);
  EXPECT_THAT(quality->rows.columns[1].values, ElementsAre(0, 0, 0, 1, 1));
}

}  // namespace
}  // namespace pawl::evaluate
