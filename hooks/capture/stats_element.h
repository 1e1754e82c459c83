// The element types of a tensor and their exact values. Everything is in an unnamed namespace: code built for
// a newer machine must not be shared with the rest of the program by the linker.
#pragma once

#include <cstdint>

#include "hooks/capture/include/pawl/capture.h"

namespace pawl::capture {
namespace {

struct Half {
  uint16_t bits;
};
struct BrainFloat {
  uint16_t bits;
};
struct Bool {
  uint8_t byte;  // true unless 0
};

// Exact, except for 64-bit integers, which are rounded to the nearest double.
template <class T>
inline double to_double(T x) {
  return static_cast<double>(x);
}

inline double to_double(BrainFloat x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return static_cast<double>(value);
}

// IEEE 754 half precision: rebias the exponent; denormals and specials by themselves.
inline double to_double(Half x) {
  const uint64_t sign = static_cast<uint64_t>(x.bits >> 15) << 63;
  const uint64_t exponent = (x.bits >> 10) & 0x1f;
  const uint64_t mantissa = x.bits & 0x3ff;
  if (exponent == 0) {
    const double magnitude = static_cast<double>(mantissa) * 0x1p-24;
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint64_t rebiased = exponent == 0x1f ? 0x7ff : exponent + (1023 - 15);
  const uint64_t bits = sign | rebiased << 52 | mantissa << 42;
  double value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

inline double to_double(Bool x) {
  return x.byte != 0 ? 1.0 : 0.0;
}

template <class T>
inline bool is_zero(T x) {
  return x == 0;
}
inline bool is_zero(Half x) {
  return (x.bits & 0x7fff) == 0;
}
inline bool is_zero(BrainFloat x) {
  return (x.bits & 0x7fff) == 0;
}
inline bool is_zero(Bool x) {
  return x.byte == 0;
}

// Calls `visitor` with `data` as a pointer to its elements; false for an unknown dtype.
template <class Visitor>
inline bool visit_elements(const void* data, pawl_dtype dtype, Visitor visitor) {
  switch (dtype) {
    case PAWL_F32:
      return visitor(static_cast<const float*>(data)), true;
    case PAWL_F64:
      return visitor(static_cast<const double*>(data)), true;
    case PAWL_F16:
      return visitor(static_cast<const Half*>(data)), true;
    case PAWL_BF16:
      return visitor(static_cast<const BrainFloat*>(data)), true;
    case PAWL_I8:
      return visitor(static_cast<const int8_t*>(data)), true;
    case PAWL_I16:
      return visitor(static_cast<const int16_t*>(data)), true;
    case PAWL_I32:
      return visitor(static_cast<const int32_t*>(data)), true;
    case PAWL_I64:
      return visitor(static_cast<const int64_t*>(data)), true;
    case PAWL_U8:
      return visitor(static_cast<const uint8_t*>(data)), true;
    case PAWL_BOOL:
      return visitor(static_cast<const Bool*>(data)), true;
  }
  return false;
}

}  // namespace
}  // namespace pawl::capture
