// Statistics of a view are those of its elements, copied one after the other.
#include "hooks/capture/strided.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace pawl::capture {
namespace {

constexpr size_t kSizes[] = {4, 8, 2, 2, 1, 2, 4, 8, 1, 1};  // of a pawl_dtype

// `count` elements with zeros and specials among them.
std::vector<char> elements(pawl_dtype dtype, size_t count, std::mt19937& random) {
  std::vector<char> out(count * kSizes[dtype]);
  std::normal_distribution<double> normal;
  for (size_t i = 0; i < count; ++i) {
    double x = normal(random);
    if (random() % 50 == 0) x = 0;
    if (random() % 5000 == 0) x = random() % 2 == 0 ? std::numeric_limits<double>::infinity() : std::nan("");
    const auto bits = static_cast<uint64_t>(random()) << 32 | random();
    const auto narrow = static_cast<float>(x);
    const void* from = dtype == PAWL_F64   ? static_cast<const void*>(&x)
                       : dtype == PAWL_F32 ? &narrow
                                           : nullptr;
    std::memcpy(out.data() + i * kSizes[dtype], from != nullptr ? from : &bits, kSizes[dtype]);
  }
  return out;
}

// The elements of the view in the order of their indices.
std::vector<char> gathered(const View& view, size_t size) {
  std::vector<char> out;
  std::vector<int64_t> index(view.dims, 0);
  if (std::find(view.shape, view.shape + view.dims, 0) != view.shape + view.dims) return out;
  for (;;) {
    int64_t offset = 0;
    for (uint32_t d = 0; d < view.dims; ++d) offset += index[d] * view.strides[d];
    const char* element = static_cast<const char*>(view.data) + offset * static_cast<int64_t>(size);
    out.insert(out.end(), element, element + size);
    uint32_t d = view.dims;
    while (d > 0 && ++index[d - 1] == view.shape[d - 1]) index[--d] = 0;
    if (d == 0) return out;
  }
}

void expect_same(Simd simd, const View& view, pawl_dtype dtype) {
  const std::vector<char> copy = gathered(view, kSizes[dtype]);
  Totals want, got;
  ASSERT_TRUE(accumulate(simd, copy.data(), dtype, copy.size() / kSizes[dtype], want));
  ASSERT_TRUE(accumulate_view(simd, view, dtype, got));
  EXPECT_EQ(got.count, want.count);
  EXPECT_EQ(got.nan, want.nan);
  EXPECT_EQ(got.inf, want.inf);
  EXPECT_EQ(got.zero, want.zero);
  EXPECT_EQ(got.min, want.min);
  EXPECT_EQ(got.max, want.max);
  for (int k = 0; k < kBuckets; ++k) EXPECT_EQ(got.magnitude[k], want.magnitude[k]) << "bucket " << k;
  constexpr double kBound = 2 * 0x1p-16;  // each may be off
  EXPECT_NEAR(got.sum, want.sum, kBound * want.abs_sum);
  EXPECT_NEAR(got.abs_sum, want.abs_sum, kBound * want.abs_sum);
  EXPECT_NEAR(got.square_sum, want.square_sum, kBound * want.square_sum);
}

std::string describe(pawl_dtype dtype, const std::vector<int64_t>& shape,
                     const std::vector<int64_t>& strides) {
  std::string out = "dtype " + std::to_string(dtype) + ":";
  for (size_t d = 0; d < shape.size(); ++d)
    out += " " + std::to_string(shape[d]) + "*" + std::to_string(strides[d]);
  return out;
}

// Puts a view of these strides onto memory that begins and ends with it.
void check(pawl_dtype dtype, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides,
           std::mt19937& random) {
  SCOPED_TRACE(describe(dtype, shape, strides));
  int64_t first = 0, last = 0;
  for (size_t d = 0; d < shape.size(); ++d) {
    const int64_t reach = std::max<int64_t>(shape[d] - 1, 0) * strides[d];
    (reach < 0 ? first : last) += reach;
  }
  const std::vector<char> memory = elements(dtype, static_cast<size_t>(last - first + 1), random);
  const View view{memory.data() - first * static_cast<int64_t>(kSizes[dtype]),
                  static_cast<uint32_t>(shape.size()), shape.data(), strides.data()};
  for (const Simd simd : {Simd::baseline, Simd::avx2, Simd::avx512, Simd::neon})
    if (has_simd(simd)) expect_same(simd, view, dtype);
}

TEST(Strided, RandomShapesAndStrides) {
  std::mt19937 random(11);
  const auto between = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
  };
  for (int round = 0; round < 60; ++round) {
    for (int dtype = PAWL_F32; dtype <= PAWL_BOOL; ++dtype) {
      std::vector<int64_t> shape(static_cast<size_t>(between(0, 5))), strides;
      for (int64_t& size : shape) size = random() % 40 == 0 ? 0 : between(1, 9);
      for (size_t d = 0; d < shape.size(); ++d) strides.push_back(between(-60, 60));
      if (!shape.empty() && random() % 2 == 0) strides[random() % strides.size()] = random() % 2;
      check(static_cast<pawl_dtype>(dtype), shape, strides, random);
    }
  }
}

