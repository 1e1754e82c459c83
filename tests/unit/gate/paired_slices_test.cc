#include "engine/gate/paired_slices.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace pawl::gate {
namespace {

using Codes = std::vector<std::uint32_t>;
using Hits = std::vector<std::uint8_t>;
using Values = std::vector<double>;

TEST(PairedSlices, Counts) {
  const auto counts =
      paired_counts_by_slice(Codes{0, 2, 0, 2, 2, 0}, 4, Hits{1, 1, 0, 0, 1, 1}, Hits{1, 0, 1, 0, 0, 0});
  EXPECT_EQ(counts.value(), (std::vector<PairedCounts>{{3, 1, 1}, {0, 0, 0}, {3, 2, 0}, {0, 0, 0}}));
}

TEST(PairedSlices, MomentsOfStudentsSleepData) {
  // R: t.test(extra ~ group, paired = TRUE): t = -4.062128, df 9, mean -1.58.
  const Values first{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
  const Values second{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
  const auto moments = paired_moments_by_slice(Codes(10, 1), 2, first, second).value();
  EXPECT_EQ(moments[0], PairedMoments{});
  EXPECT_NEAR(moments[1].mean, -1.58, 1e-15);
  EXPECT_NEAR(moments[1].mean / std::sqrt(moments[1].m2 / 9 / 10), -4.062128, 5e-7);
}

TEST(PairedSlices, MomentsSurviveALargeCommonDifference) {
  const auto moments = paired_moments_by_slice(Codes{0, 0, 0, 0}, 1,
                                               Values{1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4}, Values{0, 0, 0, 0})
                           .value();
  EXPECT_DOUBLE_EQ(moments[0].m2, 5);
}

TEST(PairedSlices, TheWholeIsItsSlicesCombined) {
  const Values candidate{.3, .9, .1, .4, .8};
  const Values baseline{.5, .2, .1, .9, .1};
  const auto slices = paired_moments_by_slice(Codes{0, 2, 0, 2, 2}, 3, candidate, baseline).value();
  const auto whole = paired_moments_by_slice(Codes{0, 0, 0, 0, 0}, 1, candidate, baseline).value()[0];
  const PairedMoments combined = combine(combine(slices[0], slices[1]), slices[2]);
  EXPECT_EQ(combined.n, whole.n);
  EXPECT_DOUBLE_EQ(combined.mean, whole.mean);
  EXPECT_DOUBLE_EQ(combined.m2, whole.m2);
}

TEST(PairedSlices, RefusesAnUnknownSliceAndWhatIsNoNumber) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(paired_counts_by_slice(Codes{0, 3}, 3, Hits{1, 1}, Hits{1, 1}).error().to_string(),
            "example 1: slice code 3, there are 3 slices");
  EXPECT_EQ(paired_moments_by_slice(Codes{1}, 1, Values{0}, Values{0}).error().code(), ErrorCode::invalid);
  EXPECT_EQ(paired_moments_by_slice(Codes{0}, 1, Values{kNan}, Values{0}).error().to_string(),
            "example 0: candidate nan, baseline 0");
}

}  // namespace
}  // namespace pawl::gate
