// Norms from the one-pass statistics of a tensor.
#pragma once

#include <algorithm>
#include <cmath>

#include "engine/rules/input.h"

namespace pawl::rules {

inline uint64_t non_finite_count(const trace::TensorStats& s) {
  return s.nan + s.inf;
}
inline bool all_finite(const trace::TensorStats& s) {
  return non_finite_count(s) == 0;
}
// A corrupt record may claim more bad elements than elements.
inline double finite_count(const trace::TensorStats& s) {
  return s.count > non_finite_count(s) ? static_cast<double>(s.count - non_finite_count(s)) : 0;
}
inline double abs_max(const trace::TensorStats& s) {
  return std::max(std::abs(s.min), std::abs(s.max));
}
inline double l2(const trace::TensorStats& s) {
  return std::sqrt(s.square_sum);
}
inline double rms(const trace::TensorStats& s) {
  double n = finite_count(s);
  return n > 0 ? std::sqrt(s.square_sum / n) : 0;
}
inline double abs_mean(const trace::TensorStats& s) {
  double n = finite_count(s);
  return n > 0 ? s.abs_sum / n : 0;
}
inline double zero_share(const trace::TensorStats& s) {
  return s.count > 0 ? static_cast<double>(s.zero) / static_cast<double>(s.count) : 0;
}

inline bool is_parameter(trace::Kind kind) {
  return kind == trace::Kind::weight || kind == trace::Kind::bias;
}

}  // namespace pawl::rules
