// The test sets of fixtures/quality.json with their metrics as scikit-learn gives them.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "tests/unit/gate/fixtures.h"

namespace pawl::gate {

inline constexpr double kFixtureTolerance = 1e-9;

inline Json quality_fixtures(const char* kind) {
  Json fixtures = Json::parse(fixture_text("quality.json"));
  EXPECT_TRUE(fixtures.contains(kind));
  return fixtures[kind];
}

}  // namespace pawl::gate
