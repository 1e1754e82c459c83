#include <fmt/format.h>

#include <algorithm>

#include "engine/base/text.h"
#include "pipelines/sections.h"

namespace pawl::pipeline {
namespace {

constexpr size_t kMaxMetrics = 100;
constexpr size_t kMaxMetricName = 128;

// A number that must lie within an open interval.
Field inside_field(Reader& reader, std::string_view name, double above, double below, double& out,
                   std::string hint) {
  return {name, [=, &reader, &out, hint = std::move(hint)](const Node& node) {
            auto value = reader.number(node, name);
            if (!value) return;
            if (*value > above && *value < below) {
              out = *value;
            } else {
              reader.error(node.span, fmt::format("'{}' must be above {} and below {}", name, above, below),
                           hint);
            }
          }};
}

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

void read_predictions(Reader& reader, const Node& node, std::string& out) {
  auto path = reader.text(node, "predictions");
  if (!path) return;
  std::vector<std::string_view> parts = split(*path, '/');
  bool inside = std::none_of(parts.begin(), parts.end(), [](std::string_view part) {
    return part.empty() || part == "." || part == "..";
  });
  bool known = path->ends_with(".csv") || path->ends_with(".npy");
  if (!inside || !known) {
    reader.error(node.span, "'predictions' must be the path of a .csv or .npy file within $PAWL_OUTPUT_DIR");
  } else {
    out = *std::move(path);
  }
}

gate::PairedTest read_paired(Reader& reader, const Node& node, const std::string& what) {
  using Mode = gate::PairedTest::Mode;
  gate::PairedTest paired;
  if (!reader.is_map(node, "paired")) return paired;
  Field margin = inside_field(reader, "margin", 0, 1, paired.margin, "2 points are 0.02");
  margin.required = true;
  reader.fields(
      node, what,
      {margin,
       inside_field(reader, "alpha", 0, 0.5, paired.alpha, "the usual value is 0.05"),
       reader.choice_field<Mode>("mode", {{"lenient", Mode::lenient}, {"strict", Mode::strict}}, paired.mode),
       {"predictions", [&](const Node& n) { read_predictions(reader, n, paired.predictions); }}});
  return paired;
}

void check_bounds(Reader& reader, const Entry& entry, const gate::MetricRule& rule) {
  bool lower = rule.direction == gate::Direction::lower;
  auto has = [&](std::string_view key) {
    return std::any_of(entry.value.entries.begin(), entry.value.entries.end(),
                       [key](const Entry& field) { return field.key == key; });
  };
  if (!has("floor") && !has("ceiling") && !has("max_drop") && !has("max_drop_relative") && !has("paired")) {
    reader.error(entry.key_span, fmt::format("metric '{}' has nothing to hold to", rule.metric),
                 "give it max_drop, floor, ceiling or paired");
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
       {"paired", [&](const Node& n) { rule.paired = read_paired(reader, n, "paired of " + what); }}});
  check_bounds(reader, entry, rule);
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
    for (const Entry& entry : metrics.entries) out.policy.metrics.push_back(read_metric(reader, entry));
  };
  auto read_stage = [&](const Node& stage) {
    out.stage_span = stage.span;
    out.policy.stage = reader.text(stage, "stage").value_or("");
  };
  reader.fields(node, "gate",
                {reader.boolean_field("bootstrap", out.policy.bootstrap),
                 {"stage", read_stage},
                 {"metrics", read_metrics}});
  return out;
}

}  // namespace pawl::pipeline
