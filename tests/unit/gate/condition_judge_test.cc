#include "engine/gate/condition_judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/gate/verdict_json.h"
#include "nlohmann/json.hpp"

namespace pawl::gate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// 1000 examples, wrong on the first `wrong`, where it says `said`.
EvaluationVector model(int wrong, const std::string& said = "x", const std::string& label = "1",
                       int examples = 1000) {
  EvaluationBuilder builder("p", "row", {}, {}, true);
  for (int i = 0; i < examples; ++i) {
    EXPECT_TRUE(builder.add(std::to_string(i), label, i < wrong ? said : label, 0));
  }
  auto vector = builder.finish();
  EXPECT_TRUE(vector);
  return std::move(vector).value();
}

// Few evaluations and a low reliability, so that 1000 examples are enough.
ConditionRule rule(const std::string& text, ConditionMode mode = ConditionMode::fp_free) {
  auto condition = parse_condition(text, "test");
  EXPECT_TRUE(condition) << render(condition.error());
  ConditionRule out;
  out.condition = *condition;
  out.reliability = 0.9;
  out.mode = mode;
  out.terms = {Adaptivity::full, 3};
  return out;
}

Policy policy(ConditionRule condition) {
  Policy out;
  out.conditions = {std::move(condition)};
  return out;
}

Inputs inputs(EvaluationVector candidate) {
  Inputs in;
  in.evidence.vectors["predictions.csv"] = std::move(candidate);
  in.target_branch = "main";
  return in;
}

Inputs inputs(EvaluationVector candidate, EvaluationVector baseline) {
  Inputs in = inputs(std::move(candidate));
  in.baseline = Baseline{.run = {"01KEX4Q2ZBAAAAAAAAAAAAAAAA", 1, "3f2a91c0ffee", "main", 1}, .evidence = {}};
  in.baseline->evidence.vectors["predictions.csv"] = std::move(baseline);
  return in;
}

// Judges one model after the other as the engine does: what a verdict used is in the ledger of the next.
Verdict next(const Policy& policy, Inputs& in) {
  Verdict verdict = judge(policy, in);
  for (const NewTestUse& use : verdict.test_uses) {
    TestLedger& ledger = in.ledgers[use.testset];
    if (ledger.uses.empty()) ledger.terms = use.terms;
    ledger.uses.push_back(use.use);
    EXPECT_EQ(use.number, static_cast<std::int64_t>(ledger.uses.size()));
  }
  return verdict;
}

const Reason& reason(const Verdict& verdict, Check check) {
  for (const Reason& reason : verdict.reasons) {
    if (reason.check == check) return reason;
  }
  ADD_FAILURE() << "no reason " << to_string(check);
  return verdict.reasons.front();
}

constexpr const char* kAbove = "n > 0.8 +/- 0.1";  // true above 0.9, false below 0.7

TEST(ConditionJudge, TrueFalseAndUnknownInBothModes) {
  const struct {
    int wrong;
    bool fp_free, fn_free;
  } cases[] = {{50, true, true}, {150, false, true}, {250, false, true}, {350, false, false}};
  for (const auto& c : cases) {
    for (const ConditionMode mode : {ConditionMode::fp_free, ConditionMode::fn_free}) {
      const bool passes = mode == ConditionMode::fp_free ? c.fp_free : c.fn_free;
      const Verdict verdict = judge(policy(rule(kAbove, mode)), inputs(model(c.wrong)));
      EXPECT_EQ(verdict.kind, passes ? VerdictKind::pass : VerdictKind::fail) << c.wrong;
      EXPECT_EQ(reason(verdict, Check::condition).status, passes ? Status::pass : Status::fail) << c.wrong;
      ASSERT_EQ(verdict.test_uses.size(), 1u);
      EXPECT_EQ(verdict.test_uses[0].use.passed, passes);
      EXPECT_EQ(verdict.test_uses[0].use.revealed, Revealed::score);
    }
  }
}

// What is false and what is unknown, and by how much, would tell more than was paid for.
TEST(ConditionJudge, TellsNothingButPassOrFail) {
  Policy p = policy(rule(kAbove));
  EXPECT_EQ(judge(p, inputs(model(150))).headline, judge(p, inputs(model(500))).headline);
  EXPECT_EQ(to_json(judge(p, inputs(model(150)))).dump(), to_json(judge(p, inputs(model(500)))).dump());
  p = policy(rule("n > 0.4 +/- 0.1 /\\ n < 0.7 +/- 0.1"));  // broken below, then above
  EXPECT_EQ(to_json(judge(p, inputs(model(800)))).dump(), to_json(judge(p, inputs(model(50)))).dump());
  EXPECT_EQ(judge(p, inputs(model(50))).kind, VerdictKind::fail);
  EXPECT_EQ(judge(p, inputs(model(450))).kind, VerdictKind::pass);
  p = policy(rule(kAbove));
  EXPECT_THAT(judge(p, inputs(model(500))).headline, HasSubstr("is not met, or too close to tell"));
}

