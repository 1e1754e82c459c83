#include "engine/gate/slices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/gate/metric_judge.h"
#include "engine/gate/predictions.h"
#include "engine/gate/verdict.h"
#include "engine/gate/verdict_json.h"
#include "nlohmann/json.hpp"

namespace pawl::gate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SliceRule by(std::string column) {
  SliceRule rule;
  rule.by = std::move(column);
  rule.min_examples = 1;
  return rule;
}

SliceRule query(std::string name, std::vector<SliceRule::Where> where) {
  SliceRule rule;
  rule.name = std::move(name);
  rule.where = std::move(where);
  rule.min_examples = 1;
  return rule;
}

EvaluationVector parsed(const std::string& text, const std::vector<SliceRule>& rules) {
  WantedColumns wanted;
  for (const SliceRule& rule : rules) want_columns(rule, wanted);
  auto vector = parse_predictions_csv(text, "p.csv", wanted);
  EXPECT_TRUE(vector) << vector.error().to_string();
  return std::move(vector).value();
}

const std::string kRides =
    "id,label,prediction,day,hour\n"
    "a,cat,cat,mon,3\nb,dog,dog,tue,21\nc,cat,dog,mon,22\nd,dog,bird,tue,4\n";

TEST(Slices, ByLabelColumnAndQuery) {
  const SliceRule night = query("night", {{"hour", {}, 20, 24}, {"day", {"mon", "sun"}, {}, {}}});
  const EvaluationVector vector = parsed(kRides, {by("label"), by("day"), night});
  const auto labels = slice(by("label"), vector);
  ASSERT_TRUE(labels);
  EXPECT_THAT(labels->names, ElementsAre("label=cat", "label=dog")) << "a bird was only ever predicted";
  EXPECT_THAT(examples_by_slice(*labels), ElementsAre(ElementsAre(0, 2), ElementsAre(1, 3)));
  const auto days = slice(by("day"), vector);
  ASSERT_TRUE(days);
  EXPECT_THAT(days->names, ElementsAre("day=mon", "day=tue"));
  EXPECT_THAT(examples_by_slice(*days), ElementsAre(ElementsAre(0, 2), ElementsAre(1, 3)));
  const auto nights = slice(night, vector);
  ASSERT_TRUE(nights);
  EXPECT_THAT(nights->names, ElementsAre("night"));
  EXPECT_THAT(examples_by_slice(*nights), ElementsAre(ElementsAre(2)));
}

TEST(Slices, RangesIncludeTheirStartAndNotTheirEnd) {
  const auto hours = [](std::optional<double> at_least, std::optional<double> below) {
    const SliceRule rule = query("q", {{"hour", {}, at_least, below}});
    return examples_by_slice(*slice(rule, parsed(kRides, {rule})))[0];
  };
  EXPECT_THAT(hours(21, 22), ElementsAre(1));
  EXPECT_THAT(hours(22, {}), ElementsAre(2));
  EXPECT_THAT(hours({}, 4), ElementsAre(0));
}

TEST(Slices, SplitBySizeKeepsEveryExampleOnce) {
  const std::string text = kRides + "e,cat,cat,wed,3\nf,cat,cat,wed,4\n";
  const auto [large, small] =
      split_by_size(*slice(by("day"), parsed(text + "g,dog,dog,tue,1\n", {by("day")})), 3);
  EXPECT_THAT(large.names, ElementsAre("day=tue"));
  EXPECT_THAT(examples_by_slice(large), ElementsAre(ElementsAre(1, 3, 6)));
  EXPECT_THAT(small.names, ElementsAre("day=mon", "day=wed"));
  EXPECT_THAT(small.sizes, ElementsAre(2, 2));
  EXPECT_THAT(examples_by_slice(small), ElementsAre(ElementsAre(0, 2), ElementsAre(4, 5)));
}

TEST(Slices, AMissingColumnIsNamed) {
  const EvaluationVector vector = parsed(kRides, {by("day")});
  EXPECT_THAT(slice(by("dya"), vector).error().message(), HasSubstr("no column 'dya'; did you mean day?"));
  EXPECT_FALSE(slice(query("q", {{"hour", {}, 20, {}}}), vector)) << "it was not asked for";
}

TEST(Slices, MovedExamplesAreNoticed) {
  const std::string moved = "id,label,prediction,day,hour\na,cat,cat,mon,3\nb,dog,dog,mon,21\n";
  const std::string before = "id,label,prediction,day,hour\na,cat,cat,mon,3\nb,dog,dog,tue,21\n";
  const SliceRule late = query("late", {{"hour", {}, 20, {}}});
  const std::vector<SliceRule> all = {by("day"), late};
  const auto problem = [&](const SliceRule& rule, const std::vector<SliceRule>& known) {
    return slicing_problem(rule, parsed(moved, all), parsed(before, known));
  };
  EXPECT_EQ(problem(by("day"), all), "the column 'day' puts examples into other slices");
  EXPECT_EQ(problem(late, all), "");
  EXPECT_EQ(problem(by("label"), all), "");
  EXPECT_EQ(problem(late, {by("day")}), "its predictions have no column 'hour'");
}

