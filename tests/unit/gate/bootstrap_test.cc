#include "engine/gate/bootstrap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/gate/bootstrap_interval.h"
#include "engine/gate/counter_rng.h"

namespace pawl::gate {
namespace {

using Codes = std::vector<std::uint32_t>;
using Kinds = std::vector<std::uint8_t>;
using Keys = std::vector<std::uint64_t>;
using Values = std::vector<double>;

// Two models with scores for the same examples; the candidate is the one with more noise.
struct Examples {
  explicit Examples(std::uint32_t n, std::uint32_t number = 0) {
    for (std::uint32_t i = 0; i < n; ++i) {
      const PhiloxCounter bits = philox4x32({i, number, 0, 0}, {9, 9});
      const auto noise = [&](std::size_t word) { return bits[word] * 0x1p-32; };
      keys.push_back(i);
      positive.push_back(noise(0) < 0.3);
      baseline.push_back(positive.back() * 0.5 + noise(1));
      candidate.push_back(baseline.back() + 0.5 * noise(2));
    }
  }

  void reverse() {
    std::reverse(keys.begin(), keys.end());
    std::reverse(positive.begin(), positive.end());
    std::reverse(baseline.begin(), baseline.end());
    std::reverse(candidate.begin(), candidate.end());
  }

  Keys keys;
  Kinds positive;
  Values baseline;
  Values candidate;
};

PairedBootstrap compare_auc(const Examples& examples, const BootstrapOptions& options,
                            const ParallelFor& parallel_for = serial_for) {
  const auto metric = [&](const Values& scores) {
    return lane_auc(
        std::make_shared<const RankedScores>(RankedScores::create(examples.positive, scores).value()));
  };
  const auto candidate = metric(examples.candidate);
  const auto baseline = metric(examples.baseline);
  const PairedMetric pair{candidate.get(), baseline.get()};
  return paired_bootstrap(Resampling::create(examples.keys, {}).value(), {&pair, 1}, options, parallel_for)[0]
      .value();
}

void expect_equal(const PairedBootstrap& a, const PairedBootstrap& b) {
  EXPECT_EQ(a.difference, b.difference);
  EXPECT_EQ(a.percentile.low, b.percentile.low);
  EXPECT_EQ(a.percentile.high, b.percentile.high);
  ASSERT_TRUE(a.bca && b.bca);
  EXPECT_EQ(a.bca->low, b.bca->low);
  EXPECT_EQ(a.bca->high, b.bca->high);
}

TEST(PairedBootstrap, OfAMeanHasTheStandardErrorOfAMean) {
  Values candidate;
  Values baseline;
  Keys keys;
  double sum = 0;
  double squares = 0;
  constexpr std::uint32_t kN = 400;
  for (std::uint32_t i = 0; i < kN; ++i) {
    const PhiloxCounter bits = philox4x32({i, 0, 0, 0}, {3, 3});
    baseline.push_back(bits[0] * 0x1p-32);
    candidate.push_back(baseline.back() + std::pow(bits[1] * 0x1p-32, 3) - 0.3);
    const double difference = candidate.back() - baseline.back();
    sum += difference;
    squares += difference * difference;
    keys.push_back(i);
  }
  const double expected = std::sqrt((squares / kN - sum * sum / kN / kN) / kN);
  const auto first = lane_mean(candidate).value();
  const auto second = lane_mean(baseline).value();
  const PairedMetric pair{first.get(), second.get()};
  const auto result =
      paired_bootstrap(Resampling::create(keys, {}).value(), {&pair, 1}, {.seed = 1, .replicates = 4000})[0]
          .value();
  EXPECT_NEAR(result.difference, sum / kN, 1e-12);
  EXPECT_EQ(result.replicates.size(), 4000u);
  // 4000 replicates know their standard deviation to 1.1 %, so this allows for 4.
  EXPECT_NEAR(result.standard_error, expected, 0.045 * expected);
  EXPECT_NEAR(result.interval().low, result.difference - 1.645 * expected, 0.15 * expected);
  EXPECT_NEAR(result.interval().high, result.difference + 1.645 * expected, 0.15 * expected);
  EXPECT_GT(result.acceleration, 0);  // the differences have a tail on the right
}

TEST(PairedBootstrap, AgreesWithDeLongOnItsToy) {
  // The variance of the difference by DeLong's method is .0128 + .0248 - 2 * .0128; of ten examples the
  // bootstrap's is of that size and no more can be asked.
  const Kinds positive{0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
  const auto metric = [&](const Values& scores) {
    return lane_auc(std::make_shared<const RankedScores>(RankedScores::create(positive, scores).value()));
  };
  const auto candidate = metric({.1, .2, .3, .4, .6, .35, .5, .7, .8, .9});
  const auto baseline = metric({.2, .1, .5, .3, .7, .4, .3, .6, .9, .8});
  const PairedMetric pair{candidate.get(), baseline.get()};
  const Codes classes(positive.begin(), positive.end());
  const auto result = paired_bootstrap(Resampling::create({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, classes).value(),
                                       {&pair, 1}, {.seed = 1})[0]
                          .value();
  EXPECT_NEAR(result.difference, .10, 1e-12);
  // Five of each class are few: without strata some would lack one.
  EXPECT_EQ(result.replicates.size(), 2000u);
  EXPECT_NEAR(result.standard_error, std::sqrt(.012), .025);
}

TEST(PairedBootstrap, DoesNotDependOnTheOrderOfTheExamples) {
  Examples examples(700);
  const PairedBootstrap forward = compare_auc(examples, {.seed = 5, .replicates = 200});
  examples.reverse();
  expect_equal(forward, compare_auc(examples, {.seed = 5, .replicates = 200}));
}

TEST(PairedBootstrap, DoesNotDependOnWhoRunsTheTasks) {
  const Examples examples(300);
  const auto backwards = [](std::size_t count, const std::function<void(std::size_t)>& task) {
    for (std::size_t i = count; i-- > 0;) task(i);
  };
  expect_equal(compare_auc(examples, {.seed = 5, .replicates = 100}),
               compare_auc(examples, {.seed = 5, .replicates = 100}, backwards));
}

TEST(PairedBootstrap, AnotherSeedIsAnotherSample) {
  const Examples examples(300);
  EXPECT_NE(compare_auc(examples, {.seed = 5, .replicates = 100}).standard_error,
            compare_auc(examples, {.seed = 6, .replicates = 100}).standard_error);
}

TEST(PairedBootstrap, ModelsThatAnswerAlikeHaveNoDifference) {
  Examples examples(100);
  examples.candidate = examples.baseline;
  const PairedBootstrap result = compare_auc(examples, {.seed = 1, .replicates = 100});
  EXPECT_EQ(result.difference, 0);
  EXPECT_EQ(result.standard_error, 0);
  EXPECT_EQ(result.interval().low, 0);
  EXPECT_EQ(result.interval().high, 0);
}

TEST(PairedBootstrap, IntervalsCoverTheTruth) {
  // The candidate is the baseline with the noise added; its true AUC is that of very many examples. 300 test
  // sets miss a bound 30 times on average, 2 * 5 %; beyond 50 something is wrong with the intervals.
  const double truth = [] {
    const Examples many(400'000, 99'999);
    return auc(RankedScores::create(many.positive, many.candidate).value()) -
           auc(RankedScores::create(many.positive, many.baseline).value());
  }();
  int low = 0;
  int high = 0;
  for (std::uint32_t number = 0; number < 300; ++number) {
    const Interval interval = compare_auc(Examples(200, number), {.seed = 1, .replicates = 320}).interval();
    low += truth < interval.low;
    high += truth > interval.high;
  }
  EXPECT_GE(low, 4);
  EXPECT_LE(low, 30);
  EXPECT_GE(high, 4);
  EXPECT_LE(high, 30);
}

TEST(PairedBootstrap, LeavesOutUndefinedReplicates) {
  // No classes are given, so nothing keeps the few positives in: e^-positives of the resamples have none.
  const auto with_positives = [](std::size_t positives, int replicates) {
    Examples examples(60);
    for (std::size_t i = 0; i < examples.positive.size(); ++i) examples.positive[i] = i < positives;
    const auto metric = lane_auc(std::make_shared<const RankedScores>(
        RankedScores::create(examples.positive, examples.baseline).value()));
    const PairedMetric pair{metric.get(), metric.get()};
    return paired_bootstrap(Resampling::create(examples.keys, {}).value(), {&pair, 1},
                            {.seed = 1, .replicates = replicates})[0];
  };
  const auto four = with_positives(4, 1000);
  ASSERT_TRUE(four.ok());
  EXPECT_LT(four->replicates.size(), 1000u);
  EXPECT_GT(four->replicates.size(), 960u);
  const auto two = with_positives(2, 1000);
  ASSERT_FALSE(two.ok());
  EXPECT_EQ(two.error().code(), ErrorCode::invalid);
  EXPECT_NE(two.error().message().find("of 1000 resamples"), std::string::npos);
}

TEST(PairedBootstrap, HasNoBcaWhenTheJackknifeIsUndefined) {
  // Leaving out the only example of class 0 leaves one class; strata keep it in every resample.
  const Kinds positive{0, 1, 1, 1};
  const auto metric = lane_auc(
      std::make_shared<const RankedScores>(RankedScores::create(positive, Values{1, 0, 2, 3}).value()));
  const PairedMetric pair{metric.get(), metric.get()};
  const auto result = paired_bootstrap(Resampling::create({0, 1, 2, 3}, Codes{0, 1, 1, 1}).value(),
                                       {&pair, 1}, {.seed = 1, .replicates = 50})[0]
                          .value();
  EXPECT_EQ(result.replicates.size(), 50u);
  EXPECT_FALSE(result.bca);
  EXPECT_EQ(result.interval().low, 0);
}

TEST(PairedBootstrap, RefusesAMetricThatIsUndefinedForTheExamples) {
  const auto metric =
      lane_class_metric(Codes{1, 1}, Codes{1, 0}, 2, [](const ClassCounts&) { return std::nan(""); }).value();
  const PairedMetric pair{metric.get(), metric.get()};
  const auto result = paired_bootstrap(Resampling::create({0, 1}, {}).value(), {&pair, 1}, {})[0];
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::invalid);
}

TEST(PairedBootstrap, AMetricIsNotSpoiledByAnother) {
  const auto undefined =
      lane_class_metric(Codes(8, 1), Codes(8, 1), 2, [](const ClassCounts&) { return std::nan(""); }).value();
  const auto defined = lane_mean({1, 2, 3, 4, 5, 6, 7, 8}).value();
  const PairedMetric pairs[] = {{undefined.get(), undefined.get()}, {defined.get(), defined.get()}};
  const auto results = paired_bootstrap(Resampling::create({0, 1, 2, 3, 4, 5, 6, 7}, {}).value(), pairs, {});
  EXPECT_FALSE(results[0]);
  ASSERT_TRUE(results[1]) << results[1].error().to_string();
  EXPECT_EQ(results[1]->candidate, 4.5);
}

TEST(PairedBootstrap, ShortLastBlock) {
  EXPECT_EQ(compare_auc(Examples(50), {.seed = 1, .replicates = 17}).replicates.size(), 17u);
}

}  // namespace
}  // namespace pawl::gate
