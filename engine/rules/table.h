// The table of built-in rules: the one place where names, parameters, defaults and help live. The pipeline
// parser checks `rules:` against it, the evaluator reads its parameters through it, docs/rules.md is
// generated from it. Everything here is constant data; any thread may read it.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::rules {

enum class Severity { fail, warn };

// What happens when a rule fires. warn: recorded only. fail: training goes on and the stage fails at its end.
// stop: the ranks are stopped at once and the stage fails.
enum class Action { fail, stop, warn };

std::string_view to_string(Severity severity);
std::string_view to_string(Action action);
std::optional<Action> parse_action(std::string_view text);  // "fail", "stop", "warn"

// Severity follows from what the rule is configured to do.
constexpr Severity severity_of(Action action) {
  return action == Action::warn ? Severity::warn : Severity::fail;
}

struct ParamDef {
  std::string_view name;
  double default_value;
  double min;  // inclusive
  double max;  // inclusive
  std::string_view doc;
};

struct RuleDef {
  std::string_view name;
  std::string_view summary;                  // one line, what it watches for
  std::string_view condition;                // when exactly it fires
  std::span<const std::string_view> inputs;  // collections that must be captured for it to be evaluated
  std::string_view optional_inputs;          // what makes it sharper, in words; may be empty
  std::span<const ParamDef> params;
  Action default_action;
  std::string_view hint;  // what to do about a finding

  const ParamDef* find_param(std::string_view param) const;  // nullptr: no such parameter
};

// How one rule runs in one stage.
struct RuleConfig {
  std::string rule;
  bool enabled = true;
  Action on_fire = Action::fail;
  bool required = false;                 // not evaluated by the end of the stage: the stage fails
  std::map<std::string, double> params;  // only what differs from the table
  std::string include;                   // RE2 regex (partial match) of series names; empty: all

  // The configured value, else the default of the table. Aborts for a parameter the rule does not have.
  double param(std::string_view param) const;

  bool operator==(const RuleConfig&) const = default;
};

std::span<const RuleDef> rule_table();  // in the order in which findings of one step are listed
// Of the table, or the rule that the gate adds to it (worse_than_green). nullptr: no such rule.
const RuleDef* find_rule(std::string_view name);
const RuleDef& gate_rule();               // it is configured by `gate.early`, not by `rules`
std::vector<RuleConfig> default_rules();  // every rule of the table, enabled, with its default action

// docs/rules.md, from the table.
std::string rules_markdown();

}  // namespace pawl::rules
