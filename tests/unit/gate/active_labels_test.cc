#include "engine/gate/active_labels.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/gate/metric_judge.h"
#include "engine/gate/predictions.h"
#include "engine/gate/verdict.h"

namespace pawl::gate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kFile = "predictions.csv";

EvaluationVector parsed(const std::string& rows) {
  WantedColumns wanted;
  wanted.classes = wanted.unlabelled = true;
  auto vector = parse_predictions_csv("id,label,prediction\n" + rows, kFile, wanted);
  EXPECT_TRUE(vector) << vector.error().to_string();
  return std::move(vector).value();
}

Policy policy_of(const std::string& condition) {
  Policy out;
  ConditionRule rule;
  rule.condition = *parse_condition(condition, "test");
  rule.reliability = 0.9;
  rule.terms = {Adaptivity::full, 3};
  out.conditions = {rule};
  return out;
}

TEST(MayLackLabels, OnlyWhereAConditionAboutDifferencesIsAlone) {
  const char* const yes[] = {"n - o > 0.02 +/- 0.01 /\\ d < 0.1 +/- 0.01", "2*n - 2*o > 0.02 +/- 0.01",
                             "d < 0.1 +/- 0.01"};
  for (const char* text : yes) EXPECT_TRUE(may_lack_labels(policy_of(text), kFile)) << text;
  const char* const no[] = {"n > 0.8 +/- 0.01", "n - 1.1*o > 0.01 +/- 0.01",
                            "n - o > 0.02 +/- 0.01 /\\ n > 0.8 +/- 0.1"};
  for (const char* text : no) EXPECT_FALSE(may_lack_labels(policy_of(text), kFile)) << text;
  Policy policy = policy_of(yes[0]);
  EXPECT_FALSE(may_lack_labels(policy, "others.csv"));
  policy.metrics.emplace_back().max_drop = 0.1;
  EXPECT_FALSE(may_lack_labels(policy, kFile)) << "an edited test set is noticed by its labels";
  policy.metrics[0].paired = PairedTest();
  policy.metrics[0].paired->predictions = "others.csv";
  EXPECT_TRUE(may_lack_labels(policy, kFile));
}

TEST(ActiveLabels, AnEmptyLabelIsAnErrorUnlessItMayBe) {
  const std::string text = "id,label,prediction\na,,1\n";
  const auto refused = parse_predictions_csv(text, kFile);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("the label is empty"));
  const EvaluationVector vector = parsed("b,1,1\na,,1\nc, ,2\n");
  EXPECT_THAT(vector.unlabelled, ElementsAre("a", "c"));
  EXPECT_THAT(vector.classes.names, ElementsAre("1", "2"));
  EXPECT_THAT(vector.classes.labels, ElementsAre(kNoLabel, 0, kNoLabel));
  EXPECT_THAT(vector.classes.predictions, ElementsAre(0, 0, 1));
  EXPECT_EQ(vector.right(), 1);
  EXPECT_EQ(compare(vector, vector).error().message(), "2 of 3 examples have no label");
}

TEST(ActiveLabels, ATestSetStaysItselfWhileItIsLabelled) {
  const EvaluationVector none = parsed("a,,1\nb,,1\n");
  const EvaluationVector all = parsed("a,1,1\nb,2,1\n");
  EXPECT_EQ(none.testset, all.testset);
  EXPECT_NE(none.by_labels, all.by_labels);
  EXPECT_NE(none.testset, parsed("a,,1\nc,,1\n").testset);
  EXPECT_EQ(parse_predictions_csv("id,label,prediction\na,1,1\nb,2,1\n", kFile)->testset, all.by_labels);
}

TEST(Differences, CountsWhoIsRightAndWhatIsMissing) {
  // a: both alike. b: only the new one is right, its label known from the old file. c: neither is right.
  // d, f: nobody knows. e: only the old one is right, and spells its answer in another way.
  const EvaluationVector now = parsed("a,,1\nb,,2\nc,3,1\nd,,1\ne,4,5\nf,,7\n");
  const EvaluationVector then = parsed("a,,1\nb,2,1\nc,,2\nd,,2\ne,,4.0\nf,,8\n");
  const Differences found = differences(now, then);
  EXPECT_EQ(found.n, 6);
  EXPECT_EQ(found.different, 5);
  EXPECT_EQ(found.won, 1);
  EXPECT_EQ(found.lost, 1);
  EXPECT_THAT(found.to_label, ElementsAre("d", "f"));
  EXPECT_EQ(changed_labels(now, then), 0);
}

TEST(Differences, OfLabelledFilesAreThoseOfThePairedCounts) {
  const EvaluationVector now = parsed("a,1,1\nb,2,2\nc,3,1\nd,nan,nan\ne,5,5\n");
  const EvaluationVector then = parsed("a,1,2\nb,2,2\nc,3,3\nd,nan,1\ne,5,1\n");
  const Differences found = differences(now, then);
  const PairedCounts counts = *compare(now, then);
  EXPECT_EQ(found.won, counts.b);
  EXPECT_EQ(found.lost, counts.c);
  EXPECT_THAT(found.to_label, IsEmpty());
}

TEST(ActiveLabels, AListIsCsv) {
  EXPECT_EQ(to_csv({kFile, "to_label.csv", {"a", "b,c", "d \"e\""}}), "id\na\n\"b,c\"\n\"d \"\"e\"\"\"\n");
}

