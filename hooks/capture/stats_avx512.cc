#include "hooks/capture/stats_block.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace pawl::capture {
namespace {

struct Avx512Bytes {
  using Bytes = __m512i;

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

struct Avx512Floats : Avx512Bytes, FloatLimits {
  using Reals = __m512;
  using Doubles = __m512d;
  static constexpr size_t kLanes = 16, kChains = 2;

  static Reals load(const float* p) { return _mm512_loadu_ps(p); }
  static Reals load(const Half* p) { return _mm512_cvtph_ps(load32(p)); }
  static Reals load(const BrainFloat* p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load32(p)), 16));
  }
  static Reals load(const int16_t* p) { return _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(load32(p))); }
  static Reals load(const int8_t* p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load16(p))); }
  static Reals load(const uint8_t* p) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(load16(p))); }
  static Reals load(const Bool* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_min_epu8(load16(p), _mm_set1_epi8(1))));
  }
  static Reals all(float x) { return _mm512_set1_ps(x); }
  static Reals add(Reals a, Reals b) { return _mm512_add_ps(a, b); }
  static Reals multiply_add(Reals a, Reals b, Reals c) { return _mm512_fmadd_ps(a, b, c); }
  static Reals min(Reals a, Reals b) { return _mm512_min_ps(a, b); }
  static Reals max(Reals a, Reals b) { return _mm512_max_ps(a, b); }
  static Reals abs(Reals a) { return _mm512_abs_ps(a); }
  static bool all_less(Reals a, float limit) {
    return _mm512_cmp_ps_mask(a, all(limit), _CMP_LT_OQ) == 0xffff;
  }
  static bool any_not_less(Reals a, float limit) {
    return _mm512_cmp_ps_mask(a, all(limit), _CMP_NLT_UQ) != 0;
  }
  static double reduce_min(Reals a) { return _mm512_reduce_min_ps(a); }
  static double reduce_max(Reals a) { return _mm512_reduce_max_ps(a); }

  static Doubles zero_doubles() { return _mm512_setzero_pd(); }
  static Doubles add_as_doubles(Doubles total, Reals a) {
    const Doubles low = _mm512_cvtps_pd(_mm512_castps512_ps256(a));
    const Doubles high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1));
    return _mm512_add_pd(total, _mm512_add_pd(low, high));
  }
  static double reduce(Doubles a) { return _mm512_reduce_add_pd(a); }

  // The biased exponents of 64 floats without sign: each of four vectors gives one byte of every 32-bit lane.
  static Bytes exponents(const Reals* v) {
    const Bytes byte3 = _mm512_slli_epi32(_mm512_castps_si512(v[0]), 1);
    const Bytes byte2 = _mm512_srli_epi32(_mm512_castps_si512(v[1]), 7);
    const Bytes byte1 = _mm512_srli_epi32(_mm512_castps_si512(v[2]), 15);
    const Bytes byte0 = _mm512_srli_epi32(_mm512_castps_si512(v[3]), 23);
    constexpr int kSelect = 0xca;  // bit of the first operand ? second : third
    const Bytes upper = _mm512_ternarylogic_epi32(_mm512_set1_epi32(-0x1000000), byte3, byte2, kSelect);
    const Bytes lower = _mm512_ternarylogic_epi32(_mm512_set1_epi32(0xff00), byte1, byte0, kSelect);
    return _mm512_ternarylogic_epi32(_mm512_set1_epi32(-0x10000), upper, lower, kSelect);
  }

 private:
  static __m256i load32(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static __m128i load16(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
};

struct Avx512Doubles : Avx512Bytes, DoubleLimits {
  using Reals = __m512d;
  using Doubles = __m512d;
  static constexpr size_t kLanes = 8, kChains = 2;

  static Reals load(const double* p) { return _mm512_loadu_pd(p); }
  static Reals load(const int32_t* p) {
    return _mm512_cvtepi32_pd(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Reals load(const int64_t* p) { return _mm512_cvtepi64_pd(_mm512_loadu_si512(p)); }
  static Reals all(double x) { return _mm512_set1_pd(x); }
  static Reals add(Reals a, Reals b) { return _mm512_add_pd(a, b); }
  static Reals multiply_add(Reals a, Reals b, Reals c) { return _mm512_fmadd_pd(a, b, c); }
  static Reals min(Reals a, Reals b) { return _mm512_min_pd(a, b); }
  static Reals max(Reals a, Reals b) { return _mm512_max_pd(a, b); }
  static Reals abs(Reals a) { return _mm512_abs_pd(a); }
  static bool all_less(Reals a, double limit) {
    return _mm512_cmp_pd_mask(a, all(limit), _CMP_LT_OQ) == 0xff;
  }
  static bool any_not_less(Reals a, double limit) {
    return _mm512_cmp_pd_mask(a, all(limit), _CMP_NLT_UQ) != 0;
  }
  static double reduce_min(Reals a) { return _mm512_reduce_min_pd(a); }
  static double reduce_max(Reals a) { return _mm512_reduce_max_pd(a); }

  static Doubles zero_doubles() { return _mm512_setzero_pd(); }
  static Doubles add_as_doubles(Doubles total, Reals a) { return add(total, a); }
  static double reduce(Doubles a) { return _mm512_reduce_add_pd(a); }

  // The exponents of 64 doubles without sign, biased and clamped like those of floats, in no particular
  // order.
  static Bytes exponents(const Reals* v) {
    const auto exponent = [](Reals a, Reals b) {
      const __m512 upper = _mm512_shuffle_ps(_mm512_castpd_ps(a), _mm512_castpd_ps(b), 0xdd);
      return _mm512_srli_epi32(_mm512_castps_si512(upper), 20);
    };
    const Bytes rebias = _mm512_set1_epi16(1023 - 127);
    const Bytes first = _mm512_packus_epi32(exponent(v[0], v[1]), exponent(v[2], v[3]));
    const Bytes second = _mm512_packus_epi32(exponent(v[4], v[5]), exponent(v[6], v[7]));
    return _mm512_packus_epi16(_mm512_subs_epu16(first, rebias), _mm512_subs_epu16(second, rebias));
  }
};

}  // namespace

bool accumulate_avx512(const void* data, pawl_dtype dtype, uint64_t count, Totals& totals) {
  return accumulate_with<Avx512Floats, Avx512Doubles>(data, dtype, count, totals);
}

}  // namespace pawl::capture

#endif
