#include "hooks/capture/stats.h"

#include <gtest/gtest.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/capture/sample_numbers.h"

namespace pawl::capture {
namespace {

class Statistics : public testing::TestWithParam<Simd> {
 protected:
  void SetUp() override {
    if (!has_simd(GetParam())) GTEST_SKIP() << "this machine does not have it";
  }

  template <class T>
  Totals of(const std::vector<T>& data, pawl_dtype dtype) const {
    Totals totals;
    EXPECT_TRUE(accumulate(GetParam(), data.data(), dtype, data.size(), totals));
    EXPECT_EQ(totals.count, data.size());
    return totals;
  }
};

std::string simd_name(const testing::TestParamInfo<Simd>& info) {
  constexpr const char* kNames[] = {"baseline", "avx2", "avx512", "neon"};
  return kNames[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Simd, Statistics,
                         testing::Values(Simd::baseline, Simd::avx2, Simd::avx512, Simd::neon), simd_name);

// Straight from the definition, in long double; buckets from frexp instead of bits.
template <class T>
Totals reference(const std::vector<T>& data, long double sums[3]) {
  Totals t;
  sums[0] = sums[1] = sums[2] = 0;
  for (const T x : data) {
    if (std::isnan(x)) {
      ++t.nan;
      continue;
    }
    if (std::isinf(x)) {
      ++t.inf;
      continue;
    }
    t.min = std::fmin(t.min, static_cast<double>(x));
    t.max = std::fmax(t.max, static_cast<double>(x));
    const auto wide = static_cast<long double>(x);
    sums[0] += wide;
    sums[1] += std::fabs(wide);
    sums[2] += wide * wide;
    if (x == 0) {
      ++t.zero;
      continue;
    }
    int exponent;
    std::frexp(std::fabs(x), &exponent);  // 2^(exponent-1) <= |x| < 2^exponent
    const int log2 = exponent - 1;
    const int bucket = log2 < -20 ? 0 : (log2 + 20) / 2;
    ++t.magnitude[std::min(bucket, kBuckets - 1)];
  }
  return t;
}

template <class T>
void expect_agrees(const Totals& got, const std::vector<T>& data) {
  long double sums[3];
  const Totals want = reference(data, sums);
  EXPECT_EQ(got.nan, want.nan);
  EXPECT_EQ(got.inf, want.inf);
  EXPECT_EQ(got.zero, want.zero);
  EXPECT_EQ(got.min, want.min);
  EXPECT_EQ(got.max, want.max);
  for (int k = 0; k < kBuckets; ++k) EXPECT_EQ(got.magnitude[k], want.magnitude[k]) << "bucket " << k;
  constexpr long double kBound = 0x1p-16L;
  EXPECT_LE(std::fabs(got.sum - sums[0]), kBound * sums[1]);
  EXPECT_LE(std::fabs(got.abs_sum - sums[1]), kBound * sums[1]);
  EXPECT_LE(std::fabs(got.square_sum - sums[2]), kBound * sums[2]);
}

TEST_P(Statistics, Empty) {
  const Totals t = of(std::vector<float>(), PAWL_F32);
  EXPECT_GT(t.min, t.max);
  EXPECT_EQ(t.sum, 0);
}

TEST_P(Statistics, SmallKnownVector) {
  const Totals t = of<float>({0.5f, 1, -2, 0, kNan, -kInf, kDenormal, -0.0f}, PAWL_F32);
  EXPECT_EQ(t.nan, 1u);
  EXPECT_EQ(t.inf, 1u);
  EXPECT_EQ(t.zero, 2u);
  EXPECT_EQ(t.min, -2);
  EXPECT_EQ(t.max, 1);
  EXPECT_DOUBLE_EQ(t.sum, -0.5);
  EXPECT_DOUBLE_EQ(t.abs_sum, 3.5);
  EXPECT_DOUBLE_EQ(t.square_sum, 5.25);
  EXPECT_EQ(t.magnitude[0], 1u);   // the denormal
  EXPECT_EQ(t.magnitude[9], 1u);   // 0.5
  EXPECT_EQ(t.magnitude[10], 2u);  // 1 and 2
}

TEST_P(Statistics, EverySizeAroundABlock) {
  for (const size_t count :
       {size_t{1}, size_t{31}, size_t{95}, size_t{96}, size_t{97}, size_t{1000}, kBlock - 1, kBlock,
        kBlock + 1, kBlock + 95, kBlock + 96, 2 * kBlock, 5 * kBlock + 77}) {
    SCOPED_TRACE(count);
    const auto data = normal_floats(count, 0.05f, static_cast<unsigned>(count));
    expect_agrees(of(data, PAWL_F32), data);
  }
}

TEST_P(Statistics, EveryMagnitude) {
  std::vector<float> data;
  for (int exponent = -149; exponent < 128; ++exponent) {
    for (const float x : {std::ldexp(1.0f, exponent), -std::nextafter(std::ldexp(1.0f, exponent), 0.0f)}) {
      data.insert(data.end(), 40, x);
    }
  }
  expect_agrees(of(data, PAWL_F32), data);
}

// Specials in one block must neither spoil that block nor its neighbours.
TEST_P(Statistics, SpecialsAnywhere) {
  for (const size_t at : {size_t{0}, size_t{17}, kBlock - 1, kBlock + 333, 3 * kBlock - 1, 3 * kBlock + 4,
                          3 * kBlock, 3 * kBlock + 499}) {
    for (const float special : {kNan, -kNan, kInf, -kInf, 0.0f, -0.0f, kDenormal, 3e38f, -3e38f, 1e-30f}) {
      SCOPED_TRACE(std::to_string(at) + " " + std::to_string(special));
      auto data = normal_floats(at == 3 * kBlock + 4 ? 3 * kBlock + 5 : 3 * kBlock + 500, 1.0f, 7);
      data[at] = special;
      expect_agrees(of(data, PAWL_F32), data);
    }
  }
}

TEST_P(Statistics, AllTheSameSpecial) {
  for (const float special : {kNan, kInf, -kInf, 0.0f, kDenormal, -3e38f, 1e-30f, 1e-22f}) {
    SCOPED_TRACE(special);
    for (const size_t count : {2 * kBlock + 3, 2 * kBlock + 300, size_t{300}}) {
      const std::vector<float> data(count, special);
      expect_agrees(of(data, PAWL_F32), data);
    }
  }
}

// Scales at which single-precision squares would overflow or vanish.
TEST_P(Statistics, EveryScale) {
  for (int exponent = -140; exponent <= 120; exponent += 10) {
    SCOPED_TRACE(exponent);
    const auto data = normal_floats(3 * kBlock + 200, std::ldexp(1.0f, exponent), 3);
    expect_agrees(of(data, PAWL_F32), data);
  }
}

TEST_P(Statistics, NotAlignedForVectors) {
  auto data = normal_floats(2 * kBlock + 1, 1.0f, 5);
  Totals totals;
  ASSERT_TRUE(accumulate(GetParam(), data.data() + 1, PAWL_F32, data.size() - 1, totals));
  data.erase(data.begin());
  expect_agrees(totals, data);
}

TEST_P(Statistics, Float64) {
  std::vector<double> data = {1e-310, -1e300, 0.0, std::nan(""), HUGE_VAL, 3.0};
  data.insert(data.end(), 5000, 0.1);
  const Totals t = of(data, PAWL_F64);
  EXPECT_EQ(t.nan, 1u);
  EXPECT_EQ(t.inf, 1u);
  EXPECT_EQ(t.zero, 1u);
  EXPECT_EQ(t.min, -1e300);
  EXPECT_EQ(t.max, 3.0);
  EXPECT_EQ(t.magnitude[0], 1u);
  EXPECT_EQ(t.magnitude[15], 1u);
  EXPECT_EQ(t.magnitude[8], 5000u);
  EXPECT_TRUE(std::isinf(t.square_sum));
}

TEST_P(Statistics, Float64KeepsDoublePrecision) {
  const Totals t = of(std::vector<double>(1u << 20, 0.1), PAWL_F64);
  EXPECT_NEAR(t.sum, 0.1 * (1 << 20), 1e-7);
}

TEST_P(Statistics, Float64SizesScalesAndSpecials) {
  std::mt19937 random(9);
  std::normal_distribution<double> normal;
  for (const size_t count :
       {size_t{95}, size_t{96}, size_t{1000}, kBlock, 3 * kBlock + 77, 3 * kBlock + 777}) {
    for (const int exponent : {-400, -140, -30, 0, 120, 400}) {
      for (const double special : {1.0, 0.0, -0.0, 1e-310, 0x1p-127, -HUGE_VAL, std::nan("")}) {
        SCOPED_TRACE(std::to_string(count) + " " + std::to_string(exponent) + " " + std::to_string(special));
        std::vector<double> data(count);
        for (double& x : data) x = std::ldexp(normal(random), exponent);
        data[count / 2] = special;
        expect_agrees(of(data, PAWL_F64), data);
      }
    }
  }
}

// All 65536 halves: conversion is exact, so the reference in float is too.
TEST_P(Statistics, EveryHalf) {
  std::vector<uint16_t> halves(65536);
  std::vector<float> floats(65536);
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    halves[bits] = static_cast<uint16_t>(bits);
    const int exponent = (bits >> 10) & 31;
    const float mantissa = static_cast<float>(bits & 1023);
    float x = exponent == 0    ? std::ldexp(mantissa, -24)
              : exponent == 31 ? (mantissa == 0 ? kInf : kNan)
                               : std::ldexp(1024 + mantissa, exponent - 25);
    floats[bits] = (bits & 0x8000) != 0 ? -x : x;
  }
  expect_agrees(of(halves, PAWL_F16), floats);
  halves.resize(12345);  // a part of a block at the end
  floats.resize(12345);
  expect_agrees(of(halves, PAWL_F16), floats);
}

TEST_P(Statistics, EveryBrainFloat) {
  std::vector<uint16_t> brains(65536);
  std::vector<float> floats(65536);
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    brains[bits] = static_cast<uint16_t>(bits);
    floats[bits] = std::bit_cast<float>(bits << 16);
  }
  expect_agrees(of(brains, PAWL_BF16), floats);
}

template <class T>
std::vector<float> as_floats(const std::vector<T>& data) {
  return {data.begin(), data.end()};
}

TEST_P(Statistics, Integers) {
  std::vector<int8_t> i8;
  std::vector<int16_t> i16;
  std::vector<uint8_t> u8;
  std::vector<int32_t> i32;
  std::vector<int64_t> i64;
  for (int i = -5000; i < 5000; ++i) {
    i8.push_back(static_cast<int8_t>(i));
    i16.push_back(static_cast<int16_t>(i * 7));
    u8.push_back(static_cast<uint8_t>(i));
    i32.push_back(i * 1000);
    i64.push_back(int64_t{i} << 40);
  }
  expect_agrees(of(i8, PAWL_I8), as_floats(i8));
  expect_agrees(of(i16, PAWL_I16), as_floats(i16));
  expect_agrees(of(u8, PAWL_U8), as_floats(u8));
  expect_agrees(of(i32, PAWL_I32), as_floats(i32));
  expect_agrees(of(i64, PAWL_I64), as_floats(i64));
}

TEST_P(Statistics, ExtremeIntegers) {
  const Totals t = of<int64_t>({INT64_MIN, INT64_MAX, 0}, PAWL_I64);
  EXPECT_EQ(t.min, -0x1p63);
  EXPECT_EQ(t.max, 0x1p63);
  EXPECT_EQ(t.magnitude[15], 2u);
  const Totals narrow = of<int32_t>({INT32_MIN, INT32_MAX}, PAWL_I32);
  EXPECT_EQ(narrow.min, -2147483648.0);
  EXPECT_EQ(narrow.max, 2147483647.0);
  EXPECT_EQ(narrow.sum, -1);
}

// Values next to powers of two, where rounding would change the bucket, and those that round as doubles.
TEST_P(Statistics, WideIntegersKeepTheirBuckets) {
  std::vector<int32_t> i32;
  std::vector<int64_t> i64;
  for (int shift = 0; shift < 63; ++shift) {
    for (int64_t near = -2; near <= 2; ++near) {
      const int64_t x = (int64_t{1} << shift) + near;
      for (int times = 0; times < 20; ++times) {
        i64.insert(i64.end(), {x, -x});
        if (shift < 31) i32.insert(i32.end(), {static_cast<int32_t>(x), static_cast<int32_t>(-x)});
      }
    }
  }
  i64.insert(i64.end(), {INT64_MIN, INT64_MAX, -0x123456789abcdef1, 0x7edcba9876543211});
  expect_agrees(of(i32, PAWL_I32), std::vector<double>(i32.begin(), i32.end()));
  const std::vector<double> rounded(i64.begin(), i64.end());
  expect_agrees(of(i64, PAWL_I64), rounded);
}

TEST_P(Statistics, Bool) {
  std::vector<uint8_t> data(5000, 0);
  for (size_t i = 0; i < data.size(); i += 3) data[i] = static_cast<uint8_t>(i % 2 == 0 ? 1 : 255);
  const Totals t = of(data, PAWL_BOOL);
  EXPECT_EQ(t.sum, 1667);
  EXPECT_EQ(t.zero, 3333u);
  EXPECT_EQ(t.max, 1);
  EXPECT_EQ(t.magnitude[10], 1667u);
}

TEST_P(Statistics, UnknownDtype) {
  Totals totals;
  const float x = 1;
  EXPECT_FALSE(accumulate(GetParam(), &x, static_cast<pawl_dtype>(77), 1, totals));
}

// A training process may flush denormals to zero, round otherwise and trap on floating-point exceptions.
#if defined(__x86_64__)
uint64_t floating_point_mode() {
  return _mm_getcsr();
}
void set_floating_point_mode(uint64_t mode) {
  _mm_setcsr(static_cast<unsigned>(mode));
}
constexpr uint64_t kHostile = 0xe040;  // no trap masked, FTZ, DAZ, towards zero
#elif defined(__aarch64__)
uint64_t floating_point_mode() {
  uint64_t mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set_floating_point_mode(uint64_t mode) {
  asm volatile("msr fpcr, %0" : : "r"(mode) : "memory");
}
constexpr uint64_t kHostile = 0x7c80000;  // alternative halves, default NaN, FZ, towards zero, FZ16
#endif

#if defined(__x86_64__) || defined(__aarch64__)
template <class T>
Totals in_hostile_mode(Simd simd, const std::vector<T>& data, pawl_dtype dtype) {
  Totals totals;
  const uint64_t before = floating_point_mode();
  set_floating_point_mode(kHostile);
  const uint64_t during = floating_point_mode();
  const bool done = accumulate(simd, data.data(), dtype, data.size(), totals);
  const uint64_t after = floating_point_mode();
  set_floating_point_mode(before);
  EXPECT_TRUE(done);
  EXPECT_EQ(after, during);
  return totals;
}

TEST_P(Statistics, IgnoresTheCallersFloatingPointMode) {
  std::vector<float> floats(2 * kBlock + 7, kDenormal);
  floats[5] = kNan;
  floats[kBlock + 5] = kInf;
  floats[2 * kBlock + 1] = 3e38f;
  expect_agrees(in_hostile_mode(GetParam(), floats, PAWL_F32), floats);

  std::vector<double> doubles(2 * kBlock + 300, 1e-310);
  doubles[kBlock] = -HUGE_VAL;
  const Totals t = in_hostile_mode(GetParam(), doubles, PAWL_F64);
  EXPECT_EQ(t.magnitude[0], doubles.size() - 1);
  EXPECT_EQ(t.zero, 0u);
  EXPECT_EQ(t.min, 1e-310);

  const std::vector<uint16_t> halves(2 * kBlock + 300, 3);
  const std::vector<float> values(halves.size(), 3 * 0x1p-24f);
  expect_agrees(in_hostile_mode(GetParam(), halves, PAWL_F16), values);
}
#endif

}  // namespace
}  // namespace pawl::capture