// 500 examples, predictions of the two models as given, labels where `is_labelled`.
class ActiveVerdict : public ::testing::Test {
 protected:
  template <class Says, class IsLabelled>
  static EvaluationVector model(Says says, IsLabelled is_labelled) {
    std::string rows;
    for (int i = 0; i < 500; ++i)
      rows += fmt::format("{:03},{},{}\n", i, is_labelled(i) ? "1" : "", says(i) ? 1 : 0);
    return parsed(rows);
  }
  static bool none(int) { return false; }
  static bool all(int) { return true; }

  Verdict judged(EvaluationVector now, EvaluationVector then) {
    in_.target_branch = "main";
    in_.evidence.vectors[kFile] = std::move(now);
    in_.baseline =
        Baseline{.run = {"01KEX4Q2ZBAAAAAAAAAAAAAAAA", 1, "3f2a91c0ffee", "main", 1}, .evidence = {}};
    in_.baseline->evidence.vectors[kFile] = std::move(then);
    Verdict verdict = judge(policy_, in_);
    for (const NewTestUse& use : verdict.test_uses) {
      in_.ledgers[use.testset].terms = use.terms;
      in_.ledgers[use.testset].uses.push_back(use.use);
    }
    return verdict;
  }

  static constexpr const char* kCondition = "n - o > -0.2 +/- 0.15 /\\ d < 0.4 +/- 0.15";
  Policy policy_ = policy_of(kCondition);
  Inputs in_;
};

TEST_F(ActiveVerdict, AsksForTheLabelsItNeedsAndNoOthers) {
  const auto is_right = [](int i) { return i >= 3; };
  const auto is_known = [](int i) { return i == 1; };
  const Verdict asks = judged(model(is_right, is_known), model(all, none));
  EXPECT_EQ(asks.kind, VerdictKind::inconclusive);
  EXPECT_EQ(asks.headline,
            std::string(kCondition) +
                " needs 2 more labels: run 1 of commit 3f2a91c (main) differs on 3 of 500 examples, "
                "and 2 of these have no label; to_label.csv beside the report has their ids");
  EXPECT_THAT(asks.to_label, ElementsAre(ToLabel{kFile, "to_label.csv", {"000", "002"}}));
  EXPECT_THAT(asks.test_uses, IsEmpty()) << "the question was not answered";

  const auto is_labelled = [](int i) { return i < 3; };
  const Verdict answer = judged(model(is_right, is_labelled), model(all, none));
  EXPECT_EQ(answer.kind, VerdictKind::pass) << answer.headline;
  EXPECT_THAT(answer.to_label, IsEmpty());
  EXPECT_EQ(answer.test_uses.size(), 1u);
  const Verdict again = judged(model(is_right, all), model(all, is_labelled));
  EXPECT_EQ(again.kind, VerdictKind::pass);
  EXPECT_THAT(again.test_uses, IsEmpty()) << "more labels are neither another test set nor another question";
}

TEST_F(ActiveVerdict, AnswersAsWithAllLabels) {
  for (const int wrong : {0, 20, 40, 90, 150}) {
    const auto is_right = [=](int i) { return i >= wrong; };
    const auto is_needed = [=](int i) { return i < wrong; };
    in_.ledgers.clear();
    const Verdict some = judged(model(is_right, is_needed), model(all, none));
    in_.ledgers.clear();
    EXPECT_EQ(some.kind, judged(model(is_right, all), model(all, all)).kind) << wrong;
    EXPECT_THAT(some.to_label, IsEmpty());
  }
}

TEST_F(ActiveVerdict, TooManyDifferencesTakeNoLabels) {
  const Verdict verdict = judged(model([](int i) { return i >= 300; }, none), model(all, none));
  EXPECT_EQ(verdict.kind, VerdictKind::fail);
  EXPECT_THAT(verdict.to_label, IsEmpty());
  EXPECT_EQ(verdict.test_uses.size(), 1u);
}

TEST_F(ActiveVerdict, AnotherLabelIsAnotherTestSet) {
  EvaluationVector now = model(all, all);
  now.classes.labels[7] = now.classes.labels[8] = 0;
  now.classes.names.insert(now.classes.names.begin(), "0");
  for (std::uint32_t& code : now.classes.predictions) ++code;
  for (std::size_t i = 0; i < now.classes.labels.size(); ++i) now.classes.labels[i] += i != 7 && i != 8;
  const Verdict verdict = judged(std::move(now), model(all, all));
  EXPECT_EQ(verdict.kind, VerdictKind::no_baseline);
  EXPECT_THAT(verdict.headline, HasSubstr("test set changed: 2 of 500 examples have another label"));
}

TEST_F(ActiveVerdict, AnEditOfTheGateOpensNoOtherLedger) {
  EXPECT_EQ(judged(model(all, none), model(all, none)).test_uses.size(), 1u);
  // A clause on n alone: from now on every example needs a label, and the digest is over ids and labels.
  policy_ = policy_of(std::string(kCondition) + " /\\ n > 0.5 +/- 0.2");
  const auto labelled = [&] {
    EvaluationVector vector = model(all, all);
    vector.testset = vector.by_labels;
    return vector;
  };
  const Verdict verdict = judged(labelled(), labelled());
  ASSERT_EQ(verdict.test_uses.size(), 1u);
  EXPECT_EQ(verdict.test_uses[0].number, 2);
}

TEST_F(ActiveVerdict, WithAllItsLabelsATestSetGoesByThem) {
  EXPECT_EQ(judged(model(all, all), model(all, all)).test_uses.at(0).testset, model(all, all).by_labels);
  in_.ledgers.clear();
  EXPECT_EQ(judged(model(all, none), model(all, none)).test_uses.at(0).testset, model(all, all).by_ids);
}

}  // namespace
}  // namespace pawl::gate
