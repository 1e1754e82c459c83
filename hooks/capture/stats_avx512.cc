#include "hooks/capture/stats_block.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace pawl::capture {
namespace {

struct Avx512 {
  using Floats = __m512;
  using Doubles = __m512d;
  using Bytes = __m512i;
  static constexpr size_t kFloats = 16;

  static Floats load(const float* p) { return _mm512_loadu_ps(p); }
  static Floats all(float x) { return _mm512_set1_ps(x); }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats multiply_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
  static Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static Floats abs(Floats a) { return _mm512_abs_ps(a); }
  static bool all_less(Floats a, float limit) {
    return _mm512_cmp_ps_mask(a, all(limit), _CMP_LT_OQ) == 0xffff;
  }
  static bool any_not_less(Floats a, float limit) {
    return _mm512_cmp_ps_mask(a, all(limit), _CMP_NLT_UQ) != 0;
  }
  static double reduce_min(Floats a) { return _mm512_reduce_min_ps(a); }
  static double reduce_max(Floats a) { return _mm512_reduce_max_ps(a); }

  static Doubles zero_doubles() { return _mm512_setzero_pd(); }
  static Doubles add_as_doubles(Doubles total, Floats a) {
    const Doubles low = _mm512_cvtps_pd(_mm512_castps512_ps256(a));
    const Doubles high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1));
    return _mm512_add_pd(total, _mm512_add_pd(low, high));
  }
  static double reduce(Doubles a) { return _mm512_reduce_add_pd(a); }

  static Bytes zero_bytes() { return _mm512_setzero_si512(); }
  static Bytes all_ones() { return _mm512_set1_epi8(-1); }
  static Bytes parity(Bytes a, Bytes b, Bytes c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
  static Bytes majority(Bytes a, Bytes b, Bytes c) { return _mm512_ternarylogic_epi64(a, b, c, 0xe8); }
  static uint64_t count_high_bits(Bytes a) {
    return static_cast<uint64_t>(__builtin_popcountll(_mm512_movepi8_mask(a)));
  }
  static Bytes double_bytes(Bytes a) { return _mm512_add_epi8(a, a); }
  static Bytes min_bytes(Bytes a, Bytes b) { return _mm512_min_epu8(a, b); }
  static bool any_zero_byte(Bytes a) { return _mm512_testn_epi8_mask(a, a) != 0; }

  // The biased exponents of 64 floats without sign: each of four vectors gives one byte of every 32-bit lane.
  static Bytes exponents(const Floats* v) {
    const Bytes byte3 = _mm512_slli_epi32(_mm512_castps_si512(v[0]), 1);
    const Bytes byte2 = _mm512_srli_epi32(_mm512_castps_si512(v[1]), 7);
    const Bytes byte1 = _mm512_srli_epi32(_mm512_castps_si512(v[2]), 15);
    const Bytes byte0 = _mm512_srli_epi32(_mm512_castps_si512(v[3]), 23);
    constexpr int kSelect = 0xca;  // bit of the first operand ? second : third
    const Bytes upper = _mm512_ternarylogic_epi32(_mm512_set1_epi32(-0x1000000), byte3, byte2, kSelect);
    const Bytes lower = _mm512_ternarylogic_epi32(_mm512_set1_epi32(0xff00), byte1, byte0, kSelect);
    return _mm512_ternarylogic_epi32(_mm512_set1_epi32(-0x10000), upper, lower, kSelect);
  }
  static Bytes bucket_of_exponent(Bytes exponents) {
    const Bytes shifted = _mm512_subs_epu8(exponents, _mm512_set1_epi8(127 - 20));
    const Bytes clamped = _mm512_min_epu8(shifted, _mm512_set1_epi8(2 * kBuckets - 1));
    return _mm512_and_si512(_mm512_srli_epi16(clamped, 1), _mm512_set1_epi8(kBuckets - 1));
  }
  static Bytes one_bit_low(Bytes bucket) {
    const Bytes table = _mm512_set4_epi32(0, 0, static_cast<int>(0x80402010), 0x08040201);
    return _mm512_shuffle_epi8(table, bucket);
  }
  static Bytes one_bit_high(Bytes bucket) {
    const Bytes table = _mm512_set4_epi32(static_cast<int>(0x80402010), 0x08040201, 0, 0);
    return _mm512_shuffle_epi8(table, bucket);
  }
};

void halves_to_floats(const uint16_t* in, float* out, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i));
    _mm512_storeu_ps(out + i, _mm512_cvtph_ps(halves));
  }
  for (; i < count; ++i) out[i] = _cvtsh_ss(in[i]);
}

}  // namespace

Kernel avx512_kernel() {
  return {accumulate_floats<Avx512>, halves_to_floats};
}

}  // namespace pawl::capture

#endif