TEST(ConditionJudge, ComparesByTheNamesOfTheClasses) {
  // Both are wrong on 300 examples, and say other things there: no difference in accuracy, 30 % of the
  // answers.
  const Inputs in = inputs(model(300, "0"), model(300, "x"));
  EXPECT_EQ(judge(policy(rule("d > 0.15 +/- 0.1")), in).kind, VerdictKind::pass);
  EXPECT_EQ(judge(policy(rule("d < 0.45 +/- 0.1")), in).kind, VerdictKind::pass);
  EXPECT_EQ(judge(policy(rule("n - o > -0.2 +/- 0.15")), in).kind, VerdictKind::pass);
  const Inputs same = inputs(model(300, "x"), model(300, "x"));
  EXPECT_EQ(judge(policy(rule("d < 0.15 +/- 0.1")), same).kind, VerdictKind::pass);
}

TEST(ConditionJudge, SaysHowManyExamplesAreMissing) {
  ConditionRule strict = rule("n > 0.8 +/- 0.01");
  const Verdict verdict = judge(policy(strict), inputs(model(0)));
  EXPECT_EQ(verdict.kind, VerdictKind::inconclusive);
  // (3 ln 2 - ln 0.1) / (2 * 0.01^2)
  EXPECT_THAT(verdict.headline, HasSubstr("1000 examples"));
  EXPECT_THAT(verdict.headline, HasSubstr("takes 21911, `pawl gate samples` explains"));
  EXPECT_TRUE(verdict.test_uses.empty());
}

TEST(ConditionJudge, MissingPredictionsAreAnError) {
  Inputs in = inputs(model(0));
  in.evidence.vectors.clear();
  EXPECT_THAT(judge(policy(rule(kAbove)), in).headline, HasSubstr("needs predictions.csv, which is missing"));
  in.evidence.unreadable["predictions.csv"] = "predictions.csv: line 3: no label";
  const Verdict verdict = judge(policy(rule(kAbove)), in);
  EXPECT_EQ(verdict.kind, VerdictKind::error);
  EXPECT_THAT(verdict.headline, HasSubstr("line 3: no label"));
}

TEST(ConditionJudge, OnlyComparisonsNeedABaseline) {
  const Policy alone = policy(rule(kAbove));
  Policy compared = policy(rule("n - o > -0.2 +/- 0.15"));
  Inputs in = inputs(model(0));
  EXPECT_EQ(judge(alone, in).kind, VerdictKind::pass);
  Verdict verdict = judge(compared, in);
  EXPECT_EQ(verdict.kind, VerdictKind::no_baseline);
  EXPECT_THAT(verdict.headline, HasSubstr("main has no baseline"));
  EXPECT_TRUE(verdict.test_uses.empty());

  compared.bootstrap = true;
  EXPECT_EQ(judge(compared, in).kind, VerdictKind::no_baseline);
  in.target_was_ever_green = false;
  verdict = judge(compared, in);
  EXPECT_EQ(verdict.kind, VerdictKind::pass);
  EXPECT_EQ(reason(verdict, Check::condition).status, Status::bootstrap);
  EXPECT_TRUE(verdict.test_uses.empty());
}

TEST(ConditionJudge, ABaselineOnAnotherTestSetIsNone) {
  const Policy compared = policy(rule("n - o > -0.2 +/- 0.15"));
  Inputs in = inputs(model(0), model(0, "x", "2"));
  EXPECT_THAT(judge(compared, in).headline, HasSubstr("other ids or labels"));
  EXPECT_THAT(judge(compared, in).headline,
              HasSubstr("; `pawl baseline pin RUN --red --why REASON` makes this run"));
  EXPECT_EQ(judge(compared, in).kind, VerdictKind::no_baseline);
  in.baseline->evidence.vectors.clear();
  EXPECT_THAT(judge(compared, in).headline, HasSubstr("left no predictions.csv"));
}

TEST(ConditionJudge, AFailedStageAsksNothing) {
  Inputs in = inputs(model(0));
  in.stages = {{"train", "exit code 1", false}};
  const Verdict verdict = judge(policy(rule(kAbove)), in);
  EXPECT_EQ(verdict.kind, VerdictKind::fail);
  EXPECT_EQ(reason(verdict, Check::condition).status, Status::not_judged);
  EXPECT_TRUE(verdict.test_uses.empty());
}

// Sized for three evaluations, asked a fourth time.
class Budget : public ::testing::Test {
 protected:
  Verdict ask(int wrong) {
    in_.evidence.vectors["predictions.csv"] = model(wrong);
    return next(policy_, in_);
  }
  std::string told(int wrong) { return reason(ask(wrong), Check::test_set).sentence; }
  void spend() {
    for (int wrong : {1, 2, 3}) ask(wrong);
  }