TEST(Slices, NumbersAreOneWordHoweverSpelled) {
  const SliceRule rule = query("q", {{"hour", {"3.0", "22"}, {}, {}}});
  EXPECT_THAT(examples_by_slice(*slice(rule, parsed(kRides, {rule})))[0], ElementsAre(0, 2));
}

// --- judged
// -------------------------------------------------------------------------------------------------

// `n` examples of each value of `lang`; the first `wrong` of each are wrong.
std::string languages(int n, const std::vector<std::pair<std::string, int>>& wrong) {
  std::string out = "id,label,prediction,lang\n";
  for (const auto& [lang, count] : wrong) {
    for (int i = 0; i < n; ++i)
      out += lang + std::to_string(i) + ",1," + (i < count ? "0" : "1") + "," + lang + "\n";
  }
  return out;
}

class SliceVerdict : public ::testing::Test {
 protected:
  SliceVerdict() {
    rule_.metric = "accuracy";
    inputs_.target_branch = "main";
  }

  Verdict judged(const std::string& now, const std::string& then) {
    Policy policy;
    policy.metrics = {rule_};
    const WantedColumns wanted = wanted_columns(policy, "predictions.csv");
    const auto evidence = [&](const std::string& text) {
      Evidence out;
      auto vector = parse_predictions_csv(text, "predictions.csv", wanted);
      EXPECT_TRUE(vector) << vector.error().to_string();
      out.metrics.push_back({"accuracy", vector->accuracy(), {}, "", {}});
      out.vectors["predictions.csv"] = std::move(*vector);
      return out;
    };
    inputs_.evidence = evidence(now);
    if (!then.empty()) inputs_.baseline = Baseline{{"x", 1, "0123456789", "main", 0}, evidence(then)};
    Verdict verdict = judge(policy, inputs_);
    const auto read_back = verdict_from_json(dump_json(to_json(verdict)));
    EXPECT_TRUE(read_back) << read_back.error().to_string();
    EXPECT_TRUE(read_back && to_json(*read_back) == to_json(verdict)) << "the record keeps all of it";
    return verdict;
  }

  static const Reason* find(const Verdict& verdict, Check check, const std::string& slice) {
    for (const Reason& reason : verdict.reasons) {
      if (reason.check == check && reason.slice == slice) return &reason;
    }
    return nullptr;
  }

  MetricRule rule_;
  Inputs inputs_;
};

TEST_F(SliceVerdict, BetterOnTheWholeAndWorseInOneSliceIsRed) {
  rule_.max_drop = 0.02;
  SliceRule slices = by("lang");
  slices.max_drop = 0.05;
  rule_.slices = {slices};
  const Verdict verdict = judged(languages(200, {{"de", 20}, {"en", 0}, {"fr", 16}}),
                                 languages(200, {{"de", 4}, {"en", 20}, {"fr", 16}}));
  EXPECT_EQ(verdict.kind, VerdictKind::fail);
  EXPECT_EQ(verdict.headline,
            "accuracy of lang=de fell from 0.98 to 0.9 (limit 0.93, 200 examples) against run 1 of commit "
            "0123456 (main)");
  EXPECT_EQ(find(verdict, Check::max_drop, "lang=en")->status, Status::pass);
  EXPECT_EQ(find(verdict, Check::max_drop, "lang=fr")->status, Status::pass);
}

TEST_F(SliceVerdict, AMarginWithinASlice) {
  SliceRule slices = by("lang");
  slices.margin = 0.03;
  rule_.slices = {slices};
  const Verdict verdict =
      judged(languages(400, {{"de", 60}, {"en", 20}}), languages(400, {{"de", 20}, {"en", 20}}));
  EXPECT_EQ(verdict.kind, VerdictKind::fail);
  const Reason* german = find(verdict, Check::paired, "lang=de");
  ASSERT_NE(german, nullptr);
  EXPECT_EQ(german->counts, (PairedCounts{400, 0, 40}));
  EXPECT_EQ(german->subject, "accuracy");
  EXPECT_THAT(german->sentence,
              HasSubstr("accuracy of lang=de fell from 0.95 to 0.85 (-10.0 points, 90 % CI"));
  EXPECT_THAT(find(verdict, Check::paired, "lang=en")->sentence, HasSubstr("right on the same examples"));
}

TEST_F(SliceVerdict, FloorsNeedNoBaseline) {
  SliceRule slices = by("lang");
  slices.floor = 0.9;
  rule_.slices = {slices};
  const Verdict verdict = judged(languages(100, {{"de", 11}, {"en", 10}}), "");
  EXPECT_EQ(verdict.kind, VerdictKind::fail);
  EXPECT_EQ(verdict.headline,
            "accuracy of lang=de 0.89 is below the floor 0.9 (90 % CI 0.8279 to 0.9315, 100 examples)");
  EXPECT_EQ(find(verdict, Check::floor, "lang=en")->status, Status::pass);
}

