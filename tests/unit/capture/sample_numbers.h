// Numbers that the tests of statistics are fed with.
#pragma once

#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace pawl::capture {

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kDenormal = 1e-40f;

inline std::vector<float> normal_floats(size_t count, float scale, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> data(count);
  for (float& x : data) x = normal(random);
  return data;
}

}  // namespace pawl::capture