// What operations of torch make of a dense tensor: permuted, sliced, flipped and expanded.
TEST(Strided, ViewsOfDenseTensors) {
  std::mt19937 random(12);
  for (int round = 0; round < 12; ++round) {
    for (int dtype = PAWL_F32; dtype <= PAWL_BOOL; ++dtype) {
      struct Dim {
        int64_t size, stride;
      };
      std::vector<Dim> dims;
      int64_t stride = 1;
      for (const int64_t size : {33 + round, 20, 21}) {
        dims.insert(dims.begin(), {size, stride});
        stride *= size;
      }
      if (round % 3 != 0) {
        Dim& sliced = dims[random() % 3];
        const int64_t step = 1 + static_cast<int64_t>(random() % 3);
        sliced = {sliced.size / step - 1, sliced.stride * step};
      }
      if (round % 4 == 1) dims[random() % 3].stride *= -1;
      if (round % 4 == 2) dims.push_back({3, 0});
      std::shuffle(dims.begin(), dims.end(), random);
      std::vector<int64_t> shape, strides;
      for (const Dim& dim : dims) {
        shape.push_back(dim.size);
        strides.push_back(dim.stride);
      }
      check(static_cast<pawl_dtype>(dtype), shape, strides, random);
    }
  }
}

// Rows that go to the kernel where they are, those that just do not, and those that end within a block.
TEST(Strided, LongRows) {
  std::mt19937 random(13);
  for (const int64_t row :
       {kBlock - 1, kBlock, 3 * kBlock + 100, 4 * kBlock - 1, 4 * kBlock, 4 * kBlock + 5}) {
    for (const pawl_dtype dtype : {PAWL_F32, PAWL_F64, PAWL_F16, PAWL_U8}) {
      check(dtype, {5, row}, {row + 3, 1}, random);
      check(dtype, {row, 5}, {1, row + 3}, random);
      check(dtype, {3, row}, {2 * row, 2}, random);
    }
  }
}

// Windows that overlap, as unfold() makes them.
TEST(Strided, OverlappingElements) {
  std::mt19937 random(14);
  check(PAWL_F32, {1000, 5}, {1, 1}, random);
  check(PAWL_I16, {300, 7, 4}, {2, 3, 1}, random);
}

TEST(Strided, ExpandedDimensionsCostNothing) {
  const float x[] = {1, -2, 0};
  const int64_t shape[] = {int64_t{1} << 40, 3, 1 << 20}, strides[] = {0, 1, 0};
  Totals totals;
  ASSERT_TRUE(accumulate_view(best_simd(), {x, 3, shape, strides}, PAWL_F32, totals));
  EXPECT_EQ(totals.count, uint64_t{3} << 60);
  EXPECT_EQ(totals.zero, uint64_t{1} << 60);
  EXPECT_EQ(totals.sum, -0x1p60);
  EXPECT_EQ(totals.square_sum, 5 * 0x1p60);
  EXPECT_EQ(totals.min, -2);
  EXPECT_EQ(totals.magnitude[10], uint64_t{2} << 60);
}

TEST(Strided, ScalarAndEmpty) {
  const double x = 3;
  Totals totals;
  ASSERT_TRUE(accumulate_view(best_simd(), {&x, 0, nullptr, nullptr}, PAWL_F64, totals));
  EXPECT_EQ(totals.count, 1u);
  EXPECT_EQ(totals.sum, 3);
  const int64_t shape[] = {int64_t{1} << 62, 0, int64_t{1} << 62}, strides[] = {5, 7, 1};
  ASSERT_TRUE(accumulate_view(best_simd(), {nullptr, 3, shape, strides}, PAWL_F64, totals));
  EXPECT_EQ(totals.count, 1u);
}

TEST(Strided, RefusesWhatIsNoTensor) {
  const float x = 1;
  const int64_t negative[] = {2, -1}, huge[] = {int64_t{1} << 40, int64_t{1} << 40}, strides[] = {0, 0};
  const std::vector<int64_t> ones(kMaxViewDims + 1, 1);
  Totals totals;
  EXPECT_FALSE(accumulate_view(best_simd(), {&x, 2, negative, strides}, PAWL_F32, totals));
  EXPECT_FALSE(accumulate_view(best_simd(), {&x, 2, huge, strides}, PAWL_F32, totals));
  EXPECT_FALSE(
      accumulate_view(best_simd(), {&x, kMaxViewDims + 1, ones.data(), ones.data()}, PAWL_F32, totals));
  EXPECT_FALSE(accumulate_view(best_simd(), {&x, 0, nullptr, nullptr}, static_cast<pawl_dtype>(77), totals));
  const int64_t two[] = {2, 2};
  for (const int64_t far : {INT64_MAX, INT64_MIN, INT64_MAX / 2, INT64_MAX / 8, INT64_MIN / 8}) {
    const int64_t steps[] = {far, far};
    EXPECT_FALSE(accumulate_view(best_simd(), {&x, 2, two, steps}, PAWL_F32, totals)) << far;
  }
  EXPECT_EQ(totals.count, 0u);
  EXPECT_TRUE(accumulate_view(best_simd(), {&x, kMaxViewDims, ones.data(), ones.data()}, PAWL_F32, totals));
}

}  // namespace
}  // namespace pawl::capture
