// Comparing with printed oracles and with fixtures/statistics.json.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/gate/interval.h"
#include "tests/unit/gate/fixtures.h"

namespace pawl::gate {

// Half a unit of the last printed digit of an oracle given with `digits` significant digits.
inline double last_digit(double value, int digits) {
  return 0.5000001 * std::pow(10.0, std::floor(std::log10(std::abs(value))) + 1 - digits);
}

#define EXPECT_DIGITS(actual, oracle, digits) EXPECT_NEAR(actual, oracle, last_digit(oracle, digits))

// What the fixtures promise. The absolute term is for values that are zero but for rounding.
#define EXPECT_SAME(actual, expected) \
  EXPECT_NEAR(actual, (expected).get<double>(), 1e-9 * std::abs((expected).get<double>()) + 1e-15)

inline void expect_same_interval(const Interval& actual, const nlohmann::json& expected) {
  EXPECT_SAME(actual.low, expected.at(0));
  EXPECT_SAME(actual.high, expected.at(1));
}

inline nlohmann::json fixture(const std::string& name) {
  return nlohmann::json::parse(fixture_text("statistics.json")).at(name);
}

inline std::vector<double> doubles(const nlohmann::json& values) {
  return values.get<std::vector<double>>();
}

}  // namespace pawl::gate
