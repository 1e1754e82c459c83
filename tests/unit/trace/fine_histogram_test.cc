#include "engine/trace/fine_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace pawl::trace {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

using Bins = std::array<uint32_t, capture::kFineBins>;

Bins bins_of(const std::vector<double>& values) {
  Bins bins = {};
  for (const double x : values) ++bins[static_cast<size_t>(capture::fine_bin(x))];
  return bins;
}

TEST(FineHistogram, QuantilesKeepTheirBound) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal, exponent(-8, 8);
  std::vector<double> values(9999);
  for (double& x : values) x = normal(random) * std::exp2(exponent(random));
  const Bins bins = bins_of(values);
  std::sort(values.begin(), values.end());
  for (const double q : {0.0, 0.001, 0.01, 0.25, 0.499, 0.5, 0.75, 0.9, 0.999, 1.0}) {
    SCOPED_TRACE(q);
    const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(values.size())));
    const double exact = values[std::max<size_t>(rank, 1) - 1];
    const double got = quantile(bins, q).value();
    const double magnitude = std::fabs(exact);
    if (magnitude >= 0x1p7) {
      EXPECT_EQ(got, std::copysign(0x1p7, exact));
    } else {
      EXPECT_LE(std::fabs(got - exact), magnitude >= 0x1p-24 ? magnitude / 9 : 0x1p-25);
    }
  }
}

// Both ends of every bin of the range.
TEST(FineHistogram, EveryBinKeepsTheBound) {
  for (int e = capture::kFineLowest; e < capture::kFineHighest; ++e) {
    for (int k = 0; k < 4; ++k) {
      const double from = std::ldexp(4 + k, e - 2), to = std::nextafter(std::ldexp(5 + k, e - 2), 0.0);
      for (const double x : {from, to, -from, -to}) {
        EXPECT_LE(std::fabs(quantile(bins_of({x}), 0.5).value() - x), std::fabs(x) / 9 * (1 + 1e-15)) << x;
      }
    }
  }
}

TEST(FineHistogram, WhatIsOutsideOfTheRange) {
  const double nan = std::nan("");
  const Bins bins = bins_of({-kInf, -1e9, -1e-9, 0.0, -0.0, 1e-300, 128.0, kInf, nan, nan});
  const double expected[] = {-kInf, -128, -0x1p-25, 0, 0, 0x1p-25, 128, kInf};
  for (int rank = 1; rank <= 8; ++rank) EXPECT_EQ(quantile(bins, rank / 8.0), expected[rank - 1]) << rank;
  EXPECT_EQ(quantile(bins, 0), -kInf);
}

TEST(FineHistogram, NothingButNan) {
  EXPECT_EQ(quantile(bins_of({}), 0.5), std::nullopt);
  EXPECT_EQ(quantile(bins_of({std::nan("")}), 0.5), std::nullopt);
}

}  // namespace
}  // namespace pawl::trace
