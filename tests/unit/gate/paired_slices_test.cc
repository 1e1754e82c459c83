#include "engine/gate/paired_slices.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace pawl::gate {
namespace {

using Codes = std::vector<std::uint32_t>;
using Values = std::vector<double>;

EvaluationVector answers(const std::vector<bool>& right) {
  EvaluationVector out;
  out.n = static_cast<std::int64_t>(right.size());
  out.correct.resize((right.size() + 7) / 8);
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (right[i]) out.correct[i / 8] |= static_cast<char>(1 << i % 8);
  }
  return out;
}

TEST(PairedSlices, Counts) {
  const auto counts = paired_answers_by_slice(Codes{0, 2, 0, 2, 2, 0, kNoSlice}, 4,
                                              answers({1, 1, 0, 0, 1, 1, 1}), answers({1, 0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(counts,
            (std::vector<PairedAnswers>{{{3, 1, 1}, 2}, {{0, 0, 0}, 0}, {{3, 2, 0}, 2}, {{0, 0, 0}, 0}}));
  EXPECT_EQ(counts[0].baseline_right(), 2);
  EXPECT_EQ(counts[2].baseline_right(), 0);
}

TEST(PairedSlices, MomentsOfStudentsSleepData) {
  // R: t.test(extra ~ group, paired = TRUE): t = -4.062128, df 9, mean -1.58.
  const Values first{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
  const Values second{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
  const auto moments = paired_moments_by_slice(Codes(10, 1), 2, first, second).value();
  EXPECT_EQ(moments[0], PairedMoments{});
  EXPECT_NEAR(moments[1].mean, -1.58, 1e-15);
  EXPECT_NEAR(moments[1].candidate, 0.75, 1e-15);
  EXPECT_NEAR(moments[1].baseline, 2.33, 1e-15);
  EXPECT_FALSE(moments[1].alike);
  EXPECT_NEAR(moments[1].mean / std::sqrt(moments[1].m2 / 9 / 10), -4.062128, 5e-7);
}

TEST(PairedSlices, MomentsSurviveALargeCommonDifference) {
  const auto moments = paired_moments_by_slice(Codes{0, 0, 0, 0}, 1,
                                               Values{1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4}, Values{0, 0, 0, 0})
                           .value();
  EXPECT_DOUBLE_EQ(moments[0].m2, 5);
}

TEST(PairedSlices, ValuesThatAreEqualAreAlike) {
  const auto moments =
      paired_moments_by_slice(Codes{0, 0, 1, 1, kNoSlice}, 2, Values{1, 2, 3, 4, 9}, Values{1, 2, 3, 5, 8})
          .value();
  EXPECT_EQ(moments[0], (PairedMoments{2, 1.5, 1.5, 0, 0, true}));
  EXPECT_EQ(moments[1], (PairedMoments{2, 3.5, 4, -0.5, 0.5, false}));
}

TEST(PairedSlices, RefusesWhatIsNoNumber) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(paired_moments_by_slice(Codes{0}, 1, Values{kNan}, Values{0}).error().to_string(),
            "example 0: candidate nan, baseline 0");
}

}  // namespace
}  // namespace pawl::gate
