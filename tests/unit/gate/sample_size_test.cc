// Oracles: the figures, examples and patterns of the ease.ml/ci paper (Renggli et al., MLSys 2019) and the
// number in its reference notebook; digits beyond the printed ones come from the formulas at 30 digits.
#include "engine/gate/sample_size.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

namespace pawl::gate {
namespace {

Condition condition(const std::string& text) {
  auto parsed = parse_condition(text, "condition");
  EXPECT_TRUE(parsed.has_value()) << text;
  return *parsed;
}

Guarantee guarantee(double reliability, Adaptivity adaptivity, std::int64_t steps, Sided sided = Sided::one) {
  return {reliability, {adaptivity, steps}, sided};
}

SamplePlan plan(const std::string& text, const Guarantee& wanted) {
  return plan_samples(condition(text), wanted);
}

double exact(const std::string& text, const Guarantee& wanted) {
  return plan(text, wanted).clauses.at(0).exact;
}

#define EXPECT_REL(actual, oracle) EXPECT_NEAR(actual, oracle, 1e-9 * (oracle))

struct GridRow {
  double reliability;
  double tolerance;
  std::int64_t one_none;
  std::int64_t one_full;
  std::int64_t two_none;
  std::int64_t two_full;
};

// Figure 2: H = 32, one variable (F1, F4) and the difference of two (F2, F3).
constexpr GridRow kGrid[] = {
    {0.99, 0.1, 404, 1340, 1753, 5496},
    {0.99, 0.05, 1615, 5358, 7012, 21984},
    {0.99, 0.025, 6457, 21429, 28045, 87933},
    {0.99, 0.01, 40355, 133930, 175282, 549581},
    {0.999, 0.1, 519, 1455, 2214, 5957},
    {0.999, 0.05, 2075, 5818, 8854, 23826},
    {0.999, 0.025, 8299, 23271, 35414, 95302},
    {0.999, 0.01, 51868, 145443, 221333, 595633},
    {0.9999, 0.1, 634, 1570, 2674, 6417},
    {0.9999, 0.05, 2536, 6279, 10696, 25668},
    {0.9999, 0.025, 10141, 25113, 42782, 102670},
    {0.9999, 0.01, 63381, 156956, 267385, 641684},
    {0.99999, 0.1, 749, 1685, 3135, 6878},
    {0.99999, 0.05, 2996, 6739, 12538, 27510},
    {0.99999, 0.025, 11983, 26955, 50150, 110038},
    {0.99999, 0.01, 74894, 168469, 313437, 687736},
};

TEST(SampleSize, FigureTwo) {
  for (const GridRow& row : kGrid) {
    const std::string f1 = fmt::format("n > 0.5 +/- {}", row.tolerance);
    const std::string f2 = fmt::format("n - o > 0.02 +/- {}", row.tolerance);
    const std::string f4 = fmt::format("d < 0.2 +/- {}", row.tolerance);
    for (Adaptivity adaptivity : {Adaptivity::none, Adaptivity::full, Adaptivity::first_change}) {
      const Guarantee wanted = guarantee(row.reliability, adaptivity, 32);
      const bool full = adaptivity == Adaptivity::full;
      SCOPED_TRACE(fmt::format("{} {} {}", row.reliability, row.tolerance, to_string(adaptivity)));
      EXPECT_EQ(plan(f1, wanted).examples, full ? row.one_full : row.one_none);
      EXPECT_EQ(plan(f4, wanted).examples, full ? row.one_full : row.one_none);
      EXPECT_EQ(plan(f2, wanted).examples, full ? row.two_full : row.two_none);
    }
  }
}

TEST(SampleSize, NumbersOfTheText) {
  EXPECT_REL(exact("n > 0.5 +/- 0.01", guarantee(0.9999, Adaptivity::none, 1)), 46051.701859881);
  EXPECT_EQ(plan("n > 0.8 +/- 0.05", guarantee(0.9999, Adaptivity::full, 32)).examples, 6279);
  EXPECT_EQ(plan("n - o > 0.1 +/- 0.1", guarantee(0.99, Adaptivity::full, 32)).examples, 5496);
}

struct PatternOne {
  double p;
  double none;
  double full;
  double active;
};

TEST(SampleSize, ClauseOnDBoundsTheVariance) {
  constexpr PatternOne kOracles[] = {
      {0.1, 29047.296270711, 67705.030796748, 2188.8456543668},
      {0.05, 14971.22253979, 34895.746360515, 564.07479531615},
      {0.2, 57179.338531902, 133276.73736518, 8617.4455273702},
  };
  for (const PatternOne& oracle : kOracles) {
    const std::string text = fmt::format("n - o > 0.02 +/- 0.01 /\\ d < {} +/- 0.01", oracle.p);
    const SamplePlan none = plan(text, guarantee(0.9999, Adaptivity::none, 32, Sided::two));
    EXPECT_REL(none.clauses[0].exact, oracle.none);
    EXPECT_EQ(none.clauses[0].rule, SampleRule::bennett);
    EXPECT_EQ(none.clauses[0].disagreement, oracle.p);
    EXPECT_EQ(none.labelled, static_cast<std::int64_t>(std::ceil(oracle.none)));
    ASSERT_TRUE(none.active);
    EXPECT_EQ(none.active->one_commit, static_cast<std::int64_t>(std::ceil(oracle.active)));
    EXPECT_EQ(none.active->per_commit, static_cast<std::int64_t>(std::ceil(oracle.p * oracle.none)));
    EXPECT_REL(exact(text, guarantee(0.9999, Adaptivity::full, 32, Sided::two)), oracle.full);
  }
}

TEST(SampleSize, ClauseOnDNeedsMoreExamplesButNoLabels) {
  const SamplePlan both =
      plan("d < 0.1 +/- 0.01 /\\ n - o > 0.02 +/- 0.01", guarantee(0.9999, Adaptivity::none, 32));
  EXPECT_FALSE(both.clauses[0].labels);
  EXPECT_REL(both.clauses[0].exact, 66846.117276679);
  EXPECT_TRUE(both.clauses[1].labels);
  EXPECT_REL(both.clauses[1].exact, 27615.528325303);
  EXPECT_EQ(both.examples, 66847);
  EXPECT_EQ(both.labelled, 27616);
  EXPECT_EQ(both.active->per_commit, 2762);
  EXPECT_EQ(both.active->one_commit, 2046);
  EXPECT_EQ(plan("d < 0.1 +/- 0.01", guarantee(0.9999, Adaptivity::none, 32)).labelled, 0);
}

TEST(SampleSize, OnlyAnUpperBoundOfDHelps) {
  const Guarantee wanted = guarantee(0.9999, Adaptivity::none, 32, Sided::two);
  for (const char* other :
       {"d > 0.1 +/- 0.01", "n < 0.1 +/- 0.01", "d < 1 +/- 0.01", "d - o < 0.1 +/- 0.01"}) {
    const SamplePlan made = plan(fmt::format("n - o > 0.02 +/- 0.01 /\\ {}", other), wanted);
    EXPECT_EQ(made.clauses[0].rule, SampleRule::paired) << other;
    EXPECT_FALSE(made.active) << other;
  }
  // The factor is taken out, and of two bounds the lower counts.
  EXPECT_EQ(plan("n - o > 0.02 +/- 0.01 /\\ 2*d < 0.1 +/- 0.01", wanted).clauses[0].disagreement, 0.05);
  EXPECT_EQ(
      plan("n - o > 0.02 +/- 0.01 /\\ d < 0.3 +/- 0.1 /\\ d < 0.2 +/- 0.1", wanted).clauses[0].disagreement,
      0.2);
}

TEST(SampleSize, AccuracyClausesLeaveNoActiveLabelling) {
  const SamplePlan made = plan("n - o > 0.02 +/- 0.01 /\\ d < 0.1 +/- 0.01 /\\ n > 0.8 +/- 0.05",
                               guarantee(0.9999, Adaptivity::none, 32));
  EXPECT_EQ(made.clauses[0].rule, SampleRule::bennett);
  EXPECT_FALSE(made.active);
}

TEST(SampleSize, SemEvalExample) {
  const std::string f = "n - o > 0.02 +/- 0.02";
  const Guarantee none = guarantee(0.998, Adaptivity::none, 7, Sided::two);
  const Guarantee full = guarantee(0.998, Adaptivity::full, 7, Sided::two);
  EXPECT_REL(exact(f, none), 44268.327140187);
  EXPECT_REL(exact(f, full), 58798.927714509);
  EXPECT_EQ(plan(f, none).clauses[0].rule, SampleRule::paired);
  // d is known to be below 0.1: no part of delta goes to a clause on it.
  EXPECT_REL(bennett_examples(confidence_term(none, 1), 0.1, 0.02), 4712.9391924022);
  EXPECT_REL(bennett_examples(confidence_term(full, 1), 0.1, 0.02), 6259.9106132782);
  EXPECT_REL(bennett_examples(confidence_term(full, 1), 0.1, 0.022), 5203.8944757962);
}

TEST(SampleSize, ToleranceIsSplitByTheFactors) {
  const std::string f = "n - 1.1*o > .01 +/- .01 /\\ d < .1 +/- .01";
  const SamplePlan none = plan(f, guarantee(0.9999, Adaptivity::none, 32));
  EXPECT_REL(none.clauses[0].exact, 310075.2725215);
  EXPECT_REL(none.clauses[1].exact, 66846.117276679);
  ASSERT_EQ(none.clauses[0].split.size(), 2u);
  EXPECT_EQ(none.clauses[0].split[0].of, "n");
  EXPECT_EQ(none.clauses[0].split[1].of, "1.1*o");
  EXPECT_REL(none.clauses[0].split[0].tolerance, .01 / 2.1);
  EXPECT_REL(none.clauses[0].split[1].tolerance, .011 / 2.1);
  EXPECT_NE(none.clauses[0].not_optimised, "");
  const SamplePlan full = plan(f, guarantee(0.9999, Adaptivity::full, 32));
  EXPECT_REL(full.clauses[0].exact, 722740.44646787);
  EXPECT_REL(full.clauses[1].exact, 160420.98665227);
}

TEST(SampleSize, FactorsAndThreeVariables) {
  const Guarantee wanted = guarantee(0.9999, Adaptivity::none, 32);
  EXPECT_REL(exact("2*n > 0.9 +/- 0.05", wanted), 10140.8610198);
  EXPECT_REL(exact("n - o + d < 0.1 +/- 0.05", wanted), 24794.4394142);
  // A multiple of n - o is n - o.
  EXPECT_REL(exact("2*n - 2*o > 0.04 +/- 0.02", wanted), exact("n - o > 0.02 +/- 0.01", wanted));
  EXPECT_REL(exact("2*o - 2*n < 0.04 +/- 0.02 /\\ d < 0.1 +/- 0.01", wanted), 27615.528325303);
}

TEST(SampleSize, MeasuringTheDisagreementFirst) {
  const Guarantee wanted = guarantee(0.9999, Adaptivity::none, 32);
  const Condition alone = condition("n - o > 0.02 +/- 0.01");
  const SamplePlan made = plan_samples(alone, wanted);
  ASSERT_TRUE(made.clauses[0].measure_first);
  EXPECT_EQ(made.clauses[0].measure_first->tolerance, 0.02);
  EXPECT_EQ(made.clauses[0].measure_first->examples, 16712);
  EXPECT_REL(examples_after_measuring(alone.clauses[0], 1, wanted, 0.1), 32965.497730945);
  EXPECT_NE(made.clauses[0].not_optimised.find("253522"), std::string::npos);
  EXPECT_FALSE(plan("n > 0.8 +/- 0.05", wanted).clauses[0].measure_first);
}

TEST(SampleSize, FreshSetForEveryStep) {
  EXPECT_EQ(plan("n > 0.5 +/- 0.1", guarantee(0.9999, Adaptivity::full, 32)).fresh_sets, 32 * 634);
}

TEST(SampleSize, SaysWhereAnAccuracyNearOneWouldHelp) {
  const Guarantee wanted = guarantee(0.999, Adaptivity::none, 1);
  EXPECT_NE(plan("n > 0.95 +/- 0.01", wanted).clauses[0].not_optimised, "");
  EXPECT_EQ(plan("n > 0.85 +/- 0.01", wanted).clauses[0].not_optimised, "");
}

TEST(SampleSize, CountsAreCutOff) {
  const SamplePlan made = plan("n > 0.5 +/- 0.000001", guarantee(0.999, Adaptivity::full, kMaxSteps));
  EXPECT_EQ(made.examples, kMaxExamples);
  EXPECT_EQ(made.fresh_sets, kMaxExamples);
}

}  // namespace
}  // namespace pawl::gate
