#include <fmt/format.h>

#include <algorithm>

#include "pipelines/sections.h"

namespace pawl::pipeline {
namespace {

std::vector<std::string> rule_names() {
  std::vector<std::string> names;
  for (const rules::RuleDef& rule : rules::rule_table()) names.emplace_back(rule.name);
  return names;
}

Field param_field(Reader& reader, const rules::ParamDef& param, rules::RuleConfig& config) {
  return {param.name, [&reader, &param, &config](const Node& node) {
            auto value = reader.number(node, param.name);
            if (!value) return;
            if (*value < param.min || *value > param.max) {
              reader.error(node.span,
                           fmt::format("'{}' must be between {} and {}", param.name, param.min, param.max));
            } else {
              config.params[std::string(param.name)] = *value;
            }
          }};
}

void read_rule(Reader& reader, const Node& node, const rules::RuleDef& rule, rules::RuleConfig& config) {
  if (is_word(node, "off")) {
    config.enabled = false;
    return;
  }
  if (node.kind != Node::Kind::map) {
    reader.wrong_type(node, rule.name, "a map of parameters or 'off'");
    return;
  }
  std::vector<Field> fields = {
      reader.choice_field<rules::Action>(
          "on_fire",
          {{"fail", rules::Action::fail}, {"stop", rules::Action::stop}, {"warn", rules::Action::warn}},
          config.on_fire),
      reader.boolean_field("required", config.required), reader.regex_field("include", config.include)};
  for (const rules::ParamDef& param : rule.params) fields.push_back(param_field(reader, param, config));
  reader.fields(node, fmt::format("rule '{}'", rule.name), fields);
}

// The first collection the rule needs and the stage does not capture; empty when it has all.
std::string_view missing_input(const rules::RuleDef& rule, const Capture& capture) {
  for (std::string_view input : rule.inputs) {
    if (!capture.records(input)) return input;
  }
  return {};
}

// A rule that the file asks for and that can never be evaluated is a mistake; a default one just stays off.
void check_inputs(Reader& reader, const Entry& entry, const rules::RuleDef& rule,
                  const rules::RuleConfig& config, const Capture& capture) {
  std::string message;
  if (!capture.enabled) {
    message = fmt::format("rule '{}' is never evaluated: debug is off", rule.name);
  } else if (std::string_view input = missing_input(rule, capture); !input.empty()) {
    message =
        fmt::format("rule '{}' is never evaluated: it needs '{}' in debug.collections", rule.name, input);
  } else {
    return;
  }
  if (config.required) {
    reader.error(entry.key_span, std::move(message), "it is required, so the stage could never pass");
  } else {
    reader.warning(entry.key_span, std::move(message));
  }
}

}  // namespace

std::vector<rules::RuleConfig> read_rules(Reader& reader, const Node* node, const Capture& capture) {
  std::vector<rules::RuleConfig> out = rules::default_rules();
  bool off = node && is_word(*node, "off");
  for (rules::RuleConfig& config : out) {
    const rules::RuleDef& rule = *rules::find_rule(config.rule);
    for (const rules::ParamDef& param : rule.params)
      config.params.emplace(std::string(param.name), param.default_value);
    config.enabled = !off && capture.enabled && missing_input(rule, capture).empty();
  }
  if (!node || off) return out;
  if (node->kind != Node::Kind::map) {
    reader.wrong_type(*node, "rules", "a map or 'off'");
    return out;
  }
  for (const Entry& entry : node->entries) {
    auto config = std::find_if(out.begin(), out.end(), [&](const rules::RuleConfig& candidate) {
      return candidate.rule == entry.key;
    });
    if (config == out.end()) {
      reader.unknown(entry.key_span, "rule", entry.key, rule_names());
      continue;
    }
    const rules::RuleDef& rule = *rules::find_rule(config->rule);
    config->enabled = true;
    read_rule(reader, entry.value, rule, *config);
    if (config->enabled) check_inputs(reader, entry, rule, *config, capture);
  }
  return out;
}

}  // namespace pawl::pipeline
