#include "engine/trace/log_line.h"

#include <gmock/gmock.h>

#include <cmath>

namespace pawl::trace {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

const LossNames kLosses = {"loss", "train loss"};

LogLine parse(std::string_view text) {
  auto line = parse_log_line(text, kLosses);
  EXPECT_TRUE(line.ok()) << line.error().to_string();
  return line.ok() ? *line : LogLine();
}
std::string refused(std::string_view text) {
  auto line = parse_log_line(text, kLosses);
  EXPECT_FALSE(line.ok()) << text;
  return line.ok() ? "" : line.error().message();
}

TEST(LogLine, NumbersStepAndMode) {
  const LogLine line = parse(R"({"step": 12, "loss": 0.25, "lr": 1e-3, "mode": "eval", "train loss": -2})");
  EXPECT_EQ(line.step, 12u);
  EXPECT_EQ(line.eval, true);
  ASSERT_THAT(line.values, SizeIs(3));
  for (const LoggedValue& value : line.values) {
    EXPECT_EQ(value.kind, value.name == "lr" ? Kind::scalar : Kind::loss) << value.name;
  }
  EXPECT_EQ(parse(R"({"step": 3.0})").step, 3u);
  EXPECT_EQ(parse("{}").step, std::nullopt);
  EXPECT_EQ(parse("{}").eval, std::nullopt);
}

TEST(LogLine, NumbersThatAreNotFinite) {
  const LogLine line = parse(R"({"a NaN \" NaN": NaN, "b": -Infinity, "c": "Infinity"})");
  ASSERT_THAT(line.values, SizeIs(3));
  EXPECT_EQ(line.values[0].name, "a NaN \" NaN");
  EXPECT_TRUE(std::isnan(line.values[0].value));
  EXPECT_EQ(line.values[1].value, -INFINITY);
  EXPECT_EQ(line.values[2].value, INFINITY);
}

TEST(LogLine, SaysWhatIsWrong) {
  EXPECT_THAT(refused("epoch 3 of 10"), HasSubstr("is not JSON"));
  EXPECT_THAT(refused("[1]"), HasSubstr("is no JSON object"));
  EXPECT_THAT(refused(R"({"loss": "low"})"), HasSubstr(R"('loss' must be a number, "NaN")"));
  EXPECT_THAT(refused(R"({"loss": null})"), HasSubstr("not null"));
  EXPECT_THAT(refused(R"({"loss": null})"), HasSubstr("'loss' must be a number"));
  EXPECT_THAT(refused(R"({"step": -1})"),
              HasSubstr("'step' must be a number from 0 to 1000000000000, not -1"));
  EXPECT_THAT(refused(R"({"step": 1.5})"), HasSubstr("not 1.5"));
  EXPECT_THAT(refused(R"({"step": 1000000000001})"), HasSubstr("not 1000000000001"));
  EXPECT_THAT(refused(R"({"step": 18446744073709551615})"), HasSubstr("not 18446744073709551615"));
  EXPECT_THAT(refused(R"({"step": NaN})"), HasSubstr("'step'"));
  EXPECT_THAT(refused(R"({"mode": "test"})"), HasSubstr("'train' or 'eval', not 'test'"));
  EXPECT_THAT(refused(R"({"": 1})"), HasSubstr("without a name"));
  EXPECT_THAT(refused("{\"" + std::string(5000, 'x') + "\": 1}"), HasSubstr("longer than 4096 bytes"));
  EXPECT_THAT(refused(std::string(100, '[')), HasSubstr("nested deeper"));
}

TEST(LogLine, WhatIsNoNumberIsLeftOut) {
  const LogLine line = parse(
      R"({"step": 3, "time": "12:00", "note": null, "done": true, "of": {"loss": 1}, "loss": 2, "lr": 0.5})");
  ASSERT_EQ(line.values.size(), 2u);
  EXPECT_EQ(line.values[0].name, "loss");
  EXPECT_EQ(line.values[1].name, "lr");
}

TEST(LogValue, NameAndNumber) {
  const auto value = [](std::string_view text) { return parse_log_value(text, kLosses).value(); };
  EXPECT_EQ(value("loss=0.5").value, 0.5);
  EXPECT_EQ(value("loss=0.5").kind, Kind::loss);
  EXPECT_EQ(value("a=b=-1e3").name, "a=b");
  EXPECT_EQ(value("a=b=-1e3").value, -1000);
  EXPECT_TRUE(std::isnan(value("x=nan").value));
  EXPECT_TRUE(std::isnan(value("x=-NaN").value));
  EXPECT_EQ(value("x=-inf").value, -INFINITY);
  EXPECT_EQ(value("x=Infinity").value, INFINITY);
  for (const char* wrong :
       {"loss", "=1", "loss=", "loss=1,5", "loss=1 ", "loss=0x1p3z", "loss=one", "loss=1e999"}) {
    EXPECT_FALSE(parse_log_value(wrong, kLosses).ok()) << wrong;
  }
}

}  // namespace
}  // namespace pawl::trace
