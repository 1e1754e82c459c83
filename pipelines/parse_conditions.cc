// `conditions:` of the gate.
#include <fmt/format.h>

#include <set>

#include "engine/gate/sample_size.h"
#include "pipelines/sections.h"

namespace pawl::pipeline {
namespace {

constexpr size_t kMaxConditions = 20;

// The columns of a quoted scalar's bytes within `raw`, which starts at the opening quote and ends with the
// line, and one more for the closing quote. Empty for what is not written in one line, or with an escape that
// is not a character behind a backslash.
std::vector<size_t> quoted_columns(std::string_view raw, const std::string& text) {
  const char quote = raw.front();
  std::vector<size_t> columns;
  std::string read;
  for (size_t i = 1; i < raw.size(); ++i) {
    columns.push_back(i);
    const std::string_view rest = raw.substr(i + 1);
    if (raw[i] == quote && !(quote == '\'' && rest.starts_with('\''))) {
      return read == text ? columns : std::vector<size_t>();
    }
    const bool escaped = raw[i] == quote || (quote == '"' && raw[i] == '\\');
    if (escaped && ++i == raw.size()) break;
    read += raw[i];
  }
  return {};
}

// Where a byte of the scalar's text stands in the file; the scalar itself when it is folded over lines or
// quoted in a way that does not show.
Span place_in(const Source& source, const Node& node, size_t byte) {
  const auto start = static_cast<size_t>(node.span.column - 1);
  const std::string_view line = source.line(node.span.line);
  if (start >= line.size()) return node.span;
  const std::string_view raw = line.substr(start);
  Span place = node.span;
  if (!node.quoted) {
    if (raw.starts_with(node.text)) place.column += static_cast<int>(byte);
  } else if (raw.front() == '"' || raw.front() == '\'') {
    const std::vector<size_t> columns = quoted_columns(raw, node.text);
    if (byte < columns.size()) place.column += static_cast<int>(columns[byte]);
  }
  return place;
}

bool in_double_quotes(const Source& source, const Node& node) {
  const std::string_view line = source.line(node.span.line);
  const auto start = static_cast<size_t>(node.span.column - 1);
  return node.quoted && start < line.size() && line[start] == '"';
}

void read_condition(Reader& reader, const Node& node, gate::Condition& out) {
  const auto text = reader.text(node, "condition");
  if (!text) return;
  auto condition = gate::parse_condition(*text, reader.source().file());
  if (condition) {
    out = *std::move(condition);
    return;
  }
  const Diagnostic& mistake = condition.error();
  const bool first_line = mistake.line == 1;
  const Span place =
      first_line ? place_in(reader.source(), node, static_cast<size_t>(mistake.column - 1)) : node.span;
  const size_t byte = static_cast<size_t>(mistake.column - 1);
  const bool lost_backslash =
      first_line && byte < text->size() && (*text)[byte] == '/' && in_double_quotes(reader.source(), node);
  reader.error(place, "condition: " + mistake.message,
               lost_backslash ? "in double quotes '/\\' is written '/\\\\'; single quotes leave it alone"
                              : mistake.hint);
}

Field reliability_field(Reader& reader, double& out) {
  return {"reliability", [&reader, &out](const Node& node) {
            const auto value = reader.number(node, "reliability");
            if (!value) return;
            if (*value >= 0.5 && *value <= gate::kMaxReliability) {
              out = *value;
            } else {
              reader.error(node.span, "'reliability' must be from 0.5 to below 1", "99.9 % are 0.999");
            }
          }};
}

gate::ConditionRule read_rule(Reader& reader, const Node& node) {
  using gate::Adaptivity;
  using gate::ConditionMode;
  using OnSpent = gate::ConditionRule::OnSpent;
  gate::ConditionRule rule;
  if (!reader.is_map(node, "a condition")) return rule;
  reader.fields(
      node, "a condition",
      {{"condition", [&](const Node& n) { read_condition(reader, n, rule.condition); }, true},
       reliability_field(reader, rule.reliability),
       reader.choice_field<ConditionMode>(
           "mode", {{"fp-free", ConditionMode::fp_free}, {"fn-free", ConditionMode::fn_free}}, rule.mode),
       reader.choice_field<Adaptivity>("adaptivity",
                                       {{"none", Adaptivity::none},
                                        {"full", Adaptivity::full},
                                        {"first-change", Adaptivity::first_change}},
                                       rule.terms.adaptivity),
       reader.integer_field("steps", 1, gate::kMaxSteps, rule.terms.steps),
       reader.choice_field<OnSpent>("on_spent", {{"warn", OnSpent::warn}, {"block", OnSpent::block}},
                                    rule.on_spent),
       {"predictions", [&](const Node& n) { read_predictions(reader, n, rule.predictions); }}});
  return rule;
}

}  // namespace

std::vector<gate::ConditionRule> read_conditions(Reader& reader, const Node& node) {
  std::vector<gate::ConditionRule> out;
  if (node.kind != Node::Kind::sequence) {
    reader.wrong_type(node, "conditions", "a list");
    return out;
  }
  if (node.items.size() > kMaxConditions)
    reader.error(node.span, fmt::format("more than {} conditions", kMaxConditions));
  std::set<std::string> files;
  for (const Node& item : node.items) {
    out.push_back(read_rule(reader, item));
    // Each answer about a test set uses some of it: one that joins the clauses costs less than two.
    if (item.kind == Node::Kind::map && !files.insert(out.back().predictions).second)
      reader.error(item.span, fmt::format("two conditions on {}", out.back().predictions),
                   "join them by '/\\': a test set is paid for by the answer");
  }
  return out;
}

}  // namespace pawl::pipeline
