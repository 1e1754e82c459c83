// What green runs allow, and worse_than_green, which holds a training to it.
#include "engine/rules/green_band.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <random>

#include "tests/unit/rules/make_input.h"

namespace pawl::rules {
namespace {

using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

GreenBand band_of(const std::vector<CurvePoints>& curves, const BandOptions& options = {}) {
  GreenBand band;
  band.curve = "loss";
  for (size_t i = 0; i < curves.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    band.runs.push_back(number + " (abc" + number + ")");
  }
  fill_green_band(curves, options, band);
  return band;
}

CurvePoints flat(double value, int64_t steps) {
  CurvePoints points;
  for (int64_t step = 0; step < steps; ++step) points.emplace_back(step, value);
  return points;
}

Evaluator evaluator_with(GreenBand band) {
  EvaluatorOptions options;
  options.green = std::move(band);
  return Evaluator::create({}, options).value();
}

// The step at which a training with these losses is stopped.
std::optional<uint64_t> stopped_at(Evaluator& evaluator, int steps, const std::function<double(int)>& loss) {
  InputMaker maker;
  for (int step = 0; step < steps; ++step) {
    maker.begin(static_cast<uint64_t>(step)).loss(loss(step));
    if (!evaluator.on_input(maker.get()).empty()) return step;
  }
  return std::nullopt;
}

TEST(GreenBand, AllowsAPredictionBoundOfTheRuns) {
  const GreenBand band = band_of({flat(1.0, 400), flat(1.2, 400), flat(1.4, 400)}, {.margin = 0.25});
  ASSERT_EQ(band.stretches.size(), kMaxStretches);
  const Stretch& stretch = band.stretches[7];
  EXPECT_EQ(stretch.first, 70u);
  EXPECT_EQ(stretch.last, 79u);
  EXPECT_DOUBLE_EQ(stretch.mean, 1.2);
  EXPECT_DOUBLE_EQ(stretch.low, 1.0);
  EXPECT_DOUBLE_EQ(stretch.high, 1.4);
  // R: qt(0.99, 2) * 0.2 * sqrt(1 + 1/3)
  EXPECT_NEAR(stretch.allowance, 6.964556734 * 0.2 * 1.154700538, 1e-8);
  EXPECT_EQ(stretch.margin, 0.25);
}

TEST(GreenBand, AMarginMayBeAShareOfTheMean) {
  const GreenBand band = band_of({flat(-2, 10), flat(-2, 10)}, {.margin = 0.1, .margin_relative = true});
  ASSERT_EQ(band.stretches.size(), 10u);
  EXPECT_DOUBLE_EQ(band.stretches[0].margin, 0.2);
}

TEST(GreenBand, RunsThatAreAlikeAllowTheNoiseAlongThem) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  CurvePoints noisy;
  for (int64_t step = 0; step < 40; ++step)
    noisy.emplace_back(step, 3 - 0.02 * static_cast<double>(step) + 0.1 * normal(random));
  const GreenBand band = band_of({noisy, noisy});
  for (const Stretch& stretch : band.stretches) {
    EXPECT_GT(stretch.allowance, 0.1);  // three standard deviations are 0.3, estimated from few values
    EXPECT_LT(stretch.allowance, 0.9);
  }
  const GreenBand straight = band_of({flat(1, 40), flat(1, 40)});
  EXPECT_EQ(straight.stretches[20].allowance, 0);
}

TEST(GreenBand, NeedsTwoRunsAtTheSameSteps) {
  EXPECT_THAT(band_of({}).missing, HasSubstr("at least 2 green trainings, and none before"));
  EXPECT_THAT(band_of({flat(1, 10), {}}).missing, HasSubstr("only one before"));
  CurvePoints late;
  for (int64_t step = 500; step < 510; ++step) late.emplace_back(step, 1);
  EXPECT_THAT(band_of({flat(1, 10), late}).missing, HasSubstr("no values of 'loss' at the same steps"));
  EXPECT_TRUE(band_of({flat(1, 10), flat(1, 5)}).missing.empty());
  EXPECT_EQ(band_of({flat(1, 10), flat(1, 5)}).stretches.size(), 5u);
}

TEST(GreenBand, LeavesOutWhatIsNotFinite) {
  CurvePoints broken = flat(1, 40);
  broken[3].second = kNaN;
  broken[4].second = std::numeric_limits<double>::infinity();
  const GreenBand band = band_of({broken, flat(1, 40)});
  EXPECT_EQ(band.stretches.size(), 38u);
  const double huge = std::numeric_limits<double>::max();
  EXPECT_FALSE(band_of({flat(huge, 40), flat(-huge, 40)}).missing.empty());
}

TEST(GreenBand, BeginsWhereItIsTold) {
  const GreenBand band = band_of({flat(1, 400), flat(1, 400)}, {.from_step = 95});
  EXPECT_EQ(band.stretches.front().first, 100u);
}

TEST(WorseThanGreen, StopsAfterThreeWorseStretchesAndSaysWhatItCompared) {
  Evaluator evaluator = evaluator_with(band_of({flat(1, 400), flat(1, 400)}, {.margin = 0.1}));
  EXPECT_EQ(stopped_at(evaluator, 400, [](int step) { return step < 200 ? 1.05 : 1.2; }), 229u);
  const Finding& finding = evaluator.findings()[0];
  EXPECT_EQ(finding.rule, "worse_than_green");
  EXPECT_EQ(finding.action, Action::stop);
  EXPECT_EQ(finding.tensor, "loss");
  EXPECT_EQ(finding.kind, "loss");
  EXPECT_DOUBLE_EQ(finding.value, 1.2);
  EXPECT_DOUBLE_EQ(finding.limit, 1.1);
  EXPECT_EQ(
      finding.message,
      "loss was 1.2 on average from step 220 to 229; green runs 1 (abc1) and 2 (abc2) had 1 there (1 to "
      "1), and with 0 for their spread and a margin of 0.1 it may be 1.1; 3 stretches in a row were worse "
      "than that");
}

TEST(WorseThanGreen, ABadStretchIsNoTrend) {
  Evaluator evaluator = evaluator_with(band_of({flat(1, 400), flat(1, 400)}, {.margin = 0.1}));
  EXPECT_EQ(stopped_at(evaluator, 400, [](int step) { return step / 10 % 3 == 0 ? 1 : 5; }), std::nullopt);
  EXPECT_EQ(outcome_of(evaluator.finish(true), "worse_than_green").outcome, Outcome::pass);
}

TEST(WorseThanGreen, FollowsAScalarOfWhichMoreIsBetter) {
  CurvePoints sparse;
  for (int64_t step = 99; step < 2000; step += 100) sparse.emplace_back(step, 0.9);
  GreenBand band;
  band.curve = "val_accuracy";
  band.runs = {"1", "2"};
  const BandOptions options{
      .higher_is_better = true, .margin = 0.05, .margin_relative = false, .from_step = 0};
  fill_green_band(std::vector<CurvePoints>{sparse, sparse}, options, band);
  for (const double accuracy : {0.95, 0.84}) {
    Evaluator evaluator = evaluator_with(band);
    InputMaker maker;
    std::optional<uint64_t> fired;
    for (uint64_t step = 0; step < 2000 && !fired; ++step) {
      maker.begin(step).loss(100);
      if (step % 100 == 99) maker.scalar("val_accuracy", accuracy);
      if (!evaluator.on_input(maker.get()).empty()) fired = step;
    }
    EXPECT_EQ(fired.has_value(), accuracy < 0.85);
    if (fired) {
      EXPECT_LT(*fired, 400u);
    }
  }
}

TEST(WorseThanGreen, FollowsTheThroughputOfTheFirstRank) {
  GreenBand band;
  band.curve = kThroughputCurve;
  const BandOptions options{.higher_is_better = true, .margin = 0.5, .margin_relative = true, .from_step = 0};
  fill_green_band(std::vector<CurvePoints>{flat(30, 400), flat(30, 400)}, options, band);
  Evaluator evaluator = evaluator_with(band);
  EXPECT_EQ(stopped_at(evaluator, 400, [](int) { return 1; }), 29u);  // a step of the maker takes 0.1 s
  EXPECT_DOUBLE_EQ(evaluator.findings()[0].limit, 15);
}

TEST(WorseThanGreen, IsNotEvaluatedWithoutGreenRunsOrWithoutTheCurve) {
  Evaluator first = evaluator_with(band_of({}));
  EXPECT_EQ(stopped_at(first, 100, [](int) { return 1e9; }), std::nullopt);
  const RuleOutcome outcome = outcome_of(first.finish(true), "worse_than_green");
  EXPECT_EQ(outcome.outcome, Outcome::not_evaluated);
  EXPECT_THAT(outcome.reason, HasSubstr("none before this commit recorded the curve 'loss'"));
  GreenBand other = band_of({flat(1, 10), flat(1, 10)});
  other.curve = "val_loss";
  Evaluator unseen = evaluator_with(other);
  EXPECT_EQ(stopped_at(unseen, 100, [](int) { return 1e9; }), std::nullopt);
  EXPECT_THAT(outcome_of(unseen.finish(true), "worse_than_green").reason,
              HasSubstr("'val_loss' was not recorded"));
}

TEST(WorseThanGreen, NaNIsLeftToTheRuleForIt) {
  Evaluator evaluator = evaluator_with(band_of({flat(1, 400), flat(1, 400)}));
  EXPECT_EQ(stopped_at(evaluator, 400, [](int step) { return step % 2 ? kNaN : 1.0; }), std::nullopt);
  EXPECT_EQ(outcome_of(evaluator.finish(true), "worse_than_green").outcome, Outcome::pass);
}

TEST(WorseThanGreen, BeginsAnewWhenTrainingDoes) {
  trace::SeriesTable table;
  trace::SeriesDeclaration declaration;
  declaration.name = "loss";
  declaration.kind = trace::Kind::loss;
  const uint32_t loss = *table.intern(declaration);
  Evaluator evaluator = evaluator_with(band_of({flat(1, 400), flat(1, 400)}, {.margin = 0.1}));
  for (uint64_t incarnation = 0; incarnation < 3; ++incarnation) {
    for (uint64_t s = 0; s < 25; ++s) {  // two worse stretches each time
      trace::Step step;
      step.step = s;
      step.incarnation = incarnation;
      step.ranks = {{0, 0, 0}};
      step.observations = {{0, loss, 2.0}};
      step.series = &table;
      EXPECT_TRUE(evaluator.on_step(step).empty());
    }
  }
}

// Trainings that differ by their seed: where they go, how fast, and the noise of their batches.
class Trainings {
 public:
  Trainings(uint64_t seed, double noise) : random_(seed), noise_(noise) {}

