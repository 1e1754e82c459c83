#include "hooks/capture/fine_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace pawl::capture {
namespace {

using Bins = std::array<uint32_t, kFineBins>;

// From the description in pawl/capture.h, by looking for the edge below |x|.
size_t slow_bin(double x) {
  if (std::isnan(x)) return 255;
  std::vector<double> edges = {0x1p-1074};  // of the bins 128, 129, ...
  for (int e = -24; e < 7; ++e) {
    for (int k = 0; k < 4; ++k) edges.push_back(std::ldexp(1 + k / 4.0, e));
  }
  edges.insert(edges.end(), {0x1p7, std::numeric_limits<double>::infinity()});
  const auto above = std::upper_bound(edges.begin(), edges.end(), std::fabs(x)) - edges.begin();
  return static_cast<size_t>(x < 0 ? 127 - above : 127 + above);
}

template <class T>
Bins of(const std::vector<T>& data, pawl_dtype dtype) {
  Bins bins = {};
  uint64_t sampled = 0;
  EXPECT_TRUE(sample_fine(data.data(), dtype, data.size(), bins.data(), sampled));
  EXPECT_EQ(sampled, std::min<uint64_t>(data.size(), 32768));
  EXPECT_EQ(std::accumulate(bins.begin(), bins.end(), uint64_t{0}), sampled);
  return bins;
}

TEST(FineHistogram, EveryEdge) {
  std::vector<double> values = {0.0, -0.0, 1e-310, 1e300, std::nan(""), HUGE_VAL};
  for (int e = -30; e < 12; ++e) {
    for (int k = 0; k < 4; ++k) {
      const double edge = std::ldexp(1 + k / 4.0, e);
      values.insert(values.end(), {edge, std::nextafter(edge, 0), std::nextafter(edge, HUGE_VAL)});
    }
  }
  for (const double x : values) {
    EXPECT_EQ(static_cast<size_t>(fine_bin(x)), slow_bin(x)) << x;
    EXPECT_EQ(static_cast<size_t>(fine_bin(-x)), slow_bin(-x)) << -x;
  }
}

TEST(FineHistogram, DocumentedPlaces) {
  EXPECT_EQ(fine_bin(-HUGE_VAL), 0);
  EXPECT_EQ(fine_bin(-128), 1);
  EXPECT_EQ(fine_bin(-127.9), 2);
  EXPECT_EQ(fine_bin(-0x1p-24), 125);
  EXPECT_EQ(fine_bin(-1e-9), 126);
  EXPECT_EQ(fine_bin(0), 127);
  EXPECT_EQ(fine_bin(1e-9), 128);
  EXPECT_EQ(fine_bin(0x1p-24), 129);
  EXPECT_EQ(fine_bin(1.5), 129 + 4 * 24 + 2);
  EXPECT_EQ(fine_bin(127.9), 252);
  EXPECT_EQ(fine_bin(128), 253);
  EXPECT_EQ(fine_bin(HUGE_VAL), 254);
  EXPECT_EQ(fine_bin(std::nan("")), 255);
}

// All elements of small tensors; blocks that are evenly spaced, from the first element to the last, of
// others.
TEST(FineHistogram, SamplesAsDocumented) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0.0f, 0.5f);
  for (const size_t count : {0u, 1u, 2047u, 32768u, 32769u, 40000u, 1'000'003u}) {
    SCOPED_TRACE(count);
    std::vector<float> data(count);
    for (float& x : data) x = normal(random);
    Bins want = {};
    const auto add = [&](size_t from, size_t size) {
      for (size_t i = from; i < from + size; ++i) ++want[slow_bin(static_cast<double>(data[i]))];
    };
    if (count <= 32768) add(0, count);
    for (size_t b = 0; count > 32768 && b < 16; ++b) add(b * (count - 2048) / 15, 2048);
    EXPECT_EQ(of(data, PAWL_F32), want);
  }
}

TEST(FineHistogram, EveryType) {
  EXPECT_EQ(of(std::vector<double>{1.5}, PAWL_F64)[227], 1u);
  EXPECT_EQ(of(std::vector<uint16_t>{0x3e00, 0x0001, 0xfc00, 0x7e00}, PAWL_F16)[227], 1u);
  EXPECT_EQ(of(std::vector<uint16_t>{0x0001}, PAWL_F16)[129], 1u);  // 2^-24
  EXPECT_EQ(of(std::vector<uint16_t>{0x3fc0}, PAWL_BF16)[227], 1u);
  EXPECT_EQ(of(std::vector<int8_t>{-128}, PAWL_I8)[1], 1u);
  EXPECT_EQ(of(std::vector<int16_t>{3}, PAWL_I16)[231], 1u);
  EXPECT_EQ(of(std::vector<int32_t>{-3}, PAWL_I32)[23], 1u);
  EXPECT_EQ(of(std::vector<int64_t>{INT64_MIN}, PAWL_I64)[1], 1u);
  EXPECT_EQ(of(std::vector<uint8_t>{255}, PAWL_U8)[253], 1u);
  EXPECT_EQ(of(std::vector<uint8_t>{255, 0}, PAWL_BOOL)[225], 1u);
  Bins bins;
  uint64_t sampled = 0;
  EXPECT_FALSE(sample_fine("", static_cast<pawl_dtype>(77), 1, bins.data(), sampled));
}

}  // namespace
}  // namespace pawl::capture
