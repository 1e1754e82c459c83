#include "stages/evaluate/results.h"

#include <gmock/gmock.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "engine/gate/predictions.h"
#include "stages/evaluate/speed.h"
#include "tests/unit/evaluate/fixtures.h"

namespace pawl::evaluate {
namespace {

using testing::ElementsAre;

TEST(Results, TheGateReadsTheMetrics) {
  const std::vector<gate::Metric> metrics = {
      {"accuracy", 0.875, gate::Direction::higher, {}, 8},
      {"f1.caf\u00e9 \"x\"", std::numeric_limits<double>::infinity(), gate::Direction::lower, "ms", {}}};
  const auto read = gate::parse_metrics(metrics_json(metrics), "m");
  ASSERT_TRUE(read.ok()) << message_of(read);
  EXPECT_EQ(*read, metrics);
}

TEST(Results, TheGateReadsThePredictions) {
  PredictionRows rows{{"a,b", "c"}, {"a,b", "say \"c\""}, {{"loss", {0.5, 0.1}}}};
  const std::string text = predictions_csv({"one", "two\nlines"}, rows);
  EXPECT_EQ(text,
            "id,label,prediction,loss\none,\"a,b\",\"a,b\",0.5\n\"two\nlines\",c,\"say \"\"c\"\"\",0.1\n");
  const auto read = gate::parse_predictions_csv(text, "p", {{"loss"}, {}});
  ASSERT_TRUE(read.ok()) << message_of(read);
  EXPECT_EQ(read->right(), 1);
  EXPECT_THAT(read->numbers.at("loss"), ElementsAre(0.5, 0.1));
  EXPECT_EQ(predictions_csv({}, {{"1"}, {"nan"}, {{"score", {std::numeric_limits<double>::quiet_NaN()}}}}),
            "id,label,prediction,score\n0,1,nan,NaN\n");
}

TEST(Results, ConfusionIsJson) {
  const auto json = nlohmann::json::parse(confusion_json({{"a", "b\""}, {1, 2, 3, 4}}));
  EXPECT_EQ(json["classes"], (std::vector<std::string>{"a", "b\""}));
  EXPECT_EQ(json["counts"], (std::vector<std::vector<int>>{{1, 2}, {3, 4}}));
}

TEST(Speed, PercentilesOfFullWarmBatches) {
  std::vector<BatchTime> batches = {{10, 9}, {10, 8}};
  for (int i = 1; i <= 100; ++i) batches.push_back({10, i / 1000.0});
  batches.push_back({3, 7});
  const auto metrics = speed_metrics(batches, 2);
  EXPECT_DOUBLE_EQ(gate::find_metric(metrics, "latency_ms_p50")->value, 50);
  EXPECT_DOUBLE_EQ(gate::find_metric(metrics, "latency_ms_p90")->value, 90);
  EXPECT_DOUBLE_EQ(gate::find_metric(metrics, "latency_ms_p99")->value, 99);
  EXPECT_EQ(gate::find_metric(metrics, "latency_ms_p99")->n, 100);
  EXPECT_EQ(gate::find_metric(metrics, "examples_per_s")->value, 1023 / 2.0);
}

TEST(Speed, OfASingleBatch) {
  EXPECT_DOUBLE_EQ(gate::find_metric(speed_metrics({{3, 0.5}}, 1), "latency_ms_p99")->value, 500);
  EXPECT_DOUBLE_EQ(
      gate::find_metric(speed_metrics({{3, 0.5}, {3, 0.25}, {1, 9}}, 1), "latency_ms_p50")->value, 250);
}

}  // namespace
}  // namespace pawl::evaluate
