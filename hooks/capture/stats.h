// Statistics of one array in one pass over memory.
//
// Every element is looked at exactly as a double (64-bit integers: as the nearest one). They go through a
// vector kernel, float, half, bfloat16 and the 8- and 16-bit integers in single precision: blocks of kBlock
// elements are summed in lanes (at most 128 additions each) which are then added in double; a block for which
// that would not do (NaN, infinity, squares out of range) is summed again in double. The rest is summed in
// double throughout.
//
// Bound: |sum - exact| <= 2^-16 * (sum of |x|), the same for abs_sum, and 2^-16 relative for square_sum;
// typically 1e-8, and 1e-13 for doubles and 32- and 64-bit integers. Counts, min, max and magnitudes are
// exact. Results may differ in the last digits between instruction sets. square_sum (sum, abs_sum) of doubles
// overflows to infinity where the true value does; squares of doubles below 2^-511 leave the range of doubles
// and count only to within 2^-1075 each.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hooks/capture/include/pawl/capture.h"

namespace pawl::capture {

inline constexpr size_t kBlock = 2048;  // elements: at most 16 KiB, stays in the first-level cache
inline constexpr int kBuckets = 16;

// Running statistics: min and max are +-infinity until there is a finite element.
struct Totals {
  uint64_t count = 0;
  uint64_t nan = 0;
  uint64_t inf = 0;
  uint64_t zero = 0;
  double min = __builtin_inf();
  double max = -__builtin_inf();
  double sum = 0;
  double abs_sum = 0;
  double square_sum = 0;
  uint64_t magnitude[kBuckets] = {};
};

enum class Simd { baseline, avx2, avx512, neon };

// Whether this program has it and this machine can do it.
bool has_simd(Simd simd);

// The best this machine can do; found once.
Simd best_simd();

// Adds `count` elements of host memory to `totals`. False for an unknown dtype.
bool accumulate(Simd simd, const void* data, pawl_dtype dtype, uint64_t count, Totals& totals);

// One element, finite or not, the slow way: what all others must agree with. Static: the copies compiled for
// newer machines must not become everybody's.
static inline void accumulate_one(double x, Totals& totals) {
  uint64_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const int exponent = static_cast<int>((bits >> 52) & 0x7ff);
  if (exponent == 0x7ff) {
    ((bits << 12) != 0 ? totals.nan : totals.inf) += 1;
    return;
  }
  if (x < totals.min) totals.min = x;
  if (x > totals.max) totals.max = x;
  if (x == 0) {
    ++totals.zero;
    return;
  }
  totals.sum += x;
  totals.abs_sum += __builtin_fabs(x);
  totals.square_sum += x * x;
  int bucket = (exponent - 1023 + 20) >> 1;  // floor(log2|x|) in [2k-20, 2k-18)
  if (bucket < 0) bucket = 0;
  if (bucket >= kBuckets) bucket = kBuckets - 1;
  ++totals.magnitude[bucket];
}

// accumulate() for one instruction set each, compiled in files of their own. They do not count `count`.
bool accumulate_avx2(const void* data, pawl_dtype dtype, uint64_t count, Totals& totals);
bool accumulate_avx512(const void* data, pawl_dtype dtype, uint64_t count, Totals& totals);
bool accumulate_neon(const void* data, pawl_dtype dtype, uint64_t count, Totals& totals);

}  // namespace pawl::capture