  std::function<double(int)> draw(double worse = 1) {
    const double end = worse * 0.35 * (1 + 0.03 * normal_(random_));
    const double pace = 80 * std::exp(0.1 * normal_(random_));
    return [this, end, pace](int step) {
      return (end + 1.95 * std::exp(-step / pace)) * (1 + noise_ * normal_(random_));
    };
  }

  CurvePoints record() {
    CurvePoints points;
    const auto loss = draw();
    for (int step = 1; step < 1000; step += 2) points.emplace_back(step, (loss(step - 1) + loss(step)) / 2);
    return points;
  }

  // Of `trainings`, each against green runs of its own.
  double share_stopped(int trainings, size_t runs, double margin, double worse = 1) {
    int stopped = 0;
    for (int i = 0; i < trainings; ++i) {
      std::vector<CurvePoints> green;
      for (size_t run = 0; run < runs; ++run) green.push_back(record());
      Evaluator evaluator = evaluator_with(band_of(green, {.margin = margin, .margin_relative = true}));
      stopped += stopped_at(evaluator, 1000, draw(worse)).has_value() ? 1 : 0;
    }
    return static_cast<double>(stopped) / trainings;
  }

 private:
  std::mt19937_64 random_;
  double noise_;
  std::normal_distribution<double> normal_;
};

TEST(WorseThanGreen, SeldomStopsATrainingThatDiffersByItsSeed) {
  for (const double noise : {0.0, 0.25}) {
    for (const size_t runs : {2, 3, 5, 10}) {
      EXPECT_LE(Trainings(runs, noise).share_stopped(1000, runs, 0), 0.05) << runs << ", " << noise;
      EXPECT_LE(Trainings(runs, noise).share_stopped(1000, runs, 0.1), 0.01) << runs << ", " << noise;
    }
  }
}

TEST(WorseThanGreen, StopsATrainingThatIsWorse) {
  const auto share = [](size_t runs, double worse) {
    return Trainings(runs, 0.25).share_stopped(200, runs, 0.1, worse);
  };
  EXPECT_GE(share(3, 2), 0.95);
  EXPECT_GE(share(5, 1.5), 0.95);
  EXPECT_GE(share(10, 1.3), 0.75);
}

}  // namespace
}  // namespace pawl::rules
