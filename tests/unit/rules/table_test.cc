#include "engine/rules/table.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "engine/base/files.h"
#include "engine/rules/evaluator.h"

namespace pawl::rules {
namespace {

TEST(RuleTable, IsConsistent) {
  std::set<std::string_view> names;
  for (const RuleDef& rule : rule_table()) {
    EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
    EXPECT_EQ(find_rule(rule.name), &rule);
    EXPECT_FALSE(rule.summary.empty() || rule.condition.empty() || rule.hint.empty()) << rule.name;
    std::set<std::string_view> params;
    for (const ParamDef& param : rule.params) {
      EXPECT_TRUE(params.insert(param.name).second) << rule.name << "." << param.name;
      EXPECT_EQ(rule.find_param(param.name), &param);
      EXPECT_LE(param.min, param.default_value) << rule.name << "." << param.name;
      EXPECT_GE(param.max, param.default_value) << rule.name << "." << param.name;
    }
  }
  EXPECT_EQ(find_rule("no_such_rule"), nullptr);
}

TEST(RuleTable, DefaultsCanBeEvaluated) {
  auto evaluator = Evaluator::create(default_rules());
  ASSERT_TRUE(evaluator.ok());
  Summary summary = evaluator->finish(true);
  ASSERT_EQ(summary.rules.size(), rule_table().size());
  for (const RuleOutcome& outcome : summary.rules) {
    EXPECT_EQ(outcome.outcome, Outcome::not_evaluated) << outcome.rule;
    EXPECT_FALSE(outcome.reason.empty()) << outcome.rule;
  }
  EXPECT_FALSE(summary.failed);  // nothing is required by default
}

TEST(RuleTable, ActionsHaveNames) {
  for (Action action : {Action::fail, Action::stop, Action::warn})
    EXPECT_EQ(parse_action(to_string(action)), action);
  EXPECT_EQ(parse_action("explode"), std::nullopt);
  EXPECT_EQ(severity_of(Action::stop), Severity::fail);
  EXPECT_EQ(severity_of(Action::warn), Severity::warn);
}

// PAWL_WRITE_DOCS=1 writes the page instead.
TEST(RuleTable, TheDocumentationIsUpToDate) {
  const std::string path = std::string(PAWL_SOURCE_DIR) + "/docs/rules.md";
  if (std::getenv("PAWL_WRITE_DOCS") != nullptr) {
    ASSERT_TRUE(write_file_atomic(path, rules_markdown()).ok());
  }
  auto text = read_file(path, 1 << 20);
  ASSERT_TRUE(text.ok()) << text.error().to_string();
  EXPECT_EQ(*text, rules_markdown()) << "run PAWL_WRITE_DOCS=1 tests/rules_test after a change of the table";
}

}  // namespace
}  // namespace pawl::rules
