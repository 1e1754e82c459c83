#include "hooks/capture/stats_block.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace pawl::capture {
namespace {

struct Avx2 {
  using Floats = __m256;
  struct Doubles {
    __m256d low, high;
  };
  using Bytes = __m256i;
  static constexpr size_t kFloats = 8;

  static Floats load(const float* p) { return _mm256_loadu_ps(p); }
  static Floats all(float x) { return _mm256_set1_ps(x); }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats multiply_add(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
  static Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  static Floats abs(Floats a) { return _mm256_andnot_ps(all(-0.0f), a); }
  static bool all_less(Floats a, float limit) {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, all(limit), _CMP_LT_OQ)) == 0xff;
  }
  static bool any_not_less(Floats a, float limit) {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, all(limit), _CMP_NLT_UQ)) != 0;
  }
  static double reduce_min(Floats a) {
    alignas(32) float lanes[kFloats];
    _mm256_store_ps(lanes, a);
    float least = lanes[0];
    for (const float lane : lanes) least = lane < least ? lane : least;
    return static_cast<double>(least);
  }
  static double reduce_max(Floats a) { return -reduce_min(_mm256_xor_ps(a, all(-0.0f))); }

  static Doubles zero_doubles() { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }
  static Doubles add_as_doubles(Doubles total, Floats a) {
    return {_mm256_add_pd(total.low, _mm256_cvtps_pd(_mm256_castps256_ps128(a))),
            _mm256_add_pd(total.high, _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)))};
  }
  static double reduce(Doubles a) {
    alignas(32) double lanes[4];
    _mm256_store_pd(lanes, _mm256_add_pd(a.low, a.high));
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
  }

  static Bytes zero_bytes() { return _mm256_setzero_si256(); }
  static Bytes all_ones() { return _mm256_set1_epi8(-1); }
  static Bytes parity(Bytes a, Bytes b, Bytes c) { return _mm256_xor_si256(_mm256_xor_si256(a, b), c); }
  static Bytes majority(Bytes a, Bytes b, Bytes c) {
    return _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(_mm256_xor_si256(a, b), c));
  }
  static uint64_t count_high_bits(Bytes a) {
    return static_cast<uint64_t>(__builtin_popcount(static_cast<unsigned>(_mm256_movemask_epi8(a))));
  }
  static Bytes double_bytes(Bytes a) { return _mm256_add_epi8(a, a); }
  static Bytes min_bytes(Bytes a, Bytes b) { return _mm256_min_epu8(a, b); }
  static bool any_zero_byte(Bytes a) { return _mm256_movemask_epi8(_mm256_cmpeq_epi8(a, zero_bytes())) != 0; }

  // The biased exponents of 32 floats without sign, in no particular order.
  static Bytes exponents(const Floats* v) {
    const auto exponent = [](Floats x) { return _mm256_srli_epi32(_mm256_castps_si256(x), 23); };
    const Bytes first = _mm256_packus_epi32(exponent(v[0]), exponent(v[1]));
    const Bytes second = _mm256_packus_epi32(exponent(v[2]), exponent(v[3]));
    return _mm256_packus_epi16(first, second);
  }
  static Bytes bucket_of_exponent(Bytes exponents) {
    const Bytes shifted = _mm256_subs_epu8(exponents, _mm256_set1_epi8(127 - 20));
    const Bytes clamped = _mm256_min_epu8(shifted, _mm256_set1_epi8(2 * kBuckets - 1));
    return _mm256_and_si256(_mm256_srli_epi16(clamped, 1), _mm256_set1_epi8(kBuckets - 1));
  }
  static constexpr int64_t kOneBit = static_cast<int64_t>(0x8040201008040201);
  static Bytes one_bit_low(Bytes bucket) {
    return _mm256_shuffle_epi8(_mm256_setr_epi64x(kOneBit, 0, kOneBit, 0), bucket);
  }
  static Bytes one_bit_high(Bytes bucket) {
    return _mm256_shuffle_epi8(_mm256_setr_epi64x(0, kOneBit, 0, kOneBit), bucket);
  }
};

void halves_to_floats(const uint16_t* in, float* out, size_t count) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
  }
  for (; i < count; ++i) out[i] = _cvtsh_ss(in[i]);
}

}  // namespace

Kernel avx2_kernel() {
  return {accumulate_floats<Avx2>, halves_to_floats};
}

}  // namespace pawl::capture

#endif
