#include "hooks/capture/stats.h"

#include <algorithm>
#include <bit>
#include <cmath>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pawl::capture {

namespace {

// The caller may have switched on flush-to-zero or floating-point traps: neither may change what is counted,
// and our arithmetic on its NaNs must not end its process. Restores the caller's state, flags included.
class PlainArithmetic {
 public:
#if defined(__x86_64__)
  PlainArithmetic() : saved_(_mm_getcsr()) { _mm_setcsr(0x1f80); }  // round to nearest, all traps masked
  ~PlainArithmetic() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#else
  PlainArithmetic() = default;
#endif
  PlainArithmetic(const PlainArithmetic&) = delete;
  PlainArithmetic& operator=(const PlainArithmetic&) = delete;
};

// IEEE 754 half precision: rebias the exponent; denormals and specials by themselves.
float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 0x1f;
  const uint32_t mantissa = half & 0x3ff;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t rebiased = exponent == 0x1f ? 0xff : exponent + 112;
  return std::bit_cast<float>(sign | rebiased << 23 | mantissa << 13);
}

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
    for (size_t i = 0; i < n; ++i) accumulate_one(static_cast<double>(data[i]), block);
    merge(block, totals);
    data += n;
    count -= n;
  }
}

// Converts block by block to float, which holds every value of T exactly.
template <class T, class Convert>
void accumulate_as_float(const Kernel& kernel, const T* data, uint64_t count, Totals& totals,
                         Convert convert) {
  alignas(64) float block[kBlock];
  while (count > 0) {
    const size_t n = std::min<uint64_t>(count, kBlock);
    convert(data, block, n);
    kernel.f32(block, n, totals);
    data += n;
    count -= n;
  }
}

template <class T>
void plain_to_float(const T* in, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>(in[i]);
}

void bf16_to_float(const uint16_t* in, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i) out[i] = std::bit_cast<float>(static_cast<uint32_t>(in[i]) << 16);
}

void bool_to_float(const uint8_t* in, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i) out[i] = in[i] != 0 ? 1.0f : 0.0f;
}

Kernel baseline_kernel() {
  return {[](const float* data, size_t count, Totals& totals) { accumulate_exact(data, count, totals); },
          [](const uint16_t* in, float* out, size_t count) {
            for (size_t i = 0; i < count; ++i) out[i] = half_to_float(in[i]);
          }};
}

Kernel kernel_of(Simd simd) {
#if defined(__x86_64__)
  if (simd == Simd::avx512) return avx512_kernel();
  if (simd == Simd::avx2) return avx2_kernel();
#else
  static_cast<void>(simd);
#endif
  return baseline_kernel();
}

Simd detect() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c")) {
    return Simd::baseline;
  }
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return wide ? Simd::avx512 : Simd::avx2;
#else
  return Simd::baseline;
#endif
}

}  // namespace

Simd best_simd() {
  static const Simd best = detect();
  return best;
}

bool accumulate(Simd simd, const void* data, pawl_dtype dtype, uint64_t count, Totals& totals) {
  const PlainArithmetic plain;
  const Kernel kernel = kernel_of(simd);
  switch (dtype) {
    case PAWL_F32:
      kernel.f32(static_cast<const float*>(data), count, totals);
      break;
    case PAWL_F64:
      accumulate_exact(static_cast<const double*>(data), count, totals);
      break;
    case PAWL_I32:
      accumulate_exact(static_cast<const int32_t*>(data), count, totals);
      break;
    case PAWL_I64:
      accumulate_exact(static_cast<const int64_t*>(data), count, totals);
      break;
    case PAWL_F16:
      accumulate_as_float(kernel, static_cast<const uint16_t*>(data), count, totals, kernel.f16_to_f32);
      break;
    case PAWL_BF16:
      accumulate_as_float(kernel, static_cast<const uint16_t*>(data), count, totals, bf16_to_float);
      break;
    case PAWL_I8:
      accumulate_as_float(kernel, static_cast<const int8_t*>(data), count, totals, plain_to_float<int8_t>);
      break;
    case PAWL_I16:
      accumulate_as_float(kernel, static_cast<const int16_t*>(data), count, totals, plain_to_float<int16_t>);
      break;
    case PAWL_U8:
      accumulate_as_float(kernel, static_cast<const uint8_t*>(data), count, totals, plain_to_float<uint8_t>);
      break;
    case PAWL_BOOL:
      accumulate_as_float(kernel, static_cast<const uint8_t*>(data), count, totals, bool_to_float);
      break;
    default:
      return false;
  }
  totals.count += count;
  return true;
}

}  // namespace pawl::capture