  Policy policy_ = policy(rule(kAbove));
  Inputs in_ = inputs(model(0));
};

TEST_F(Budget, CountsDown) {
  EXPECT_THAT(told(1), HasSubstr("evaluation 1 of 3 that this test set was sized for;"));
  EXPECT_THAT(told(2), HasSubstr("evaluation 2 of 3"));
  EXPECT_THAT(told(3),
              HasSubstr("evaluation 3 of 3 that this test set was sized for, and its last: bring a new"));
}

TEST_F(Budget, WarnsOrBlocksWhenItIsUsedUp) {
  spend();
  Inputs before = in_;
  const Verdict warned = ask(4);
  EXPECT_EQ(warned.kind, VerdictKind::pass);
  EXPECT_THAT(warned.headline, HasSubstr("the test set is used up"));
  EXPECT_EQ(warned.test_uses.size(), 1u);
  EXPECT_THAT(
      reason(warned, Check::test_set).sentence,
      HasSubstr("the test set has answered 3 times, which is what it was sized for: bring a new one"));
  EXPECT_THAT(told(5), HasSubstr("has answered 4 times and was sized for 3"));

  in_ = before;
  policy_.conditions[0].on_spent = ConditionRule::OnSpent::block;
  const Verdict blocked = ask(4);
  EXPECT_EQ(blocked.kind, VerdictKind::inconclusive);
  EXPECT_THAT(
      blocked.headline,
      HasSubstr("the test set has answered 3 times, which is what it was sized for: bring a new one"));
  EXPECT_EQ(reason(blocked, Check::condition).status, Status::not_judged);
  EXPECT_TRUE(blocked.test_uses.empty());
}

TEST_F(Budget, TheSameModelAgainCountsOnce) {
  policy_.conditions[0].on_spent = ConditionRule::OnSpent::block;
  spend();
  const Verdict again = ask(2);
  EXPECT_EQ(again.kind, VerdictKind::pass);
  EXPECT_TRUE(again.test_uses.empty());
  EXPECT_THAT(reason(again, Check::test_set).sentence, HasSubstr("evaluation 2 of 3"));
  EXPECT_THAT(reason(again, Check::test_set).sentence, HasSubstr("counts once"));
}

TEST_F(Budget, OtherTermsBuyNothing) {
  spend();
  policy_.conditions[0].terms.steps = 9;
  const std::string sentence = told(4);
  EXPECT_THAT(sentence, HasSubstr("the test set has answered 3 times"));
  EXPECT_THAT(sentence, HasSubstr("this test set was opened for 3 evaluations with adaptivity full"));
}

TEST_F(Budget, AnotherTestSetStartsAnew) {
  spend();
  in_.evidence.vectors["predictions.csv"] = model(4, "x", "2");
  EXPECT_THAT(reason(next(policy_, in_), Check::test_set).sentence, HasSubstr("evaluation 1 of 3"));
}

TEST_F(Budget, TheFirstPassEndsIt) {
  policy_.conditions[0].terms = {Adaptivity::first_change, 9};
  EXPECT_THAT(told(500), Not(HasSubstr("its last")));
  EXPECT_THAT(told(1), HasSubstr("evaluation 2 of 9 that this test set was sized for, and its last"));
  EXPECT_THAT(told(2), HasSubstr("this test set has passed a model, which ends it"));
}

TEST_F(Budget, SaysWhatTheGuaranteeSupposes) {
  EXPECT_THAT(told(1),
              HasSubstr("developers see pass or fail and no scores, and this run shows predictions.csv"));
  in_.evidence.metrics = {{"accuracy", 0.9, {}, "", {}}};
  EXPECT_THAT(told(2), HasSubstr("this run shows metrics.json and predictions.csv"));
}

TEST_F(Budget, TwoFilesOfOneTestSetAreTwoUses) {
  ConditionRule second = rule(kAbove);
  second.predictions = "other.csv";
  policy_.conditions.push_back(second);
  in_.evidence.vectors["other.csv"] = model(7);
  EXPECT_EQ(ask(1).test_uses.size(), 2u);
  EXPECT_EQ(in_.ledgers.begin()->second.uses.size(), 2u);
}

TEST(ConditionJudge, ReasonsSurviveTheRecord) {
  const Verdict verdict = judge(policy(rule(kAbove)), inputs(model(50)));
  const auto back = verdict_from_json(to_json(verdict).dump());
  ASSERT_TRUE(back.ok()) << back.error().to_string();
  EXPECT_EQ(to_json(*back), to_json(verdict));
}

}  // namespace
}  // namespace pawl::gate
