#include "hooks/capture/stats_block.h"

#if defined(__aarch64__)

#include <arm_neon.h>

namespace pawl::capture {
namespace {

struct NeonBytes {
  using Bytes = uint8x16_t;

  static Bytes zero_bytes() { return vdupq_n_u8(0); }
  static Bytes all_ones() { return vdupq_n_u8(0xff); }
  static Bytes parity(Bytes a, Bytes b, Bytes c) { return veorq_u8(veorq_u8(a, b), c); }
  static Bytes majority(Bytes a, Bytes b, Bytes c) { return vbslq_u8(veorq_u8(a, b), c, a); }
  static uint64_t count_high_bits(Bytes a) { return vaddvq_u8(vshrq_n_u8(a, 7)); }
  static Bytes double_bytes(Bytes a) { return vaddq_u8(a, a); }
  static Bytes min_bytes(Bytes a, Bytes b) { return vminq_u8(a, b); }
  static bool any_zero_byte(Bytes a) { return vminvq_u8(a) == 0; }

  static Bytes bucket_of_exponent(Bytes exponents) {
    const Bytes shifted = vqsubq_u8(exponents, vdupq_n_u8(127 - 20));
    return vshrq_n_u8(vminq_u8(shifted, vdupq_n_u8(2 * kBuckets - 1)), 1);
  }
  static constexpr uint64_t kOneBit = 0x8040201008040201;
  static Bytes one_bit_low(Bytes bucket) { return vqtbl1q_u8(table(kOneBit, 0), bucket); }
  static Bytes one_bit_high(Bytes bucket) { return vqtbl1q_u8(table(0, kOneBit), bucket); }

 private:
  static Bytes table(uint64_t low, uint64_t high) { return vcombine_u8(vcreate_u8(low), vcreate_u8(high)); }
};

struct NeonFloats : NeonBytes, FloatLimits {
  using Reals = float32x4_t;
  struct Doubles {
    float64x2_t low, high;
  };
  static constexpr size_t kLanes = 4, kChains = 4;

  static Reals load(const float* p) { return vld1q_f32(p); }
  static Reals load(const Half* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&p->bits))); }
  static Reals load(const BrainFloat* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(&p->bits), 16));
  }
  static Reals load(const int16_t* p) { return vcvtq_f32_s32(vmovl_s16(vld1_s16(p))); }
  static Reals load(const int8_t* p) { return vcvtq_f32_s32(vmovl_s16(low_half(vmovl_s8(load4(p))))); }
  static Reals load(const uint8_t* p) { return from_bytes(vreinterpret_u8_s8(load4(p))); }
  static Reals load(const Bool* p) { return from_bytes(vmin_u8(vreinterpret_u8_s8(load4(p)), vdup_n_u8(1))); }
  static Reals all(float x) { return vdupq_n_f32(x); }
  static Reals add(Reals a, Reals b) { return vaddq_f32(a, b); }
  static Reals multiply_add(Reals a, Reals b, Reals c) { return vfmaq_f32(c, a, b); }
  static Reals min(Reals a, Reals b) { return vminq_f32(a, b); }
  static Reals max(Reals a, Reals b) { return vmaxq_f32(a, b); }
  static Reals abs(Reals a) { return vabsq_f32(a); }
  static bool all_less(Reals a, float limit) { return vminvq_u32(vcltq_f32(a, all(limit))) != 0; }
  static bool any_not_less(Reals a, float limit) { return !all_less(a, limit); }
  static double reduce_min(Reals a) { return static_cast<double>(vminvq_f32(a)); }
  static double reduce_max(Reals a) { return static_cast<double>(vmaxvq_f32(a)); }

  static Doubles zero_doubles() { return {vdupq_n_f64(0), vdupq_n_f64(0)}; }
  static Doubles add_as_doubles(Doubles total, Reals a) {
    return {vaddq_f64(total.low, vcvt_f64_f32(vget_low_f32(a))), vaddq_f64(total.high, vcvt_high_f64_f32(a))};
  }
  static double reduce(Doubles a) { return vaddvq_f64(vaddq_f64(a.low, a.high)); }

  // The biased exponents of 16 floats without sign.
  static Bytes exponents(const Reals* v) {
    const auto exponent = [](Reals x) { return vmovn_u32(vshrq_n_u32(vreinterpretq_u32_f32(x), 23)); };
    const uint16x8_t first = vcombine_u16(exponent(v[0]), exponent(v[1]));
    const uint16x8_t second = vcombine_u16(exponent(v[2]), exponent(v[3]));
    return vcombine_u8(vmovn_u16(first), vmovn_u16(second));
  }

 private:
  static int8x8_t load4(const void* p) {
    int32_t bytes;
    __builtin_memcpy(&bytes, p, sizeof bytes);
    return vreinterpret_s8_s32(vdup_n_s32(bytes));
  }
  static int16x4_t low_half(int16x8_t a) { return vget_low_s16(a); }
  static Reals from_bytes(uint8x8_t a) { return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(a)))); }
};

