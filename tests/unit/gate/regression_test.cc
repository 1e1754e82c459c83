#include "engine/gate/regression.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/gate/quality_fixtures.h"

namespace pawl::gate {
namespace {

using Values = std::vector<double>;

TEST(Regression, AgreesWithScikitLearn) {
  for (const Json& it : quality_fixtures("regression")) {
    const auto targets = it["targets"].get<Values>();
    const auto predictions = it["predictions"].get<Values>();
    EXPECT_NEAR(mean_absolute_error(targets, predictions).value(), it["mae"].get<double>(),
                kFixtureTolerance);
    EXPECT_NEAR(root_mean_squared_error(targets, predictions).value(), it["rmse"].get<double>(),
                kFixtureTolerance);
    EXPECT_NEAR(r2(targets, predictions).value(), it["r2"].get<double>(), kFixtureTolerance);
  }
}

TEST(Regression, ByHand) {
  const Values targets{1, 2, 3, 6};
  const Values predictions{2, 2, 1, 6};
  EXPECT_EQ(absolute_errors(targets, predictions).value(), (Values{1, 0, 2, 0}));
  EXPECT_EQ(squared_errors(targets, predictions).value(), (Values{1, 0, 4, 0}));
  EXPECT_DOUBLE_EQ(r2(targets, predictions).value(), 1 - 5.0 / 14);
  EXPECT_DOUBLE_EQ(r2(targets, Values{3, 3, 3, 3}).value(), 0);  // no better than the mean
}

TEST(Regression, RefusesWhatIsUndefined) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(mean_absolute_error({}, {}).error().code(), ErrorCode::invalid);
  EXPECT_EQ(root_mean_squared_error({}, {}).error().code(), ErrorCode::invalid);
  EXPECT_EQ(r2({}, {}).error().code(), ErrorCode::invalid);
  EXPECT_EQ(r2(Values{5}, Values{5}).error().code(), ErrorCode::invalid);
  EXPECT_EQ(r2(Values{.1, .1, .1}, Values{1, 2, 3}).error().code(), ErrorCode::invalid);
  EXPECT_EQ(mean_absolute_error(Values{1, 2}, Values{1, kNan}).error().to_string(),
            "example 1: target 2, prediction nan");
  EXPECT_EQ(squared_errors(Values{kNan}, Values{1}).error().code(), ErrorCode::invalid);
  EXPECT_EQ(mean_absolute_error(Values{-1e308, 1}, Values{1e308, 1}).error().code(), ErrorCode::invalid);
}

}  // namespace
}  // namespace pawl::gate
