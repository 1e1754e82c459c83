#include "engine/rules/evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/unit/rules/make_input.h"

namespace pawl::rules {
namespace {

using ::testing::HasSubstr;
using trace::Kind;

std::string error_of(RuleConfig config) {
  auto evaluator = Evaluator::create({std::move(config)});
  return evaluator.ok() ? "" : evaluator.error().to_string();
}

TEST(Evaluator, RefusesWrongConfigurations) {
  RuleConfig unknown;
  unknown.rule = "no_such_rule";
  EXPECT_THAT(error_of(unknown), HasSubstr("there is no rule no_such_rule"));
  EXPECT_THAT(error_of(rule_config("hang", {{"minutes", 1}})), HasSubstr("no parameter minutes"));
  EXPECT_THAT(error_of(rule_config("hang", {{"factor", 0.5}})), HasSubstr("it must be from 1"));
  EXPECT_THAT(error_of(rule_config("hang", {{"factor", std::nan("")}})), HasSubstr("it must be from 1"));
  RuleConfig regex = rule_config("non_finite");
  regex.include = "fc(";
  EXPECT_THAT(error_of(regex), HasSubstr("wrong regular expression"));
  EXPECT_FALSE(Evaluator::create({rule_config("hang"), rule_config("hang")}).ok());
}

TEST(Evaluator, DisabledRulesAreAbsent) {
  RuleConfig config = rule_config("non_finite");
  config.enabled = false;
  Evaluator evaluator = Evaluator::create({config}).value();
  InputMaker maker;
  EXPECT_TRUE(evaluator.on_input(maker.begin(0).loss(std::nan("")).get()).empty());
  EXPECT_TRUE(evaluator.finish(true).rules.empty());
}

TEST(Evaluator, OneFindingARuleThatIsUpdatedLater) {
  Evaluator evaluator = default_evaluator();
  InputMaker maker;
  for (uint64_t step : {3, 4, 9}) {
    auto news = evaluator.on_input(maker.begin(step).loss(step == 4 ? 1 : std::nan("")).get());
    EXPECT_EQ(news.size(), step == 3 ? 1u : 0u);
  }
  Summary summary = evaluator.finish(true);
  ASSERT_EQ(summary.findings.size(), 1u);
  EXPECT_EQ(summary.findings[0].first_step, 3u);
  EXPECT_EQ(summary.findings[0].last_step, 9u);
  EXPECT_EQ(summary.findings[0].count, 2u);
  EXPECT_TRUE(summary.failed);
}

TEST(Evaluator, MoreOfAnEarlierStepIsOfThatStep) {
  Evaluator evaluator = default_evaluator();
  InputMaker maker;
  evaluator.on_input(maker.begin(9).loss(1).get());
  const auto news = evaluator.on_input(maker.begin(4).loss(std::nan("")).get());
  ASSERT_EQ(news.size(), 1u);
  EXPECT_EQ(news[0].first_step, 4u);
  evaluator.on_input(maker.begin(3).loss(std::nan("")).get());
  const Summary summary = evaluator.finish(true);
  EXPECT_EQ(summary.findings[0].last_step, 4u);
  EXPECT_EQ(summary.findings[0].count, 2u);
}

TEST(Evaluator, TheConfiguredActionDecidesAboutFailing) {
  for (Action action : {Action::fail, Action::stop, Action::warn}) {
    RuleConfig config = rule_config("non_finite");
    config.on_fire = action;
    Evaluator evaluator = Evaluator::create({config}).value();
    InputMaker maker;
    auto news = evaluator.on_input(maker.begin(0).loss(std::nan("")).get());
    ASSERT_EQ(news.size(), 1u);
    EXPECT_EQ(news[0].action, action);
    EXPECT_EQ(evaluator.finish(true).failed, action != Action::warn);
  }
}

TEST(Evaluator, ARequiredRuleWithoutDataFails) {
  RuleConfig config = rule_config("vanishing_gradient");
  config.required = true;
  Evaluator evaluator = Evaluator::create({config}).value();
  InputMaker maker;
  evaluator.on_input(maker.begin(0).loss(1).get());
  Summary summary = evaluator.finish(true);
  EXPECT_TRUE(summary.failed);
  ASSERT_EQ(summary.rules.size(), 1u);
  EXPECT_EQ(summary.rules[0].outcome, Outcome::not_evaluated);
  EXPECT_THAT(summary.rules[0].reason, HasSubstr("no gradient"));
}

// A blow-up in which many rules fire at many places, fed twice.
std::vector<Finding> blow_up() {
  Evaluator evaluator = default_evaluator();
  InputMaker maker;
  for (uint64_t step = 0; step < 600; ++step) {
    double scale = step < 300 ? 1 : std::exp(static_cast<double>(step - 300) * 2);
    maker.begin(step, 2);
    for (uint32_t rank : {1u, 0u}) {
      maker.loss(std::isfinite(scale) ? scale : std::nan(""), rank);
      if (step % 10 != 0) continue;
      for (const char* name : {"fc1.weight", "fc2.weight"}) {
        maker.tensor(name, Kind::weight, flat_stats(0.1), {100, 10}, rank);
        maker.tensor(name, Kind::gradient, flat_stats(std::min(scale, 1e300) * 1e-3), {100, 10}, rank);
      }
    }
    evaluator.on_input(maker.get());
  }
  return evaluator.finish(true).findings;
}

TEST(Evaluator, AReplayGivesTheSameFindings) {
  std::vector<Finding> first = blow_up();
  std::vector<Finding> second = blow_up();
  ASSERT_GE(first.size(), 4u);
  ASSERT_EQ(first.size(), second.size());
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].rule, second[i].rule);
    EXPECT_EQ(first[i].first_step, second[i].first_step);
    EXPECT_EQ(first[i].last_step, second[i].last_step);
    EXPECT_EQ(first[i].count, second[i].count);
    EXPECT_EQ(first[i].rank, second[i].rank);
    EXPECT_EQ(first[i].tensor, second[i].tensor);
    EXPECT_EQ(first[i].message, second[i].message);
    EXPECT_EQ(std::memcmp(&first[i].value, &second[i].value, sizeof(double)), 0);
    EXPECT_EQ(std::memcmp(&first[i].limit, &second[i].limit, sizeof(double)), 0);
  }
}

}  // namespace
}  // namespace pawl::rules
