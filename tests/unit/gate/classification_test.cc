#include "engine/gate/classification.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/unit/gate/quality_fixtures.h"

namespace pawl::gate {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
using Codes = std::vector<std::uint32_t>;
using Values = std::vector<double>;

ClassCounts counts_of(const Codes& labels, const Codes& predictions, std::size_t classes) {
  auto counts = count_classes(labels, predictions, classes);
  EXPECT_TRUE(counts.ok());
  return std::move(counts).value();
}

template <class T>
void expect_invalid(const Result<T>& result, const std::string& part) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::invalid);
  EXPECT_NE(result.error().message().find(part), std::string::npos) << result.error().message();
}

TEST(Classification, AgreesWithScikitLearn) {
  for (const Json& it : quality_fixtures("classification")) {
    const auto labels = it["labels"].get<Codes>();
    const auto predictions = it["predictions"].get<Codes>();
    const auto classes = it["classes"].get<std::size_t>();
    const ClassCounts counts = counts_of(labels, predictions, classes);
    EXPECT_NEAR(accuracy(counts), it["accuracy"].get<double>(), kFixtureTolerance);
    EXPECT_NEAR(balanced_accuracy(counts), it["balanced_accuracy"].get<double>(), kFixtureTolerance);
    EXPECT_NEAR(matthews(counts).value(), it["matthews"].get<double>(), kFixtureTolerance);
    EXPECT_EQ(confusion_matrix(labels, predictions, classes).value().cells,
              it["confusion"].get<std::vector<std::int64_t>>());
    const std::vector<ClassScores> scores = class_scores(counts);
    for (std::size_t c = 0; c < classes; ++c) {
      EXPECT_NEAR(scores[c].precision, it["by_class"]["precision"][c].get<double>(), kFixtureTolerance);
      EXPECT_NEAR(scores[c].recall, it["by_class"]["recall"][c].get<double>(), kFixtureTolerance);
      EXPECT_NEAR(scores[c].f1, it["by_class"]["f1"][c].get<double>(), kFixtureTolerance);
    }
    for (const auto& [name, average] :
         {std::pair("macro", macro_scores(counts)), std::pair("weighted", weighted_scores(counts))}) {
      EXPECT_NEAR(average.precision, it[name][0].get<double>(), kFixtureTolerance) << name;
      EXPECT_NEAR(average.recall, it[name][1].get<double>(), kFixtureTolerance) << name;
      EXPECT_NEAR(average.f1, it[name][2].get<double>(), kFixtureTolerance) << name;
    }
  }
}

TEST(Classification, OfProbabilitiesAgreesWithScikitLearn) {
  int with_top_2 = 0;
  for (const Json& it : quality_fixtures("classification")) {
    const auto labels = it["labels"].get<Codes>();
    const auto values = it["probabilities"].get<Values>();
    const ScoreTable table{values, it["classes"].get<std::size_t>()};
    EXPECT_NEAR(mean(log_losses(labels, table).value()).value(), it["log_loss"].get<double>(),
                kFixtureTolerance);
    EXPECT_NEAR(mean(brier_scores(labels, table).value()).value(), it["brier"].get<double>(),
                kFixtureTolerance);
    EXPECT_NEAR(expected_calibration_error(labels, table).value(), it["calibration_error"].get<double>(),
                kFixtureTolerance);
    if (it.contains("top_2")) {
      ++with_top_2;
      EXPECT_NEAR(mean(top_k_hits(labels, table, 2).value()).value(), it["top_2"].get<double>(),
                  kFixtureTolerance);
    }
  }
  EXPECT_GT(with_top_2, 0);
}

TEST(Classification, ByHand) {
  const ClassCounts counts = counts_of({0, 0, 0, 1, 1, 2}, {0, 0, 1, 1, 0, 2}, 4);
  EXPECT_DOUBLE_EQ(accuracy(counts), 4.0 / 6);
  EXPECT_DOUBLE_EQ(class_scores(counts)[0].precision, 2.0 / 3);
  EXPECT_DOUBLE_EQ(class_scores(counts)[1].recall, 1.0 / 2);
  EXPECT_DOUBLE_EQ(class_scores(counts)[2].f1, 1);
  EXPECT_DOUBLE_EQ(macro_scores(counts).f1, (2.0 / 3 + 1.0 / 2 + 1) / 3);  // class 3 does not occur
  EXPECT_DOUBLE_EQ(weighted_scores(counts).recall, 4.0 / 6);
  EXPECT_DOUBLE_EQ(balanced_accuracy(counts), (2.0 / 3 + 1.0 / 2 + 1) / 3);
}

