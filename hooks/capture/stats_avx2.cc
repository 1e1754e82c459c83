#include "hooks/capture/stats_block.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace pawl::capture {
namespace {

struct Avx2Bytes {
  using Bytes = __m256i;

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

struct Avx2Floats : Avx2Bytes, FloatLimits {
  using Reals = __m256;
  struct Doubles {
    __m256d low, high;
  };
  static constexpr size_t kLanes = 8, kChains = 2;

  static Reals load(const float* p) { return _mm256_loadu_ps(p); }
  static Reals load(const Half* p) { return _mm256_cvtph_ps(load16(p)); }
  static Reals load(const BrainFloat* p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load16(p)), 16));
  }
  static Reals load(const int16_t* p) { return _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(load16(p))); }
  static Reals load(const int8_t* p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load8(p))); }
  static Reals load(const uint8_t* p) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(load8(p))); }
  static Reals load(const Bool* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_min_epu8(load8(p), _mm_set1_epi8(1))));
  }
  static Reals all(float x) { return _mm256_set1_ps(x); }
  static Reals add(Reals a, Reals b) { return _mm256_add_ps(a, b); }
  static Reals multiply_add(Reals a, Reals b, Reals c) { return _mm256_fmadd_ps(a, b, c); }
  static Reals min(Reals a, Reals b) { return _mm256_min_ps(a, b); }
  static Reals max(Reals a, Reals b) { return _mm256_max_ps(a, b); }
  static Reals abs(Reals a) { return _mm256_andnot_ps(all(-0.0f), a); }
  static bool all_less(Reals a, float limit) {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, all(limit), _CMP_LT_OQ)) == 0xff;
  }
  static bool any_not_less(Reals a, float limit) {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, all(limit), _CMP_NLT_UQ)) != 0;
  }
  static double reduce_min(Reals a) {
    alignas(32) float lanes[kLanes];
    _mm256_store_ps(lanes, a);
    float least = lanes[0];
    for (const float lane : lanes) least = lane < least ? lane : least;
    return static_cast<double>(least);
  }
  static double reduce_max(Reals a) { return -reduce_min(_mm256_xor_ps(a, all(-0.0f))); }

  static Doubles zero_doubles() { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }
  static Doubles add_as_doubles(Doubles total, Reals a) {
    return {_mm256_add_pd(total.low, _mm256_cvtps_pd(_mm256_castps256_ps128(a))),
            _mm256_add_pd(total.high, _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)))};
  }
  static double reduce(Doubles a) {
    alignas(32) double lanes[4];
    _mm256_store_pd(lanes, _mm256_add_pd(a.low, a.high));
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
  }

  // The biased exponents of 32 floats without sign, in no particular order.
  static Bytes exponents(const Reals* v) {
    const auto exponent = [](Reals x) { return _mm256_srli_epi32(_mm256_castps_si256(x), 23); };
    const Bytes first = _mm256_packus_epi32(exponent(v[0]), exponent(v[1]));
    const Bytes second = _mm256_packus_epi32(exponent(v[2]), exponent(v[3]));
    return _mm256_packus_epi16(first, second);
  }

 private:
  static __m128i load16(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static __m128i load8(const void* p) { return _mm_loadl_epi64(static_cast<const __m128i*>(p)); }
};

struct Avx2Doubles : Avx2Bytes, DoubleLimits {
  using Reals = __m256d;
  using Doubles = __m256d;
  static constexpr size_t kLanes = 4, kChains = 2;

  static Reals load(const double* p) { return _mm256_loadu_pd(p); }
  static Reals load(const int32_t* p) {
    return _mm256_cvtepi32_pd(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  // Both halves become doubles by setting the exponent of 2^84 and of 2^52 on their bits (the upper one with
  // its sign bit flipped, which adds 2^63). Taking 2^84 + 2^63 + 2^52 off the upper one is exact; only the
  // last addition rounds.
  static Reals load(const int64_t* p) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i upper =
        _mm256_xor_si256(_mm256_srli_epi64(x, 32), _mm256_castpd_si256(all(0x1p84 + 0x1p63)));
    const __m256i lower = _mm256_blend_epi32(_mm256_castpd_si256(all(0x1p52)), x, 0x55);
    return add(_mm256_sub_pd(_mm256_castsi256_pd(upper), all(0x1p84 + 0x1p63 + 0x1p52)),
               _mm256_castsi256_pd(lower));
  }
  static Reals all(double x) { return _mm256_set1_pd(x); }
  static Reals add(Reals a, Reals b) { return _mm256_add_pd(a, b); }
  static Reals multiply_add(Reals a, Reals b, Reals c) { return _mm256_fmadd_pd(a, b, c); }
  static Reals min(Reals a, Reals b) { return _mm256_min_pd(a, b); }
  static Reals max(Reals a, Reals b) { return _mm256_max_pd(a, b); }
  static Reals abs(Reals a) { return _mm256_andnot_pd(all(-0.0), a); }
  static bool all_less(Reals a, double limit) {
    return _mm256_movemask_pd(_mm256_cmp_pd(a, all(limit), _CMP_LT_OQ)) == 0xf;
  }
  static bool any_not_less(Reals a, double limit) {
    return _mm256_movemask_pd(_mm256_cmp_pd(a, all(limit), _CMP_NLT_UQ)) != 0;
  }
  static double reduce_min(Reals a) {
    alignas(32) double lanes[kLanes];
    _mm256_store_pd(lanes, a);
    double least = lanes[0];
    for (const double lane : lanes) least = lane < least ? lane : least;
    return least;
  }
  static double reduce_max(Reals a) { return -reduce_min(_mm256_xor_pd(a, all(-0.0))); }

  static Doubles zero_doubles() { return _mm256_setzero_pd(); }
  static Doubles add_as_doubles(Doubles total, Reals a) { return add(total, a); }
  static double reduce(Doubles a) {
    alignas(32) double lanes[kLanes];
    _mm256_store_pd(lanes, a);
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
  }

  // The exponents of 32 doubles without sign, biased and clamped like those of floats, in no particular
  // order.
  static Bytes exponents(const Reals* v) {
    const auto exponent = [](Reals a, Reals b) {
      const __m256 upper = _mm256_shuffle_ps(_mm256_castpd_ps(a), _mm256_castpd_ps(b), 0xdd);
      return _mm256_srli_epi32(_mm256_castps_si256(upper), 20);
    };
    const Bytes rebias = _mm256_set1_epi16(1023 - 127);
    const Bytes first = _mm256_packus_epi32(exponent(v[0], v[1]), exponent(v[2], v[3]));
    const Bytes second = _mm256_packus_epi32(exponent(v[4], v[5]), exponent(v[6], v[7]));
    return _mm256_packus_epi16(_mm256_subs_epu16(first, rebias), _mm256_subs_epu16(second, rebias));
  }
};

}  // namespace

bool accumulate_avx2(const void* data, pawl_dtype dtype, uint64_t count, Totals& totals) {
  return accumulate_with<Avx2Floats, Avx2Doubles>(data, dtype, count, totals);
}

}  // namespace pawl::capture

#endif