struct NeonDoubles : NeonBytes, DoubleLimits {
  using Reals = float64x2_t;
  using Doubles = float64x2_t;
  static constexpr size_t kLanes = 2, kChains = 4;

  static Reals load(const double* p) { return vld1q_f64(p); }
  static Reals load(const int32_t* p) { return vcvtq_f64_s64(vmovl_s32(vld1_s32(p))); }
  static Reals load(const int64_t* p) { return vcvtq_f64_s64(vld1q_s64(p)); }
  static Reals all(double x) { return vdupq_n_f64(x); }
  static Reals add(Reals a, Reals b) { return vaddq_f64(a, b); }
  static Reals multiply_add(Reals a, Reals b, Reals c) { return vfmaq_f64(c, a, b); }
  static Reals min(Reals a, Reals b) { return vminq_f64(a, b); }
  static Reals max(Reals a, Reals b) { return vmaxq_f64(a, b); }
  static Reals abs(Reals a) { return vabsq_f64(a); }
  static bool all_less(Reals a, double limit) {
    const uint64x2_t less = vcltq_f64(a, all(limit));
    return (vgetq_lane_u64(less, 0) & vgetq_lane_u64(less, 1)) != 0;
  }
  static bool any_not_less(Reals a, double limit) { return !all_less(a, limit); }
  static double reduce_min(Reals a) { return vminvq_f64(a); }
  static double reduce_max(Reals a) { return vmaxvq_f64(a); }

  static Doubles zero_doubles() { return vdupq_n_f64(0); }
  static Doubles add_as_doubles(Doubles total, Reals a) { return add(total, a); }
  static double reduce(Doubles a) { return vaddvq_f64(a); }

  // The exponents of 16 doubles without sign, biased and clamped like those of floats.
  static Bytes exponents(const Reals* v) {
    const auto exponent = [](Reals a, Reals b) {
      const uint32x4_t upper = vuzp2q_u32(vreinterpretq_u32_f64(a), vreinterpretq_u32_f64(b));
      return vmovn_u32(vshrq_n_u32(upper, 20));
    };
    const uint16x8_t rebias = vdupq_n_u16(1023 - 127);
    const uint16x8_t first = vcombine_u16(exponent(v[0], v[1]), exponent(v[2], v[3]));
    const uint16x8_t second = vcombine_u16(exponent(v[4], v[5]), exponent(v[6], v[7]));
    return vcombine_u8(vqmovn_u16(vqsubq_u16(first, rebias)), vqmovn_u16(vqsubq_u16(second, rebias)));
  }
};

}  // namespace

bool accumulate_neon(const void* data, pawl_dtype dtype, uint64_t count, Totals& totals) {
  return accumulate_with<NeonFloats, NeonDoubles>(data, dtype, count, totals);
}

}  // namespace pawl::capture

#endif
