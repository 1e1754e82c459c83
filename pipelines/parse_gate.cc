#include <fmt/format.h>

#include <algorithm>

#include "engine/base/text.h"
#include "pipelines/sections.h"

namespace pawl::pipeline {
namespace {

constexpr size_t kMaxMetrics = 100;
constexpr size_t kMaxMetricName = 128;

Field drop_field(Reader& reader, std::string_view name, bool relative, gate::MetricRule& rule) {
  return {name, [&reader, &rule, name, relative](const Node& node) {
            auto value = reader.number(node, name);
            if (!value) return;
            if (rule.max_drop) {
              reader.error(node.span, "'max_drop' and 'max_drop_relative' exclude each other");
            } else if (*value < 0 || (relative && *value >= 1)) {
              reader.error(node.span,
                           fmt::format("'{}' must be {}", name, relative ? "from 0 to below 1" : "0 or more"),
                           relative ? "5 % are 0.05" : "");
            } else {
              rule.max_drop = *value;
              rule.max_drop_relative = relative;
            }
          }};
}

void check_bounds(Reader& reader, const Entry& entry, const gate::MetricRule& rule) {
  bool lower = rule.direction == gate::Direction::lower;
  auto has = [&](std::string_view key) {
    return std::any_of(entry.value.entries.begin(), entry.value.entries.end(),
                       [key](const Entry& field) { return field.key == key; });
  };
  if (!has("floor") && !has("ceiling") && !has("max_drop") && !has("max_drop_relative") && !has("paired") &&
      !has("seeds") && !has("slices")) {
    reader.error(entry.key_span, fmt::format("metric '{}' has nothing to hold to", rule.metric),
                 "give it max_drop, floor, ceiling, paired, seeds or slices");
  }
  if (rule.floor && rule.ceiling && *rule.floor > *rule.ceiling) {
    reader.error(entry.key_span, fmt::format("the floor of '{}' is above its ceiling", rule.metric));
  } else if (lower && rule.floor && !rule.ceiling) {
    reader.warning(entry.key_span,
                   fmt::format("lower is better for '{}', but its bound is a floor", rule.metric),
                   "a 'ceiling' is the most it may be");
  } else if (!lower && rule.ceiling && !rule.floor) {
    reader.warning(entry.key_span,
                   fmt::format("higher is better for '{}', but its bound is a ceiling", rule.metric),
                   "a 'floor' is the least it may be");
  }
}

gate::MetricRule read_metric(Reader& reader, const Entry& entry) {
  using gate::Direction;
  gate::MetricRule rule;
  rule.metric = entry.key;
  std::string what = fmt::format("metric '{}'", to_valid_utf8(entry.key, 80));
  bool control = std::any_of(entry.key.begin(), entry.key.end(),
                             [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (entry.key.empty() || entry.key.size() > kMaxMetricName || control)
    reader.error(entry.key_span, "not a name of a metric", "1 to 128 bytes without control characters");
  if (!reader.is_map(entry.value, what)) return rule;
  Field direction = reader.choice_field<Direction>(
      "direction", {{"higher", Direction::higher}, {"lower", Direction::lower}}, rule.direction);
  direction.required = true;
  reader.fields(
      entry.value, what,
      {direction,
       reader.number_field("floor", rule.floor),
       reader.number_field("ceiling", rule.ceiling),
       drop_field(reader, "max_drop", false, rule),
       drop_field(reader, "max_drop_relative", true, rule),
       {"paired", [&](const Node& n) { rule.paired = read_paired(reader, n, "paired of " + what); }},
       {"seeds", [&](const Node& n) { rule.seeds = read_seeds_test(reader, n); }},
       {"slices", [&](const Node& n) { rule.slices = read_slices(reader, n, what); }}});
  check_bounds(reader, entry, rule);
  using Of = gate::PairedTest::Of;
  const bool higher_only = rule.paired && rule.paired->of != Of::accuracy && rule.paired->of != Of::mean;
  if (higher_only && rule.direction == gate::Direction::lower) {
    reader.error(entry.key_span,
                 fmt::format("lower is better for {}, but not for what 'paired' compares", what),
                 "direction: higher");
  }
  return rule;
}

}  // namespace

GateSection read_gate(Reader& reader, const Node& node) {
  GateSection out;
  if (is_word(node, "off")) {
    out.off = true;
    return out;
  }
  if (node.kind != Node::Kind::map) {
    reader.wrong_type(node, "gate", "a map or 'off'");
    return out;
  }
  auto read_metrics = [&](const Node& metrics) {
    if (!reader.is_map(metrics, "metrics")) return;
    if (metrics.entries.size() > kMaxMetrics)
      reader.error(metrics.span, fmt::format("more than {} metrics", kMaxMetrics));
    for (const Entry& entry : metrics.entries) {
      out.policy.metrics.push_back(read_metric(reader, entry));
      out.metric_spans.push_back(entry.key_span);
    }
  };
  auto read_all_conditions = [&](const Node& conditions) {
    out.conditions_span = conditions.span;
    out.policy.conditions = read_conditions(reader, conditions);
  };
  auto read_stage = [&](const Node& stage) {
    out.stage_span = stage.span;
    out.policy.stage = reader.text(stage, "stage").value_or("");
  };
  auto read_early_rule = [&](const Node& early) {
    out.early_span = early.span;
    out.policy.early = read_early(reader, early);
  };
  reader.fields(node, "gate",
                {reader.boolean_field("bootstrap", out.policy.bootstrap),
                 {"stage", read_stage},
                 {"baseline", [&](const Node& n) { out.policy.baseline = read_baseline(reader, n); }},
                 {"sustained", [&](const Node& n) { out.policy.sustained = read_sustained(reader, n); }},
                 {"early", read_early_rule},
                 {"metrics", read_metrics},
                 {"conditions", read_all_conditions}});
  if (out.policy.early && !out.policy.judges_models())
    reader.error(out.early_span,
                 "'early' compares with green runs, and without a metric or condition there are none",
                 "add 'metrics' or 'conditions'");
  return out;
}

}  // namespace pawl::pipeline
