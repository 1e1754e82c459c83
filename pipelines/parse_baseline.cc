// `baseline:` and `sustained:` of the gate.
#include "pipelines/sections.h"

namespace pawl::pipeline {
namespace {

constexpr int64_t kMaxRuns = 1000;
constexpr int64_t kMaxWindow = 100;

}  // namespace

gate::BaselineRule read_baseline(Reader& reader, const Node& node) {
  using Kind = gate::BaselineRule::Kind;
  gate::BaselineRule rule;
  if (node.kind != Node::Kind::map) {
    reader.choice_field<Kind>("baseline", {{"last_green", Kind::last_green}, {"best", Kind::best}}, rule.kind)
        .read(node);
    return rule;
  }
  if (node.entries.size() != 1)
    reader.error(node.span, "'baseline' takes one of rolling and tag", "{rolling: 5} or {tag: \"v*\"}");
  auto read_rolling = [&](const Node& runs) {
    rule.kind = Kind::rolling;
    rule.runs = reader.integer(runs, "rolling", 2, kMaxRuns).value_or(2);
  };
  auto read_tag = [&](const Node& tag) {
    rule.kind = Kind::tag;
    rule.tag = reader.text(tag, "tag").value_or("");
  };
  reader.fields(node, "baseline", {{"rolling", read_rolling}, {"tag", read_tag}});
  return rule;
}

gate::SustainedRule read_sustained(Reader& reader, const Node& node) {
  gate::SustainedRule rule;
  if (!reader.is_map(node, "sustained")) return rule;
  auto read_drop = [&](const Node& drop) {
    auto value = reader.number(drop, "max_drop");
    if (value && *value < 0) reader.error(drop.span, "'max_drop' must be 0 or more");
    rule.max_drop = value.value_or(0);
  };
  reader.fields(node, "sustained",
                {reader.integer_field("window", 2, kMaxWindow, rule.window), {"max_drop", read_drop, true}});
  return rule;
}

}  // namespace pawl::pipeline
