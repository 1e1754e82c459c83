// The test sets of fixtures/quality.json with their metrics as scikit-learn gives them.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/json.h"

namespace pawl::gate {

inline constexpr double kFixtureTolerance = 1e-9;

inline Json quality_fixtures(const char* kind) {
  auto text = read_file(PAWL_GATE_FIXTURES_DIR "/quality.json", 1 << 20);
  EXPECT_TRUE(text.ok());
  Json fixtures = Json::parse(std::move(text).value_or("{}"));
  EXPECT_TRUE(fixtures.contains(kind));
  return fixtures[kind];
}

}  // namespace pawl::gate