TEST_F(SliceVerdict, ASliceThatCannotBeJudgedIsRed) {
  SliceRule slices = by("land");
  slices.floor = 0.1;
  rule_.slices = {slices};
  Verdict verdict = judged(languages(100, {{"de", 0}}), "");
  EXPECT_EQ(verdict.kind, VerdictKind::error) << "no such column";
  EXPECT_THAT(verdict.headline, HasSubstr("no column 'land'"));

  slices.by = "lang";
  slices.min_examples = 101;
  rule_.slices = {slices};
  verdict = judged(languages(100, {{"de", 0}, {"en", 0}}), "");
  EXPECT_EQ(verdict.kind, VerdictKind::error) << "none is large enough";
  EXPECT_THAT(verdict.headline, HasSubstr("2 of 2 slices have fewer than 101 examples and are not judged"));

  rule_.slices = {query("swiss", {{"lang", {"ch"}, {}, {}}})};
  rule_.slices[0].floor = 0.1;
  EXPECT_EQ(judged(languages(100, {{"de", 0}}), "").kind, VerdictKind::error) << "the query finds nothing";
}

TEST_F(SliceVerdict, ASmallSliceAmongOthersIsToldAndNotJudged) {
  SliceRule slices = by("lang");
  slices.floor = 0.5;
  slices.min_examples = 50;
  rule_.slices = {slices};
  const Verdict verdict = judged(languages(100, {{"de", 0}}) + "x,1,0,ch\n", "");
  EXPECT_EQ(verdict.kind, VerdictKind::pass);
  EXPECT_THAT(
      find(verdict, Check::slices, "lang")->sentence,
      HasSubstr("1 of 2 slices has fewer than 50 examples and is not judged: lang=ch (1 example, 0)"));
}

TEST_F(SliceVerdict, ExamplesMovedToAnotherSliceAreNotComparable) {
  SliceRule slices = by("lang");
  slices.max_drop = 0.05;
  rule_.slices = {slices};
  std::string now = languages(100, {{"de", 20}, {"en", 0}});
  const std::string then = languages(100, {{"de", 0}, {"en", 0}});
  const size_t at = now.find("de0,1,0,de");
  now.replace(at, 10, "de0,1,0,en");
  const Verdict verdict = judged(now, then);
  EXPECT_EQ(verdict.kind, VerdictKind::no_baseline);
  EXPECT_THAT(verdict.headline, HasSubstr("the column 'lang' puts examples into other slices"));
  EXPECT_THAT(verdict.headline, HasSubstr("; `pawl baseline pin RUN --red --why REASON` makes this run"));
}

TEST_F(SliceVerdict, ManySlicesDoNotMakeAGoodModelRed) {
  SliceRule slices = by("lang");
  slices.margin = 0.01;
  rule_.slices = {slices};
  // One of twenty slices looks worse than the margin at 5 %, as one of twenty will.
  std::vector<std::pair<std::string, int>> now, then;
  for (int i = 0; i < 20; ++i) {
    now.emplace_back("l" + std::to_string(100 + i), i == 0 ? 12 : 7);
    then.emplace_back("l" + std::to_string(100 + i), i == 0 ? 4 : 8);
  }
  const Verdict verdict = judged(languages(200, now), languages(200, then));
  EXPECT_EQ(verdict.kind, VerdictKind::pass) << verdict.headline;
  const Reason* one = find(verdict, Check::paired, "lang=l100");
  ASSERT_NE(one, nullptr);
  EXPECT_LT(*one->p_margin, 0.05);
  EXPECT_GT(*one->p_adjusted, 0.05);
  EXPECT_THAT(one->sentence,
              HasSubstr(", worse than the margin of 1, but this may be chance among 20 tests: p = 0."));
  EXPECT_THAT(one->sentence, HasSubstr(" corrected by Holm) against run 1"));
  // Alone it is red.
  EXPECT_EQ(judged(languages(200, {now[0]}), languages(200, {then[0]})).kind, VerdictKind::fail);
}

TEST_F(SliceVerdict, TheWorstSlicesAreToldWithoutARule) {
  rule_.paired = PairedTest();
  rule_.paired->margin = 0.05;
  const Verdict verdict = judged(languages(500, {{"de", 60}, {"en", 0}, {"fr", 21}}),
                                 languages(500, {{"de", 20}, {"en", 40}, {"fr", 20}}));
  EXPECT_EQ(verdict.kind, VerdictKind::pass);
  const Reason* worst = find(verdict, Check::slices, "");
  ASSERT_NE(worst, nullptr);
  EXPECT_EQ(worst->sentence,
            "slices in which fewer answers are right than in run 1 of commit 0123456 (main): lang=de (-8.0 "
            "points of 500 examples)");
  EXPECT_EQ(verdict.headline.find("slices"), std::string::npos) << "no news of the metric as a whole";
}

}  // namespace
}  // namespace pawl::gate
