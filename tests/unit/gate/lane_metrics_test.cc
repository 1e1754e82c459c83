// A lane metric must give what the plain metric gives on a test set in which the examples stand as often as
// their weights say.
#include "engine/gate/lane_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "engine/gate/counter_rng.h"
#include "engine/gate/regression.h"

namespace pawl::gate {
namespace {

constexpr std::size_t kExamples = 150;
constexpr std::size_t kClasses = 3;

using Codes = std::vector<std::uint32_t>;
using Kinds = std::vector<std::uint8_t>;
using Values = std::vector<double>;
using Weights = std::vector<LaneWeights>;

struct TestSet {
  Codes labels;
  Codes predictions;
  Kinds positive;
  Values scores;  // with ties
  Values targets;
};

TestSet test_set() {
  TestSet out;
  for (std::uint32_t i = 0; i < kExamples; ++i) {
    const PhiloxCounter bits = philox4x32({i, 0, 0, 0}, {1, 2});
    out.labels.push_back(bits[0] % kClasses);
    out.predictions.push_back(bits[1] % 2 == 0 ? out.labels.back() : bits[2] % kClasses);
    out.positive.push_back(out.labels.back() == 1);
    out.scores.push_back(bits[3] % 40 + (out.positive.back() ? 10 : 0));
    out.targets.push_back(out.scores.back() + bits[2] % 7 + 1000);
  }
  return out;
}

Weights resample() {
  std::vector<std::uint64_t> keys(kExamples);
  std::iota(keys.begin(), keys.end(), 0);
  Weights weights(kExamples);
  Resampling::create(std::move(keys), {}).value().draw(1, 0, weights);
  return weights;
}

template <class T>
std::vector<T> repeated(const std::vector<T>& values, const Weights& weights, std::size_t lane) {
  std::vector<T> out;
  for (std::size_t i = 0; i < values.size(); ++i) out.insert(out.end(), weights[i].of[lane], values[i]);
  return out;
}

void expect_same(const LaneMetric& metric, const Weights& weights,
                 const std::function<double(std::size_t lane)>& plain) {
  ASSERT_EQ(metric.size(), weights.size());
  const LaneValues values = metric.evaluate(weights);
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    EXPECT_NEAR(values[lane], plain(lane), 1e-12 * std::abs(plain(lane))) << "lane " << lane;
  }
}

TEST(LaneMetrics, OfARanking) {
  const TestSet set = test_set();
  const Weights weights = resample();
  const auto ranked =
      std::make_shared<const RankedScores>(RankedScores::create(set.positive, set.scores).value());
  const auto ranked_in = [&](std::size_t lane) {
    return RankedScores::create(repeated(set.positive, weights, lane), repeated(set.scores, weights, lane))
        .value();
  };
  expect_same(*lane_auc(ranked), weights, [&](std::size_t lane) { return auc(ranked_in(lane)); });
  expect_same(*lane_average_precision(ranked), weights,
              [&](std::size_t lane) { return average_precision(ranked_in(lane)); });
}

TEST(LaneMetrics, OfClasses) {
  const TestSet set = test_set();
  const Weights weights = resample();
  const auto counts_in = [&](std::size_t lane) {
    return count_classes(repeated(set.labels, weights, lane), repeated(set.predictions, weights, lane),
                         kClasses)
        .value();
  };
  for (const ClassStatistic statistic :
       {ClassStatistic(accuracy), ClassStatistic(balanced_accuracy),
        ClassStatistic([](const ClassCounts& counts) { return macro_scores(counts).f1; }),
        ClassStatistic([](const ClassCounts& counts) { return matthews(counts).value(); })}) {
    const auto metric = lane_class_metric(set.labels, set.predictions, kClasses, statistic).value();
    expect_same(*metric, weights, [&](std::size_t lane) { return statistic(counts_in(lane)); });
  }
}

TEST(LaneMetrics, OfMeansAndRegression) {
  const TestSet set = test_set();
  const Weights weights = resample();
  const auto targets_in = [&](std::size_t lane) { return repeated(set.targets, weights, lane); };
  const auto scores_in = [&](std::size_t lane) { return repeated(set.scores, weights, lane); };
  expect_same(*lane_mean(set.scores).value(), weights,
              [&](std::size_t lane) { return mean(scores_in(lane)).value(); });
  expect_same(*lane_root_mean_squared_error(set.targets, set.scores).value(), weights, [&](std::size_t lane) {
    return root_mean_squared_error(targets_in(lane), scores_in(lane)).value();
  });
  expect_same(*lane_r2(set.targets, set.scores).value(), weights,
              [&](std::size_t lane) { return r2(targets_in(lane), scores_in(lane)).value(); });
}

TEST(LaneMetrics, AverageOfOthers) {
  const TestSet set = test_set();
  const Weights weights = resample();
  std::vector<std::unique_ptr<LaneMetric>> two;
  two.push_back(lane_mean(set.scores).value());
  two.push_back(lane_mean(set.targets).value());
  expect_same(*lane_average(std::move(two)), weights, [&](std::size_t lane) {
    return (mean(repeated(set.scores, weights, lane)).value() +
            mean(repeated(set.targets, weights, lane)).value()) /
           2;
  });
}

// Lane 0 counts nothing, lane 1 only example 0, all others everything.
Weights extreme_weights(std::size_t n) {
  Weights weights(n);
  for (std::size_t i = 0; i < n; ++i) {
    std::fill(std::begin(weights[i].of), std::end(weights[i].of), std::uint8_t{1});
    weights[i].of[0] = 0;
    weights[i].of[1] = i == 0;
  }
  return weights;
}

TEST(LaneMetrics, AreNanWhereTheMetricIsUndefined) {
  const Weights weights = extreme_weights(3);
  const auto ranked =
      std::make_shared<const RankedScores>(RankedScores::create(Kinds{0, 1, 1}, Values{1, 2, 3}).value());
  const LaneValues areas = lane_auc(ranked)->evaluate(weights);
  const LaneValues precisions = lane_average_precision(ranked)->evaluate(weights);
  const LaneValues shares =
      lane_class_metric(Codes{0, 1, 1}, Codes{0, 1, 0}, 2, accuracy).value()->evaluate(weights);
  const LaneValues explained = lane_r2(Values{.1, .1, .3}, Values{.1, .1, .3}).value()->evaluate(weights);
  for (const LaneValues& values : {areas, precisions, shares, explained}) EXPECT_TRUE(std::isnan(values[0]));
  EXPECT_TRUE(std::isnan(areas[1]));
  EXPECT_TRUE(std::isnan(precisions[1]));
  EXPECT_EQ(shares[1], 1);
  EXPECT_TRUE(std::isnan(explained[1]));
  EXPECT_EQ(areas[2], 1);
  EXPECT_EQ(precisions[2], 1);
  EXPECT_DOUBLE_EQ(shares[2], 2.0 / 3);
  EXPECT_EQ(explained[2], 1);
}

TEST(LaneMetrics, RefuseWhatThePlainOnesRefuse) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(lane_class_metric(Codes{3}, Codes{0}, 2, accuracy).ok());
  EXPECT_FALSE(lane_mean({}).ok());
  EXPECT_FALSE(lane_mean({kNan}).ok());
  EXPECT_FALSE(lane_root_mean_squared_error({}, {}).ok());
  EXPECT_FALSE(lane_root_mean_squared_error(Values{1}, Values{kNan}).ok());
  EXPECT_FALSE(lane_r2(Values{1, 1}, Values{1, 2}).ok());
}

}  // namespace
}  // namespace pawl::gate
