// As many elements as a large layer has, against sums that are exact: every element is an integer of 31 bits
// times 2^-24, so that integers can add them up.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "hooks/capture/stats.h"

namespace pawl::capture {
namespace {

constexpr size_t kCount = 100'000'003;  // a part of a block at the end

TEST(HundredMillion, AgreesWithExactSums) {
  std::vector<float> data(kCount);
  Totals want;
  int64_t sum = 0, abs_sum = 0, least = INT64_MAX, most = INT64_MIN;
  uint64_t squares_low = 0, squares_high = 0;  // 2^32 of the first make one of the second
  uint64_t state = 1;
  for (float& x : data) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto mantissa = static_cast<int64_t>(state) >> 40;  // 24 bits with sign
    const int64_t value = mantissa * (int64_t{1} << ((state >> 20) % 8));
    x = static_cast<float>(value) * 0x1p-24f;
    sum += value;
    const int64_t magnitude = value < 0 ? -value : value;
    abs_sum += magnitude;
    const auto square = static_cast<uint64_t>(magnitude * magnitude);
    squares_low += square & 0xffffffff;
    squares_high += square >> 32;
    least = std::min(least, value);
    most = std::max(most, value);
    if (value == 0) {
      ++want.zero;
    } else {
      const int log2 = std::bit_width(static_cast<uint64_t>(magnitude)) - 1 - 24;
      ++want.magnitude[std::clamp((log2 + 20) >> 1, 0, kBuckets - 1)];
    }
  }
  const double exact_sum = static_cast<double>(sum) * 0x1p-24;
  const double exact_abs = static_cast<double>(abs_sum) * 0x1p-24;
  const double exact_squares =
      (static_cast<double>(squares_high) * 0x1p32 + static_cast<double>(squares_low)) * 0x1p-48;
  for (const Simd simd : {Simd::baseline, Simd::avx2, Simd::avx512, Simd::neon}) {
    if (!has_simd(simd)) continue;
    SCOPED_TRACE(static_cast<int>(simd));
    Totals got;
    ASSERT_TRUE(accumulate(simd, data.data(), PAWL_F32, kCount, got));
    EXPECT_EQ(got.count, kCount);
    EXPECT_EQ(got.nan + got.inf, 0u);
    EXPECT_EQ(got.zero, want.zero);
    EXPECT_EQ(got.min, static_cast<double>(least) * 0x1p-24);
    EXPECT_EQ(got.max, static_cast<double>(most) * 0x1p-24);
    for (int k = 0; k < kBuckets; ++k) EXPECT_EQ(got.magnitude[k], want.magnitude[k]) << "bucket " << k;
    EXPECT_NEAR(got.sum, exact_sum, 0x1p-16 * exact_abs);
    EXPECT_NEAR(got.abs_sum, exact_abs, 0x1p-16 * exact_abs);
    EXPECT_NEAR(got.square_sum, exact_squares, 0x1p-16 * exact_squares);
    // What the header calls typical.
    EXPECT_NEAR(got.sum, exact_sum, 1e-7 * exact_abs);
    EXPECT_NEAR(got.abs_sum, exact_abs, 1e-7 * exact_abs);
    EXPECT_NEAR(got.square_sum, exact_squares, 1e-7 * exact_squares);
  }
}

}  // namespace
}  // namespace pawl::capture
