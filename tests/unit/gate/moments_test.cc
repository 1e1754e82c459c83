#include "engine/gate/moments.h"

#include <gtest/gtest.h>

namespace pawl::gate {
namespace {

TEST(Sum, KeepsWhatPlainAdditionLoses) {
  Sum sum;
  for (const double x : {1.0, 1e100, 1.0, -1e100}) sum.add(x);
  EXPECT_EQ(sum.value(), 2);
}

TEST(Moments, OfAMillionValuesFarFromZero) {
  // 2^40 and 2^40 + 2^-10 in turns: every number here is exact in a double.
  const double step = std::ldexp(1.0, -10);
  const double base = std::ldexp(1.0, 40);
  const Moments moments =
      moments_of(1'000'000, [&](std::size_t i) { return base + static_cast<double>(i % 2) * step; });
  EXPECT_EQ(moments.mean - base, step / 2);
  EXPECT_NEAR(moments.deviation, step / 2 * std::sqrt(1e6 / (1e6 - 1)), step * 1e-15);
}

TEST(Moments, EqualValuesHaveNoDeviation) {
  for (std::size_t n = 1; n < 500; ++n) {
    const Moments moments = moments_of(n, [](std::size_t) { return 0.1; });
    EXPECT_EQ(moments.mean, 0.1) << n;
    EXPECT_EQ(moments.deviation, 0) << n;
  }
}

TEST(Moments, SampleDeviation) {
  const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
  const Moments moments = moments_of(8, [&](std::size_t i) { return values[i]; });
  EXPECT_EQ(moments.mean, 5);
  EXPECT_DOUBLE_EQ(moments.deviation, std::sqrt(32.0 / 7));
}

}  // namespace
}  // namespace pawl::gate