TEST(Classification, MatthewsOfTwoClassesIsPhi) {
  // tp 6, tn 3, fp 1, fn 2
  const ClassCounts counts =
      counts_of({1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1}, 2);
  EXPECT_NEAR(matthews(counts).value(), (6 * 3 - 1 * 2) / std::sqrt(7.0 * 8 * 4 * 5), 1e-15);
}

TEST(Classification, ScoresOfAbsentClassesAreZero) {
  const std::vector<ClassScores> scores = class_scores(counts_of({0, 0, 1}, {0, 2, 0}, 4));
  EXPECT_EQ(scores[1].precision, 0);  // never predicted
  EXPECT_EQ(scores[2].recall, 0);     // without examples
  EXPECT_EQ(scores[3].f1, 0);
}

TEST(Classification, MatthewsWithoutVariety) {
  EXPECT_EQ(matthews(counts_of({0, 1, 1}, {1, 1, 1}, 2)).value(), 0);
  expect_invalid(matthews(counts_of({1, 1, 1}, {1, 0, 1}, 2)), "one class");
}

TEST(Classification, RefusesWhatIsNoTestSet) {
  expect_invalid(count_classes({}, {}, 2), "no examples");
  expect_invalid(count_classes(Codes{0, 2}, Codes{0, 0}, 2), "label has class code 2");
  expect_invalid(count_classes(Codes{0, 1}, Codes{0, 7}, 2), "prediction has class code 7");
  expect_invalid(confusion_matrix(Codes{0}, Codes{5}, 2), "code 5");
  expect_invalid(confusion_matrix(Codes{0}, Codes{0}, 5000), "4096");
  expect_invalid(mean(Values{}), "no examples");
  expect_invalid(mean(Values{1, kNan}), "finite");
  expect_invalid(mean(std::vector<std::uint8_t>{}), "no examples");
}

TEST(TopK, TiesCountAgainstTheModel) {
  const Values values{.5, .5, 0, .2, .2, .2, .1, .3, .2};
  const ScoreTable table{values, 3};
  using Hits = std::vector<std::uint8_t>;
  EXPECT_EQ(top_k_hits(Codes{0, 1, 1}, table, 1).value(), (Hits{0, 0, 1}));
  EXPECT_EQ(top_k_hits(Codes{0, 1, 2}, table, 2).value(), (Hits{1, 0, 1}));
  EXPECT_EQ(top_k_hits(Codes{0, 1, 0}, table, 3).value(), (Hits{1, 1, 1}));
  expect_invalid(top_k_hits(Codes{0}, {Values{kNan, 1}, 2}, 1), "score is nan");
}

TEST(LogLoss, OfASureAndWrongModelIsBounded) {
  const Values values{1, 0, 0.25, 0.75};
  const std::vector<double> losses = log_losses(Codes{1, 0}, {values, 2}).value();
  EXPECT_DOUBLE_EQ(losses[0], 52 * std::log(2.0));
  EXPECT_DOUBLE_EQ(losses[1], std::log(4.0));
}

TEST(Brier, OfTwoClassesIsTheHalf) {
  EXPECT_DOUBLE_EQ(brier_scores(Codes{1}, {Values{.3, .7}, 2}).value()[0], .3 * .3);
  EXPECT_DOUBLE_EQ(brier_scores(Codes{1}, {Values{0, 0, 1}, 3}).value()[0], 2);
}

TEST(CalibrationError, ByHand) {
  // Two in the bin (8/15, 9/15], one of them right; two sure ones in the last bin, both right.
  const Values values{.55, .45, .55, .45, 1, 0, 0, 1};
  EXPECT_NEAR(expected_calibration_error(Codes{0, 1, 0, 1}, {values, 2}).value(), .5 * .05, 1e-15);
}

TEST(CalibrationError, BinsAreClosedOnTheRight) {
  // 0.8 is the upper edge of the twelfth bin: with 0.75 it makes one bin, whose errors cancel.
  const Values values{.8, .2, .75, .25};
  EXPECT_NEAR(expected_calibration_error(Codes{0, 1}, {values, 2}).value(), .55 / 2, 1e-15);
}

TEST(Probabilities, AreChecked) {
  expect_invalid(log_losses(Codes{0}, {Values{1.2, -.2}, 2}), "no probability");
  expect_invalid(brier_scores(Codes{0}, {Values{.5, .4}, 2}), "add up to");
  expect_invalid(expected_calibration_error(Codes{0}, {Values{kNan, 1}, 2}), "nan");
  expect_invalid(log_losses(Codes{2}, {Values{.5, .5}, 2}), "code 2");
  expect_invalid(log_losses({}, {{}, 2}), "no examples");
}

}  // namespace
}  // namespace pawl::gate
