#include "engine/gate/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace pawl::gate {
namespace {

using ::testing::HasSubstr;

std::string problem(std::string_view text) {
  const auto metrics = parse_metrics(text, "metrics.json");
  return metrics ? "accepted" : metrics.error().to_string();
}

TEST(Metrics, NumbersAndObjects) {
  const auto metrics = parse_metrics(
      R"({"accuracy": 0.87, "loss": {"value": -3, "direction": "lower", "unit": "nats", "n": 10000}, "epochs": 2})",
      "m");
  ASSERT_TRUE(metrics) << metrics.error().to_string();
  ASSERT_EQ(metrics->size(), 3u);
  EXPECT_EQ((*metrics)[0], (Metric{"accuracy", 0.87, {}, "", {}}));
  EXPECT_EQ((*metrics)[1], (Metric{"loss", -3, Direction::lower, "nats", 10000}));
  EXPECT_EQ((*metrics)[2], (Metric{"epochs", 2, {}, "", {}}));
}

TEST(Metrics, SpelledNonFiniteNumbers) {
  const auto metrics =
      parse_metrics(R"({"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": {"value": "NaN"}})", "m");
  ASSERT_TRUE(metrics) << metrics.error().to_string();
  EXPECT_TRUE(std::isnan((*metrics)[0].value));
  EXPECT_EQ((*metrics)[1].value, INFINITY);
  EXPECT_EQ((*metrics)[2].value, -INFINITY);
  EXPECT_TRUE(std::isnan((*metrics)[3].value));
}

TEST(Metrics, FindByName) {
  const auto metrics = parse_metrics(R"({"a": 1, "b": 2})", "m");
  ASSERT_TRUE(metrics);
  EXPECT_EQ(find_metric(*metrics, "b")->value, 2);
  EXPECT_EQ(find_metric(*metrics, "c"), nullptr);
}

TEST(Metrics, EmptyObjectHasNoMetrics) {
  EXPECT_TRUE(parse_metrics("{}", "m")->empty());
}

TEST(Metrics, DuplicateKeysAreRefused) {
  EXPECT_THAT(problem(R"({"a": 1, "a": 2})"), HasSubstr("\"a\" is given twice"));
  EXPECT_THAT(problem(R"({"a": {"value": 1, "value": 2}})"),
              HasSubstr("\"value\" of metric \"a\" is given twice"));
}

TEST(Metrics, WrongTypesNameTheMetric) {
  EXPECT_THAT(problem(R"({"a": true})"), HasSubstr("metric \"a\" must be a number"));
  EXPECT_THAT(problem(R"({"a": null})"), HasSubstr("not null"));
  EXPECT_THAT(problem(R"({"a": [1]})"), HasSubstr("not a list"));
  EXPECT_THAT(problem(R"({"a": "0.9"})"), HasSubstr("not the text \"0.9\""));
  EXPECT_THAT(problem(R"({"a": {"value": {"x": 1}}})"), HasSubstr("not an object"));
  EXPECT_THAT(problem(R"({"a": {}})"), HasSubstr("metric \"a\" has no \"value\""));
  EXPECT_THAT(problem(R"({"a": {"valeu": 1}})"), HasSubstr("did you mean \"value\"?"));
  EXPECT_THAT(problem(R"({"a": {"value": 1, "direction": "up"}})"),
              HasSubstr("must be \"higher\" or \"lower\""));
  EXPECT_THAT(problem(R"({"a": {"value": 1, "direction": 2}})"), HasSubstr("\"direction\" of metric \"a\""));
  EXPECT_THAT(problem(R"({"a": {"value": 1, "n": -1}})"), HasSubstr("\"n\" of metric \"a\""));
  EXPECT_THAT(problem(R"({"a": {"value": 1, "n": 1.5}})"), HasSubstr("\"n\" of metric \"a\""));
  EXPECT_THAT(problem(R"({"a": {"value": 1, "n": 18446744073709551615}})"),
              HasSubstr("\"n\" of metric \"a\""));
  EXPECT_THAT(problem("[1]"), HasSubstr("expected an object of metrics, found a list"));
  EXPECT_THAT(problem("1"), HasSubstr("expected an object of metrics, found a number"));
  EXPECT_THAT(problem("\"NaN\""), HasSubstr("expected an object of metrics, found a number"));
}

TEST(Metrics, SyntaxErrorsSayWhere) {
  EXPECT_THAT(problem("{\"a\": 1,\n \"b\": }"), HasSubstr("metrics.json:2:7"));
  EXPECT_THAT(problem(""), HasSubstr("this is no JSON"));
  EXPECT_THAT(problem("{\"a\": 1} x"), HasSubstr("this is no JSON"));
  EXPECT_THAT(problem("{\"a\": NaN}"),
              HasSubstr("metrics.json:1:7: this is no JSON: NaN and infinities are"));
  EXPECT_THAT(problem("{\"a\": -Infinity}"), HasSubstr("NaN and infinities are"));
  EXPECT_THAT(problem("{\"a\": 1e999}"), HasSubstr("metrics.json:1:"));
  EXPECT_THAT(problem("{\"\xff\": 1}"), HasSubstr("this is no JSON"));
}

TEST(Metrics, NamesAreChecked) {
  EXPECT_THAT(problem(R"({"": 1})"), HasSubstr("cannot be the name"));
  EXPECT_THAT(problem(R"({"a\u0007": 1})"), HasSubstr("cannot be the name"));
  EXPECT_THAT(problem(R"({"a\u0085": 1})"), HasSubstr("cannot be the name"));
  EXPECT_THAT(problem("{\"" + std::string(129, 'a') + "\": 1}"), HasSubstr("cannot be the name"));
  EXPECT_EQ(problem("{\"" + std::string(128, 'a') + "\": 1}"), "accepted");
  EXPECT_EQ(problem(R"({"Güte <b>": 1})"), "accepted");
}

TEST(Metrics, SizeAndNestingAreCapped) {
  EXPECT_THAT(problem(std::string(kMaxMetricsBytes + 1, ' ')), HasSubstr("larger than"));
  std::string deep = "{\"a\": ";
  for (int i = 0; i < 100'000; ++i) deep += "{\"value\":";
  EXPECT_THAT(problem(deep), HasSubstr("not an object"));
  std::string many = "{";
  for (std::size_t i = 0; i <= kMaxMetrics; ++i) many += (i ? ",\"m" : "\"m") + std::to_string(i) + "\":1";
  EXPECT_THAT(problem(many + "}"), HasSubstr("more than 10000 metrics"));
}

}  // namespace
}  // namespace pawl::gate
