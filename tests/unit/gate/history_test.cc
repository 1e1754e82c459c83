// Oracles: the worked example of Bencher's documentation, and SciPy.
#include "engine/gate/history.h"

#include <limits>

#include "tests/unit/gate/numbers.h"

namespace pawl::gate {
namespace {

// n values of mean 100 and sample deviation 10, n odd.
std::vector<double> around_hundred(std::size_t n) {
  std::vector<double> values(n, 100);
  for (std::size_t i = 1; i < n; ++i) values[i] += i % 2 == 0 ? 10 : -10;
  return values;
}

TEST(History, AgreesWithBencher) {
  const Interval interval = prediction_interval(around_hundred(25), 1 - .977).value();
  EXPECT_DIGITS(interval.low, 78.54, 4);
  EXPECT_DIGITS(interval.high, 121.46, 5);
}

TEST(History, ALongOneHasTheNormalInterval) {
  const Interval interval = prediction_interval(around_hundred(1'000'001), 1 - .977).value();
  EXPECT_DIGITS(interval.low, 80.05, 4);
  EXPECT_DIGITS(interval.high, 119.95, 5);
}

TEST(History, AgreesWithSciPy) {
  for (const auto& it : fixture("history")) {
    expect_same_interval(prediction_interval(doubles(it.at("values")), it.at("alpha")).value(),
                         it.at("interval"));
  }
}

TEST(History, ADeterministicMetricLeavesNoRoom) {
  for (const std::size_t n : {5, 6, 7, 49, 100}) {
    const Interval interval = prediction_interval(std::vector<double>(n, .913), .05).value();
    EXPECT_EQ(interval.low, .913) << n;
    EXPECT_EQ(interval.high, .913) << n;
  }
}

TEST(History, AShareStaysWithinItsRange) {
  const std::vector<double> shares = {.99, 1, .98, 1, .97};
  const Interval next = prediction_interval(shares, .05).value();
  ASSERT_GT(next.high, 1);
  EXPECT_EQ(within_range(next, shares, true).high, 1);
  EXPECT_EQ(within_range(next, shares, true).low, next.low);
  EXPECT_EQ(within_range(next, shares, false).high, next.high) << "a loss of 1.1 is nothing special";
  const std::vector<double> errors = {.01, 0, .02, 0, .03};
  EXPECT_EQ(within_range(prediction_interval(errors, .05).value(), errors, false).low, 0);
  const std::vector<double> losses = {.9, 1.1, .95, 1.05, 1};
  const Interval wide = prediction_interval(losses, .05).value();
  EXPECT_EQ(within_range(wide, losses, true).high, wide.high);
}

TEST(History, RefusesTooFewValuesAndNoNumbers) {
  EXPECT_EQ(prediction_interval(std::vector<double>(4, 1), .05).error().code(), ErrorCode::invalid);
  EXPECT_TRUE(prediction_interval(std::vector<double>(5, 1), .05).ok());
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(prediction_interval(std::vector<double>{1, 2, 3, bad, 5}, .05).error().code(),
              ErrorCode::invalid);
  }
  EXPECT_EQ(prediction_interval(std::vector<double>{1e308, -1e308, 1e308, -1e308, 0}, .05).error().code(),
            ErrorCode::invalid);
}

}  // namespace
}  // namespace pawl::gate
