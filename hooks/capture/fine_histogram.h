// The layout of the 256 bins of a fine histogram (pawl_fine_histogram), for those who fill and who read them.
//
// Bins are in the order of the values:
//   0         -infinity
//   1         finite, up to -2^7
//   2..125    negative, |x| from 2^7 down to 2^-24: quarters of 31 octaves
//   126       negative, |x| below 2^-24
//   127       zero
//   128..254  the same for positive values, mirrored at 127: bin 127 + k has the |x| of bin 127 - k
//   255       NaN
// A quarter of the octave [2^e, 2^(e+1)) is [2^e * (1 + k/4), 2^e * (1 + (k+1)/4)), k = 0..3: exponent and
// the two upper bits of the mantissa, so that a value has its bin without rounding.
#pragma once

#include <cstdint>
#include <cstring>

#include "hooks/capture/include/pawl/capture.h"

namespace pawl::capture {

inline constexpr int kFineBins = 256;
inline constexpr int kFineZero = 127;
inline constexpr int kFineNan = 255;
inline constexpr int kFineLowest = -24;  // binary exponents of the range
inline constexpr int kFineHighest = 7;
inline constexpr int kFineQuarters = 4 * (kFineHighest - kFineLowest);  // bins of one sign within the range
static_assert(kFineZero == kFineQuarters + 3);

inline int fine_bin(double x) {
  if (x == 0) return kFineZero;
  if (x != x) return kFineNan;
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const bool negative = (bits >> 63) != 0;
  const auto quarter = static_cast<int>((bits & ~(uint64_t{1} << 63)) >> 50) - 4 * (1023 + kFineLowest);
  int distance = quarter + 2;  // from zero
  if (quarter < 0) distance = 1;
  if (quarter >= kFineQuarters) distance = kFineQuarters + 2;
  if (__builtin_isinf(x)) distance = kFineQuarters + 3;
  return negative ? kFineZero - distance : kFineZero + distance;
}

// Adds at most 16 evenly spaced blocks of 2048 of `count` elements, all of them if there are no more than
// that, to `bins` and their number to `sampled`. Which ones depends on `count` alone. False for an unknown
// dtype.
bool sample_fine(const void* data, pawl_dtype dtype, uint64_t count, uint32_t* bins, uint64_t& sampled);

}  // namespace pawl::capture
