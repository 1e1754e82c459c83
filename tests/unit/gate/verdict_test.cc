#include "engine/gate/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/gate/metric_judge.h"
#include "engine/gate/predictions.h"
#include "engine/gate/verdict_json.h"
#include "nlohmann/json.hpp"

namespace pawl::gate {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A vector in which the model is right exactly where `right(i)`, on examples 0 .. n-1.
template <class F>
EvaluationVector vector_of(int n, F right, const std::string& label = "1") {
  EvaluationBuilder builder("p", "row");
  for (int i = 0; i < n; ++i) {
    EXPECT_TRUE(builder.add(std::to_string(i), label, right(i) ? label : "x", 0));
  }
  auto vector = builder.finish();
  EXPECT_TRUE(vector);
  return std::move(vector).value();
}

// A pair of vectors with the given counts: the baseline is right on the first half and where only it is.
struct Pair {
  EvaluationVector candidate, baseline;
};
Pair vectors(int n, int b, int c) {
  return {vector_of(n, [=](int i) { return i < b || i >= b + c; }),
          vector_of(n, [=](int i) { return i >= b; })};
}

Metric metric(std::string name, double value) {
  return {std::move(name), value, {}, "", {}};
}

MetricRule rule(std::string name, Direction direction = Direction::higher) {
  MetricRule out;
  out.metric = std::move(name);
  out.direction = direction;
  return out;
}

MetricRule max_drop(double allowed) {
  MetricRule out = rule("accuracy");
  out.max_drop = allowed;
  return out;
}

MetricRule paired(double margin, PairedTest::Mode mode) {
  MetricRule out = rule("accuracy");
  out.paired = PairedTest{.margin = margin, .alpha = .05, .mode = mode, .predictions = "predictions.csv"};
  return out;
}

constexpr auto kLenient = PairedTest::Mode::lenient;
constexpr auto kStrict = PairedTest::Mode::strict;

Inputs inputs(double value) {
  Inputs in;
  in.evidence.metrics = {metric("accuracy", value)};
  in.target_branch = "main";
  return in;
}

Inputs inputs(double value, double baseline) {
  Inputs in = inputs(value);
  in.baseline =
      Baseline{.run = {"01KEX4Q2ZBAAAAAAAAAAAAAAAA", 1, "3f2a91c0ffee", "main", 1},
               .evidence = {.metrics = {metric("accuracy", baseline)}, .vectors = {}, .unreadable = {}}};
  return in;
}

Inputs inputs(const Pair& pair) {
  Inputs in = inputs(pair.candidate.accuracy(), pair.baseline.accuracy());
  in.evidence.vectors["predictions.csv"] = pair.candidate;
  in.baseline->evidence.vectors["predictions.csv"] = pair.baseline;
  return in;
}

Policy policy(MetricRule metric_rule) {
  return {.bootstrap = false, .metrics = {std::move(metric_rule)}, .conditions = {}, .stage = {}};
}

VerdictKind kind(const MetricRule& metric_rule, const Inputs& in) {
  return judge(policy(metric_rule), in).kind;
}

const Reason& only(const Verdict& verdict) {
  EXPECT_EQ(verdict.reasons.size(), 1u);
  return verdict.reasons.at(0);
}

TEST(Verdict, ExitCodesAreTheContract) {
  EXPECT_EQ(exit_code(VerdictKind::pass), 0);
  EXPECT_EQ(exit_code(VerdictKind::fail), 1);
  EXPECT_EQ(exit_code(VerdictKind::error), 3);
  EXPECT_EQ(exit_code(VerdictKind::inconclusive), 4);
  EXPECT_EQ(exit_code(VerdictKind::no_baseline), 4);
}

TEST(Verdict, WithoutMetricsOnlyStagesAndRulesDecide) {
  const Verdict green = judge({}, inputs(.9));
  EXPECT_EQ(green.kind, VerdictKind::pass);
  EXPECT_EQ(green.headline, "every stage succeeded and no rule fired; no metric is gated");
  Inputs in = inputs(.9);
  in.evidence.unreadable["metrics.json"] = "this is no JSON";
  EXPECT_EQ(judge({}, in).kind, VerdictKind::pass) << "nobody asked for that file";
  in.findings.push_back(
      {.rule = "hang", .step = {}, .rank = {}, .tensor = {}, .message = "rank 1 is silent"});
  EXPECT_EQ(judge({}, in).kind, VerdictKind::fail);
}

TEST(Verdict, ATrainingThatNobodyWatchedIsTold) {
  Inputs in = inputs(.9);
  in.unwatched = {{"train", "no trace was recorded"}};
  const Verdict verdict = judge({}, in);
  EXPECT_EQ(verdict.kind, VerdictKind::pass);
  EXPECT_EQ(
      verdict.headline,
      "every stage succeeded; no metric is gated; stage train: no rule was evaluated: no trace was recorded");
}

TEST(Verdict, AnUnwatchedTrainingIsJudgedLikeAnyOther) {
  Inputs in = inputs(.3);
  in.unwatched = {{"train", "no trace was recorded"}};
  MetricRule asked = rule("accuracy");
  asked.floor = .5;
  EXPECT_EQ(judge(policy(asked), in).kind, VerdictKind::fail);
}

// Missing data never passes.

TEST(FailClosed, MissingMetricIsAnError) {
  MetricRule asked = rule("acuracy");
  asked.floor = .5;
  const Verdict verdict = judge(policy(asked), inputs(.9));
  EXPECT_EQ(verdict.kind, VerdictKind::error);
  EXPECT_EQ(verdict.headline, "acuracy is missing from metrics.json; did you mean accuracy?");
}

TEST(FailClosed, NanAndInfinityAreErrors) {
  for (const double value : std::initializer_list<double>{std::nan(""), INFINITY, -INFINITY}) {
    MetricRule asked = max_drop(.02);
    asked.floor = .5;
    EXPECT_EQ(kind(asked, inputs(value, .9)), VerdictKind::error) << value;
    asked.direction = Direction::lower;
    EXPECT_EQ(kind(asked, inputs(value, .9)), VerdictKind::error) << value;
  }
  EXPECT_EQ(judge(policy(max_drop(.02)), inputs(std::nan(""), .9)).headline, "accuracy is NaN");
}

TEST(FailClosed, ANanInTheBaselineIsNoBaseline) {
  EXPECT_EQ(kind(max_drop(.02), inputs(.9, std::nan(""))), VerdictKind::no_baseline);
}

TEST(FailClosed, UnreadableFilesAreErrors) {
  Inputs in = inputs(.9, .9);
  in.evidence.unreadable["metrics.json"] = "metrics.json:1:2: this is no JSON";
  const Verdict verdict = judge(policy(max_drop(.02)), in);
  EXPECT_EQ(verdict.kind, VerdictKind::error);
  EXPECT_EQ(verdict.headline, "metrics.json:1:2: this is no JSON");
  EXPECT_EQ(verdict.reasons.at(1).status, Status::not_judged);

  in = inputs(vectors(100, 0, 0));
  in.evidence.vectors.clear();
  EXPECT_EQ(kind(paired(.01, kLenient), in), VerdictKind::error);
  EXPECT_THAT(judge(policy(paired(.01, kLenient)), in).headline,
              HasSubstr("needs predictions.csv, which is missing"));
  in.evidence.unreadable["predictions.csv"] = "line 3: the id is empty";
  EXPECT_THAT(judge(policy(paired(.01, kLenient)), in).headline, HasSubstr("line 3: the id is empty"));
}

TEST(FailClosed, DamagedVectorIsAnError) {
  Inputs in = inputs(vectors(100, 1, 2));
  in.baseline->evidence.vectors["predictions.csv"].correct.pop_back();
  EXPECT_EQ(kind(paired(.01, kLenient), in), VerdictKind::error);
}

TEST(FailClosed, DirectionsThatContradictAreAnError) {
  Inputs in = inputs(.9, .9);
  in.evidence.metrics[0].direction = Direction::lower;
  const Verdict verdict = judge(policy(max_drop(.02)), in);
  EXPECT_EQ(verdict.kind, VerdictKind::error);
  EXPECT_EQ(verdict.headline, "accuracy is better when lower by metrics.json, when higher by the gate");
}

TEST(FailClosed, NoHistoryIsNoBaseline) {
  const Verdict verdict = judge(policy(max_drop(.02)), inputs(.9));
  EXPECT_EQ(verdict.kind, VerdictKind::no_baseline);
  EXPECT_EQ(
      verdict.headline,
      "accuracy cannot be compared: main has no baseline; `pawl baseline history` lists green runs, `pawl "
      "baseline pin RUN --why REASON` makes one the baseline");
  EXPECT_EQ(kind(paired(.02, kLenient), inputs(.9)), VerdictKind::no_baseline);
}

TEST(FailClosed, AFloorIsJudgedWithoutHistory) {
  MetricRule asked = max_drop(.02);
  asked.floor = .95;
  EXPECT_EQ(kind(asked, inputs(.9)), VerdictKind::fail);
  asked.max_drop.reset();
  EXPECT_EQ(kind(asked, inputs(.96)), VerdictKind::pass) << "nothing asks for a baseline";
}

TEST(FailClosed, ZeroVarianceStillFails) {
  // The same deterministic drop on every example of a history without any spread.
  EXPECT_EQ(kind(max_drop(.02), inputs(.4, .9)), VerdictKind::fail);
  EXPECT_EQ(kind(paired(.02, kLenient), inputs(vectors(1, 0, 1))), VerdictKind::pass);
  EXPECT_EQ(kind(paired(.02, kStrict), inputs(vectors(1, 0, 1))), VerdictKind::inconclusive);
}

TEST(FailClosed, AFailedStageIsNeverGreen) {
  Inputs in = inputs(.95, .9);
  in.stages.push_back({.stage = "train", .message = "exit code 1", .infrastructure = false});
  Verdict verdict = judge(policy(max_drop(.02)), in);
  EXPECT_EQ(verdict.kind, VerdictKind::fail);
  EXPECT_EQ(verdict.headline, "stage train: exit code 1");
  EXPECT_EQ(verdict.reasons.at(1).sentence, "accuracy was not judged: stage train did not succeed");
  in.stages[0].infrastructure = true;
  EXPECT_EQ(judge(policy(max_drop(.02)), in).kind, VerdictKind::error);
  EXPECT_EQ(judge({}, in).kind, VerdictKind::error);
}

TEST(FailClosed, AChangedTestSetIsNoBaseline) {
  Inputs in = inputs(vectors(100, 0, 0));
  in.evidence.vectors["predictions.csv"] = vector_of(
      100, [](int) { return true; }, "2");
  for (const bool bootstrap : {false, true}) {
    for (const MetricRule& asked : {paired(.01, kLenient), max_drop(.02)}) {
      const Verdict verdict =
          judge({.bootstrap = bootstrap, .metrics = {asked}, .conditions = {}, .stage = {}}, in);
      EXPECT_EQ(verdict.kind, VerdictKind::no_baseline);
      EXPECT_EQ(
          only(verdict).sentence,
          "accuracy cannot be compared: test set changed: 100 examples, but other ids or labels in run 1 of "
          "commit 3f2a91c (main); `pawl baseline pin RUN --red --why REASON` makes this run what the next "
          "are compared with");
    }
  }
}

TEST(FailClosed, AnotherNumberOfExamplesIsAnotherTestSet) {
  Inputs in = inputs(.95, .9);
  in.evidence.metrics[0].n = 500;
  in.baseline->evidence.metrics[0].n = 10'000;
  const Verdict verdict = judge(policy(max_drop(.02)), in);
  EXPECT_EQ(verdict.kind, VerdictKind::no_baseline);
  EXPECT_THAT(verdict.headline, HasSubstr("test set changed: 500 examples, were 10000"));
}

TEST(FailClosed, ABaselineWithoutTheMetricOrThePredictionsIsNoBaseline) {
  Inputs in = inputs(vectors(100, 0, 0));
  in.baseline->evidence.vectors.clear();
  EXPECT_THAT(judge(policy(paired(.01, kLenient)), in).headline,
              HasSubstr("run 1 of commit 3f2a91c (main) left no predictions.csv"));
  in.baseline->evidence.metrics.clear();
  EXPECT_EQ(kind(max_drop(.01), in), VerdictKind::no_baseline);
  EXPECT_THAT(judge(policy(max_drop(.01)), in).headline,
              HasSubstr("has no accuracy; `pawl baseline pin RUN"));
}

TEST(Bootstrap, OnlyWhileTheBranchWasNeverGreen) {
  Policy with = policy(max_drop(.02));
  with.bootstrap = true;
  Inputs in = inputs(.9);
  EXPECT_EQ(judge(with, in).kind, VerdictKind::no_baseline) << "a green run exists somewhere: pin it";
  in.target_was_ever_green = false;
  const Verdict verdict = judge(with, in);
  EXPECT_EQ(verdict.kind, VerdictKind::pass);
  EXPECT_EQ(only(verdict).status, Status::bootstrap);
  EXPECT_EQ(verdict.headline, "accuracy is 0.9: nothing to compare with yet, main never had a green run");
  with.bootstrap = false;
  EXPECT_EQ(judge(with, in).kind, VerdictKind::no_baseline);
  EXPECT_THAT(
      judge(with, in).headline,
      EndsWith("`bootstrap: true` in the gate makes the first green run the baseline, `pawl baseline pin RUN "
               "--red --why REASON` this one"));
}

TEST(Bootstrap, FloorsRulesAndStagesStillHold) {
  Policy with = policy(max_drop(.02));
  with.bootstrap = true;
  with.metrics[0].floor = .95;
  Inputs in = inputs(.9);
  in.target_was_ever_green = false;
  EXPECT_EQ(judge(with, in).kind, VerdictKind::fail);
  with.metrics[0].floor = .5;
  EXPECT_EQ(judge(with, in).kind, VerdictKind::pass);
  in.findings.push_back({.rule = "non_finite", .step = 3, .rank = 0, .tensor = "loss", .message = ""});
  EXPECT_EQ(judge(with, in).kind, VerdictKind::fail);
}

// Bounds.

TEST(Floor, SaysHowSureTheShareOfRightAnswersIs) {
  MetricRule asked = rule("accuracy");
  asked.floor = .85;
  Inputs in = inputs(.812);
  in.evidence.vectors["predictions.csv"] = vector_of(500, [](int i) { return i < 406; });
  EXPECT_EQ(judge(policy(asked), in).headline,
            "accuracy 0.812 is below the floor 0.85 (90 % CI 0.7816 to 0.839, 500 examples)");
  asked.metric = in.evidence.metrics[0].name = "val_accuracy";
  asked.paired = PairedTest{.margin = .02};
  in.evidence.vectors["predictions.csv"] = vector_of(500, [](int i) { return i < 300; });
  EXPECT_EQ(judge(policy(asked), in).headline, "val_accuracy 0.812 is below the floor 0.85")
      << "of other examples";
}

TEST(Floor, AndCeiling) {
  MetricRule asked = rule("accuracy");
  asked.floor = .85;
  EXPECT_EQ(kind(asked, inputs(.85)), VerdictKind::pass);
  EXPECT_EQ(kind(asked, inputs(.8499)), VerdictKind::fail);
  EXPECT_EQ(judge(policy(asked), inputs(.812)).headline, "accuracy 0.812 is below the floor 0.85");
  EXPECT_EQ(judge(policy(asked), inputs(.849999)).headline, "accuracy 0.849999 is below the floor 0.85");
  asked.ceiling = .9;
  EXPECT_EQ(kind(asked, inputs(.9)), VerdictKind::pass);
  EXPECT_EQ(kind(asked, inputs(.91)), VerdictKind::fail);
}

TEST(MaxDrop, IsInclusiveUpToRounding) {
  EXPECT_EQ(kind(max_drop(.02), inputs(.85, .87)), VerdictKind::pass);  // .87 - .85 > .02 in binary
  EXPECT_EQ(kind(max_drop(.02), inputs(.8499, .87)), VerdictKind::fail);
  EXPECT_EQ(kind(max_drop(0), inputs(.87, .87)), VerdictKind::pass);
  EXPECT_EQ(kind(max_drop(0), inputs(.8699, .87)), VerdictKind::fail);
}

TEST(MaxDrop, AnImprovementNeverFails) {
  EXPECT_EQ(kind(max_drop(.02), inputs(.99, .5)), VerdictKind::pass);
  MetricRule loss = max_drop(.02);
  loss.direction = Direction::lower;
  EXPECT_EQ(kind(loss, inputs(.1, .9)), VerdictKind::pass);
}

TEST(MaxDrop, LowerIsBetter) {
  MetricRule loss = max_drop(.02);
  loss.direction = Direction::lower;
  EXPECT_EQ(kind(loss, inputs(.36, .30)), VerdictKind::fail);
  EXPECT_EQ(judge(policy(loss), inputs(.36, .30)).headline,
            "accuracy rose from 0.3 to 0.36 (limit 0.32) against run 1 of commit 3f2a91c (main)");
}

TEST(MaxDrop, RelativeToNegativeAndZeroBaselines) {
  MetricRule relative = max_drop(.1);
  relative.max_drop_relative = true;
  EXPECT_EQ(kind(relative, inputs(-5, -10)), VerdictKind::pass) << "a log-likelihood that went up";
  EXPECT_EQ(kind(relative, inputs(-10.9, -10)), VerdictKind::pass);
  EXPECT_EQ(kind(relative, inputs(-11.1, -10)), VerdictKind::fail);
  EXPECT_EQ(kind(relative, inputs(0, 0)), VerdictKind::pass);
  relative.direction = Direction::lower;
  EXPECT_EQ(kind(relative, inputs(.01, 0)), VerdictKind::fail) << "ten percent of nothing is nothing";
}

TEST(MaxDrop, NinetyEightySeventyAgainstTheLastGreen) {
  EXPECT_EQ(kind(max_drop(.02), inputs(.8, .9)), VerdictKind::fail);
  EXPECT_EQ(kind(max_drop(.02), inputs(.7, .9)), VerdictKind::fail);
}

// Paired tests: the decisions of a table computed from the formula.

struct Decision {
  int b, c, n;
  double margin;
  VerdictKind strict, lenient;
};

TEST(Paired, Decisions) {
  const Decision table[] = {
      {20, 120, 1000, .01, VerdictKind::fail, VerdictKind::fail},
      {5, 15, 100, .01, VerdictKind::fail, VerdictKind::fail},
      {2, 7, 50, .01, VerdictKind::inconclusive, VerdictKind::pass},
      {100, 120, 10000, .005, VerdictKind::pass, VerdictKind::pass},
      {100, 220, 10000, .01, VerdictKind::inconclusive, VerdictKind::pass},
      {30, 30, 1000, .01, VerdictKind::inconclusive, VerdictKind::pass},
  };
  for (const Decision& row : table) {
    const Inputs in = inputs(vectors(row.n, row.b, row.c));
    EXPECT_EQ(kind(paired(row.margin, kStrict), in), row.strict) << row.b << ' ' << row.c;
    EXPECT_EQ(kind(paired(row.margin, kLenient), in), row.lenient) << row.b << ' ' << row.c;
  }
}

TEST(Paired, TheHardRuleCatchesWhatFiftyExamplesCannotShow) {
  MetricRule both = paired(.01, kStrict);
  both.max_drop = .02;
  const Verdict verdict = judge(policy(both), inputs(vectors(50, 2, 7)));
  EXPECT_EQ(verdict.kind, VerdictKind::fail);
  EXPECT_EQ(verdict.reasons.at(0).check, Check::max_drop);
  EXPECT_EQ(verdict.reasons.at(1).status, Status::inconclusive);
  EXPECT_EQ(verdict.headline, verdict.reasons.at(0).sentence);
}

TEST(Paired, NumbersAndTheSentence) {
  Inputs in = inputs(vectors(1000, 20, 120));
  const Verdict verdict = judge(policy(paired(.01, kLenient)), in);
  const Reason& reason = only(verdict);
  EXPECT_EQ(verdict.headline,
            "accuracy fell from 0.98 to 0.88 (-10.0 points, 90 % CI -11.9 to -8.2, surely worse than the "
            "margin of 1) against run 1 "
            "of commit "
            "3f2a91c (main)");
  EXPECT_EQ(reason.value, .88);
  EXPECT_EQ(reason.baseline, .98);
  EXPECT_EQ(reason.limit, -.01);
  EXPECT_EQ(reason.counts, (PairedCounts{1000, 20, 120}));
  EXPECT_NEAR(reason.interval->low, -.11945, 5e-6);
  EXPECT_NEAR(reason.interval->high, -.08178, 5e-6);
  EXPECT_DOUBLE_EQ(*reason.level, .9);
  EXPECT_DOUBLE_EQ(*reason.p_value, mcnemar_mid_p_worse(20, 120));
  EXPECT_EQ(verdict.baseline, in.baseline->run);
}

TEST(Paired, ALenientPassSaysWhetherItIsSure) {
  const auto headline = [](int b, int c, int n) {
    return judge(policy(paired(.01, kLenient)), inputs(vectors(n, b, c))).headline;
  };
  EXPECT_THAT(headline(2, 7, 50), HasSubstr(", not surely worse than the margin of 1) against"));
  EXPECT_THAT(headline(100, 120, 10000), HasSubstr(", surely not worse than the margin of 1) against"));
}

TEST(Paired, AMetricMustNotContradictThePredictions) {
  Inputs in = inputs(vectors(1000, 20, 120));
  in.evidence.metrics[0].value = .99;
  const Verdict verdict = judge(policy(paired(.2, kLenient)), in);
  EXPECT_EQ(verdict.kind, VerdictKind::error);
  EXPECT_EQ(verdict.headline, "accuracy: metrics.json says 0.99, the predictions give 0.88");
}

TEST(Paired, AMetricAgreesWithThePredictionsUpToThreeDecimals) {
  const auto headline = [](double says) {
    Inputs in = inputs(vectors(10000, 0, 0));
    in.evidence.vectors["predictions.csv"] = vector_of(10000, [](int i) { return i < 9635; });
    in.evidence.metrics[0].value = says;
    const Verdict verdict = judge(policy(paired(.2, kLenient)), in);
    return verdict.kind == VerdictKind::error ? verdict.headline : "";
  };
  EXPECT_EQ(headline(.9635), "");
  EXPECT_EQ(headline(.963), "") << "0.9635 rounded to even";
  EXPECT_EQ(headline(.964), "");
  EXPECT_EQ(headline(.965), "accuracy: metrics.json says 0.965, the predictions give 0.9635");
  EXPECT_EQ(headline(.96),
            "accuracy: metrics.json says 0.96, the predictions give 0.9635; write at least "
            "three decimals");
  EXPECT_EQ(headline(96.35),
            "accuracy: metrics.json says 96.35, the predictions give 0.9635: the file is in "
            "percent, the predictions in shares; write the share");
  EXPECT_EQ(headline(96), "accuracy: metrics.json says 96, the predictions give 0.9635");
}

TEST(Paired, AnAccuracyAgreesWithThePredictionsWithoutAPairedTest) {
  Inputs in = inputs(vectors(1000, 0, 0));
  in.evidence.metrics[0].value = .9;
  EXPECT_EQ(judge(policy(max_drop(.2)), in).headline,
            "accuracy: metrics.json says 0.9, the predictions give 1");
}

TEST(Units, AShareDoesNotBecomeAPercentage) {
  const Verdict verdict = judge(policy(max_drop(.02)), inputs(25, .95));
  EXPECT_EQ(verdict.kind, VerdictKind::error);
  EXPECT_EQ(
      verdict.headline,
      "accuracy was 0.95 in run 1 of commit 3f2a91c (main) and is 25: is it in percent now and was a "
      "share? Write it in one unit; if both are right, `pawl baseline pin RUN --red --why REASON` makes "
      "this run what the next are compared with");
  EXPECT_EQ(only(verdict).check, Check::metric);
}

TEST(Units, APercentageDoesNotBecomeAShare) {
  const Verdict verdict = judge(policy(max_drop(.02)), inputs(.9, 95));
  EXPECT_EQ(verdict.kind, VerdictKind::error);
  EXPECT_THAT(verdict.headline, HasSubstr("is it a share now and was in percent?"));
  EXPECT_EQ(kind(max_drop(.02), inputs(.01, 95)), VerdictKind::fail) << "not near a hundredth";
}

TEST(Units, OtherScalesAreLeftAlone) {
  EXPECT_EQ(kind(max_drop(2), inputs(94, 95)), VerdictKind::pass) << "percent before and after";
  EXPECT_EQ(kind(max_drop(.02), inputs(1.2, .9)), VerdictKind::pass);
  EXPECT_EQ(kind(max_drop(.02), inputs(300, .9)), VerdictKind::pass) << "no percentage";
  MetricRule reward = max_drop(.02);
  reward.floor = 10;
  EXPECT_EQ(kind(reward, inputs(25, .9)), VerdictKind::pass) << "the floor says that it is no share";
  MetricRule loss = max_drop(.02);
  loss.direction = Direction::lower;
  EXPECT_EQ(kind(loss, inputs(25, .9)), VerdictKind::fail);
}

TEST(Paired, AMetricThatIsNotTheShareOfRightAnswersIsToldApart) {
  Inputs in = inputs(vectors(1000, 20, 120));
  in.evidence.metrics[0] = metric("error", 22.6);
  in.baseline->evidence.metrics[0] = metric("error", 12.6);
  MetricRule error = paired(.01, kLenient);
  error.metric = "error";
  error.direction = Direction::lower;
  EXPECT_THAT(judge(policy(error), in).headline,
              StartsWith("error rose from 12.6 to 22.6 (right answers -10.0 points, "));
}

TEST(Paired, InconclusiveSaysHowManyExamplesItTakes) {
  const Verdict verdict = judge(policy(paired(.01, kStrict)), inputs(vectors(1000, 30, 30)));
  EXPECT_THAT(verdict.headline,
              HasSubstr("not shown to be within the margin: about 3708 examples would be needed, there "
                        "are 1000"));
  EXPECT_EQ(examples_needed(.06, .01, .05, .8), 3708);
  EXPECT_THAT(judge(policy(paired(.01, kStrict)), inputs(vectors(1000, 20, 120))).headline,
              Not(HasSubstr("examples would be needed")));
}

TEST(Paired, IdenticalPredictionsPassEvenOnFewExamples) {
  const Verdict verdict = judge(policy(paired(.001, kStrict)), inputs(vectors(10, 0, 0)));
  EXPECT_EQ(verdict.kind, VerdictKind::pass);
  EXPECT_EQ(verdict.headline,
            "accuracy stayed at 1 (right on the same examples) against run 1 of commit 3f2a91c (main)");
}

TEST(Paired, AnotherFileOfPredictions) {
  MetricRule asked = paired(.01, kLenient);
  asked.paired->predictions = "night.csv";
  Inputs in = inputs(vectors(1000, 0, 0));
  EXPECT_EQ(kind(asked, in), VerdictKind::error) << "night.csv is missing";
  const Pair night = vectors(1000, 20, 120);
  in.evidence.vectors["night.csv"] = night.candidate;
  in.baseline->evidence.vectors["night.csv"] = night.baseline;
  EXPECT_EQ(kind(asked, in), VerdictKind::fail);
}

// The whole.

TEST(Verdict, TheWorstReasonGivesTheKind) {
  Policy all{.bootstrap = false,
             .metrics = {rule("gone"), paired(.01, kStrict), max_drop(.001), rule("new")},
             .conditions = {},
             .stage = {}};
  all.metrics[3].max_drop = .1;
  Inputs in = inputs(vectors(1000, 25, 35));
  in.evidence.metrics.push_back(metric("new", 1));
  EXPECT_EQ(judge(all, in).kind, VerdictKind::fail);
  all.metrics.erase(all.metrics.begin() + 2);
  EXPECT_EQ(judge(all, in).kind, VerdictKind::error);
  all.metrics.erase(all.metrics.begin());
  EXPECT_EQ(judge(all, in).kind, VerdictKind::no_baseline);
  all.metrics.pop_back();
  EXPECT_EQ(judge(all, in).kind, VerdictKind::inconclusive);
}

TEST(Verdict, AnOverlapIsAReasonOfItsOwn) {
  const Verdict verdict = refuse_overlap("test", "1 row of dataset 'test' is in 'train' too");
  EXPECT_EQ(verdict.kind, VerdictKind::fail);
  EXPECT_EQ(verdict.headline, only(verdict).sentence);
  EXPECT_EQ(only(verdict).check, Check::disjoint_from);
  EXPECT_EQ(only(verdict).subject, "test");
  const auto read = verdict_from_json(to_json(verdict).dump());
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(only(*read).check, Check::disjoint_from);
}

TEST(Verdict, TheHeadlineNamesTheCauseAndTheOthers) {
  Inputs in = inputs(vectors(1000, 20, 120));
  in.evidence.metrics.push_back(metric("loss", 2));
  in.baseline->evidence.metrics.push_back(metric("loss", 1));
  MetricRule accuracy = paired(.01, kLenient);
  accuracy.floor = .95;
  accuracy.max_drop = .02;
  MetricRule loss = rule("loss", Direction::lower);
  loss.max_drop = .1;
  const Verdict verdict =
      judge({.bootstrap = false, .metrics = {accuracy, loss}, .conditions = {}, .stage = {}}, in);
  EXPECT_THAT(verdict.headline,
              HasSubstr("margin of 1) against run 1 of commit 3f2a91c (main); also red: loss"));
  EXPECT_EQ(verdict.reasons.size(), 4u);
}

TEST(Verdict, ARuleThatFiredIsTheHeadline) {
  Inputs in = inputs(.9, .9);
  in.findings.push_back({.rule = "exploding_tensor",
                         .step = 340,
                         .rank = 1,
                         .tensor = "fc1.weight",
                         .message = "the norm of the gradient of fc1.weight is 3.1e+04, the limit 50"});
  in.stages.push_back({.stage = "train", .message = "stopped by a rule", .infrastructure = false});
  const Verdict verdict = judge(policy(max_drop(.02)), in);
  EXPECT_EQ(verdict.kind, VerdictKind::fail);
  EXPECT_EQ(
      verdict.headline,
      "exploding_tensor at step 340, rank 1, tensor fc1.weight: the norm of the gradient of fc1.weight is "
      "3.1e+04, the limit 50");
}

TEST(Verdict, GreenSaysWhatItComparedWith) {
  EXPECT_EQ(judge(policy(max_drop(.02)), inputs(.88, .87)).headline,
            "accuracy rose from 0.87 to 0.88 (limit 0.85) against run 1 of commit 3f2a91c (main)");
}

TEST(Verdict, IsTheSameWhoeverRunsTheTasks) {
  Policy of_classes;
  for (const double margin : {0.01, 0.02}) {
    of_classes.metrics.push_back(rule(margin == 0.01 ? "f1" : "f2"));
    of_classes.metrics.back().paired = PairedTest{.margin = margin, .of = PairedTest::Of::macro_f1};
    SliceRule slices;
    slices.by = "label";
    slices.margin = 0.1;
    of_classes.metrics.back().slices = {slices};
  }
  const auto predictions = [&](int wrong) {
    std::string csv = "id,label,prediction\n";
    for (int i = 0; i < 400; ++i) {
      csv += std::to_string(i) + ',' + std::to_string(i % 3) + ',' + std::to_string(i % wrong ? i % 3 : 0) +
             '\n';
    }
    return parse_predictions_csv(csv, "p", wanted_columns(of_classes, "predictions.csv")).value();
  };
  Inputs in = inputs({predictions(5), predictions(7)});
  in.evidence.metrics = in.baseline->evidence.metrics = {metric("f1", .9), metric("f2", .9)};
  std::size_t tasks = 0;
  const auto backwards = [&](std::size_t count, const std::function<void(std::size_t)>& task) {
    for (std::size_t i = count; i-- > 0; ++tasks) task(i);
  };
  EXPECT_EQ(to_json(judge(of_classes, in)), to_json(judge(of_classes, in, backwards)));
  EXPECT_GT(tasks, 100u) << "each of the bootstraps has 125 and more";
}

TEST(Verdict, SurvivesJson) {
  MetricRule asked = paired(.01, kLenient);
  asked.floor = .5;
  for (const Verdict& verdict :
       {judge(policy(asked), inputs(vectors(1000, 20, 120))), judge(policy(asked), inputs(.9)),
        judge(policy(asked), inputs(std::nan("")))}) {
    const std::string text = dump_json(to_json(verdict));
    const auto back = verdict_from_json(text);
    ASSERT_TRUE(back) << back.error().to_string();
    EXPECT_EQ(dump_json(to_json(*back)), text);
    EXPECT_EQ(back->kind, verdict.kind);
    EXPECT_EQ(back->baseline, verdict.baseline);
    ASSERT_EQ(back->reasons.size(), verdict.reasons.size());
    EXPECT_EQ(back->reasons.back().counts, verdict.reasons.back().counts);
    EXPECT_EQ(back->reasons.back().p_value, verdict.reasons.back().p_value);
  }
  EXPECT_EQ(to_json(judge(policy(asked), inputs(vectors(1000, 20, 120))))["reasons"][1]["b"], 20);
}

TEST(Verdict, DamagedJsonIsAnError) {
  EXPECT_FALSE(verdict_from_json("{"));
  EXPECT_FALSE(verdict_from_json("[]"));
  EXPECT_FALSE(verdict_from_json(R"({"kind": "GREEN"})"));
  EXPECT_FALSE(verdict_from_json(R"({"kind": "PASS", "reasons": [{"check": "floor", "status": "fine"}]})"));
  EXPECT_FALSE(verdict_from_json(R"({"kind": "PASS", "reasons": [1]})"));
}

}  // namespace
}  // namespace pawl::gate
