// Oracles: Newcombe, Stat Med 17:857, 1998, and SciPy's binomtest.
#include "engine/gate/proportion.h"

#include "tests/unit/gate/numbers.h"

namespace pawl::gate {
namespace {

constexpr double kSevenPlaces = 5.0001e-8;

void expect_printed(const Interval& interval, double low, double high) {
  EXPECT_NEAR(interval.low, low, kSevenPlaces);
  EXPECT_NEAR(interval.high, high, kSevenPlaces);
}

TEST(Proportion, PublishedIntervals) {
  expect_printed(wilson_interval(81, 263, .025), .2552885, .3662096);
  expect_printed(wilson_interval(15, 148, .025), .0623864, .1604872);
  expect_printed(wilson_interval(0, 20, .025), 0, .1611252);
  expect_printed(clopper_pearson_interval(81, 263, .025), .2527367, .3676219);
  expect_printed(clopper_pearson_interval(15, 148, .025), .0578440, .1616505);
  expect_printed(clopper_pearson_interval(0, 20, .025), 0, .1684335);
}

TEST(Proportion, AgreesWithSciPy) {
  for (const auto& it : fixture("proportion")) {
    const std::int64_t k = it.at("k"), n = it.at("n");
    const double alpha = it.at("alpha");
    expect_same_interval(wilson_interval(k, n, alpha), it.at("wilson"));
    expect_same_interval(clopper_pearson_interval(k, n, alpha), it.at("clopper_pearson"));
  }
}

TEST(Proportion, EndsAreExactWithoutFailuresOrSuccesses) {
  for (const std::int64_t n : {1, 7, 20, 1000}) {
    EXPECT_EQ(wilson_interval(0, n, .05).low, 0);
    EXPECT_EQ(wilson_interval(n, n, .05).high, 1);
    EXPECT_EQ(clopper_pearson_interval(0, n, .05).low, 0);
    EXPECT_EQ(clopper_pearson_interval(n, n, .05).high, 1);
  }
}

}  // namespace
}  // namespace pawl::gate
