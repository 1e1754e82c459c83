// `early:` of the gate.
#include <fmt/format.h>

#include "pipelines/sections.h"

namespace pawl::pipeline {
namespace {

constexpr int64_t kMaxRuns = 100;
constexpr int64_t kMaxStep = 1'000'000'000'000;

Field margin_field(Reader& reader, std::string_view name, bool relative, std::optional<Span>& given,
                   gate::EarlyRule& rule) {
  return {name, [&reader, &rule, &given, name, relative](const Node& node) {
            auto value = reader.number(node, name);
            if (!value) return;
            if (given) reader.error(node.span, "'margin' and 'margin_relative' exclude each other");
            if (*value < 0)
              reader.error(node.span, fmt::format("'{}' must be 0 or more", name),
                           relative ? "10 % are 0.1" : "");
            given = node.span;
            rule.margin = *value;
            rule.margin_relative = relative;
          }};
}

}  // namespace

std::optional<gate::EarlyRule> read_early(Reader& reader, const Node& node) {
  gate::EarlyRule rule;
  if (node.kind == Node::Kind::scalar) {
    const auto on = reader.boolean(node, "early");
    return on.value_or(false) ? std::optional(rule) : std::nullopt;
  }
  if (!reader.is_map(node, "early")) return std::nullopt;
  std::optional<Span> margin;
  std::optional<Span> curve;
  bool direction = false;
  auto read_curve = [&](const Node& name) {
    curve = name.span;
    rule.curve = reader.text(name, "curve").value_or(rule.curve);
  };
  auto read_direction = [&](const Node& word) {
    direction = true;
    reader
        .choice_field<gate::Direction>(
            "direction", {{"higher", gate::Direction::higher}, {"lower", gate::Direction::lower}},
            rule.direction)
        .read(word);
  };
  reader.fields(node, "early",
                {{"curve", read_curve},
                 {"direction", read_direction},
                 margin_field(reader, "margin", false, margin, rule),
                 margin_field(reader, "margin_relative", true, margin, rule),
                 reader.integer_field("runs", 2, kMaxRuns, rule.runs),
                 reader.integer_field("from_step", 0, kMaxStep, rule.from_step)});
  if (curve && rule.curve != "loss" && !direction)
    reader.error(*curve, "which way is better for this curve?", "direction: higher, or lower");
  return rule;
}

}  // namespace pawl::pipeline
