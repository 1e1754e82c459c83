#include "hooks/capture/stats.h"

#include <algorithm>

#include "hooks/capture/plain_arithmetic.h"
#include "hooks/capture/stats_element.h"

namespace pawl::capture {

namespace {

// Adds what a block collected to the whole: partial sums keep the rounding error of a long array small.
void merge(const Totals& block, Totals& totals) {
  totals.nan += block.nan;
  totals.inf += block.inf;
  totals.zero += block.zero;
  totals.min = std::min(totals.min, block.min);
  totals.max = std::max(totals.max, block.max);
  totals.sum += block.sum;
  totals.abs_sum += block.abs_sum;
  totals.square_sum += block.square_sum;
  for (int k = 0; k < kBuckets; ++k) totals.magnitude[k] += block.magnitude[k];
}

template <class T>
void accumulate_exact(const T* data, uint64_t count, Totals& totals) {
  while (count > 0) {
    const size_t n = std::min<uint64_t>(count, kBlock);
    Totals block;
    for (size_t i = 0; i < n; ++i) accumulate_one(to_double(data[i]), block);
    merge(block, totals);
    data += n;
    count -= n;
  }
}

bool accumulate_baseline(const void* data, pawl_dtype dtype, uint64_t count, Totals& totals) {
  return visit_elements(data, dtype,
                        [&](const auto* elements) { accumulate_exact(elements, count, totals); });
}

}  // namespace

bool has_simd(Simd simd) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c") && __builtin_cpu_supports("popcnt");
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return simd == Simd::baseline || (simd == Simd::avx2 && avx2) || (simd == Simd::avx512 && avx2 && wide);
#elif defined(__aarch64__)
  return simd == Simd::baseline || simd == Simd::neon;
#else
  return simd == Simd::baseline;
#endif
}

Simd best_simd() {
  static const Simd best = [] {
    for (const Simd simd : {Simd::neon, Simd::avx512, Simd::avx2}) {
      if (has_simd(simd)) return simd;
    }
    return Simd::baseline;
  }();
  return best;
}

bool accumulate(Simd simd, const void* data, pawl_dtype dtype, uint64_t count, Totals& totals) {
  const PlainArithmetic plain;
  auto* kernel = accumulate_baseline;
#if defined(__x86_64__)
  if (simd == Simd::avx2) kernel = accumulate_avx2;
  if (simd == Simd::avx512) kernel = accumulate_avx512;
#elif defined(__aarch64__)
  if (simd == Simd::neon) kernel = accumulate_neon;
#else
  static_cast<void>(simd);
#endif
  if (!kernel(data, dtype, count, totals)) return false;
  totals.count += count;
  return true;
}

}  // namespace pawl::capture
