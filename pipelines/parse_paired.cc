// `paired:` and `slices:` of a gated metric.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "engine/base/text.h"
#include "pipelines/sections.h"

namespace pawl::pipeline {
namespace {

using Of = gate::PairedTest::Of;

constexpr size_t kMaxSlices = 50;
constexpr size_t kMaxWords = 1000;
constexpr int64_t kMaxExamples = 20'000'000;

const Entry* find(const Node& map, std::string_view key) {
  const auto it = std::find_if(map.entries.begin(), map.entries.end(),
                               [key](const Entry& entry) { return entry.key == key; });
  return it == map.entries.end() ? nullptr : &*it;
}

bool has(const Node& map, std::string_view key) {
  return find(map, key) != nullptr;
}

// What each statistic needs besides the margin.
void check_columns(Reader& reader, const Node& node, gate::PairedTest& paired) {
  const bool ranks = paired.of == Of::auc || paired.of == Of::average_precision;
  if (paired.of == Of::mean && !has(node, "column"))
    reader.error(node.span, "the mean of which column?", "column: loss");
  if (ranks && !has(node, "positive"))
    reader.error(node.span, "which label is the positive one?", "positive: 1");
  if (!ranks && has(node, "positive"))
    reader.error(find(node, "positive")->key_span, "'positive' is for 'of: auc' and 'of: average_precision'");
  if (!ranks && paired.of != Of::mean && has(node, "column"))
    reader.error(find(node, "column")->key_span,
                 "'column' is for 'of: mean', 'of: auc' and 'of: average_precision'");
  if (ranks && !has(node, "column")) paired.column = "score";
  if (paired.of != Of::mean && paired.margin >= 1) {
    reader.error(find(node, "margin")->value.span, "'margin' must be above 0 and below 1",
                 "2 points are 0.02");
  }
}

gate::SliceRule::Where read_condition(Reader& reader, const Entry& entry) {
  gate::SliceRule::Where where;
  where.column = entry.key;
  const std::string what = fmt::format("condition on '{}'", to_valid_utf8(entry.key, 80));
  if (entry.value.kind != Node::Kind::map) {
    for (Text& text : reader.texts(entry.value, entry.key)) where.words.push_back(std::move(text.value));
    if (entry.value.kind == Node::Kind::sequence && entry.value.items.empty())
      reader.error(entry.value.span, what + " says nothing", "at_least, below, or a list of values");
    if (where.words.size() > kMaxWords)
      reader.error(entry.value.span, fmt::format("more than {} values", kMaxWords));
    return where;
  }
  if (where.column == "label") {
    reader.error(entry.value.span, "labels are named, not measured", "label: [1, 2]");
    return where;
  }
  reader.fields(entry.value, what,
                {reader.number_field("at_least", where.at_least), reader.number_field("below", where.below)});
  if (entry.value.entries.empty()) {
    reader.error(entry.value.span, what + " says nothing", "at_least, below, or a list of values");
  } else if (where.at_least && where.below && *where.at_least >= *where.below) {
    reader.error(entry.value.span, what + " never holds: at_least is not below 'below'");
  }
  return where;
}

void read_where(Reader& reader, const Node& node, gate::SliceRule& rule) {
  if (!reader.is_map(node, "where")) return;
  if (node.entries.empty()) reader.error(node.span, "'where' says nothing", "where: {lang: de}");
  for (const Entry& entry : node.entries) rule.where.push_back(read_condition(reader, entry));
}

// Two models have other predictions, and every example its own id.
void check_column(Reader& reader, const Node& node, const std::string& column) {
  if (column == "id" || column == "prediction")
    reader.error(node.span, fmt::format("the {} makes no slices", column),
                 "by: label, or a column of your own");
}

gate::SliceRule read_slice(Reader& reader, const Node& node, const std::string& metric) {
  gate::SliceRule rule;
  const std::string what = "a slice of " + metric;
  if (!reader.is_map(node, what)) return rule;
  double margin = 0;
  double drop = 0;
  reader.fields(node, what,
                {reader.text_field("by", rule.by),
                 reader.text_field("name", rule.name),
                 {"where", [&](const Node& n) { read_where(reader, n, rule); }},
                 reader.integer_field("min_examples", 1, kMaxExamples, rule.min_examples),
                 reader.number_field("floor", rule.floor),
                 inside_field(reader, "margin", 0, std::numeric_limits<double>::infinity(), margin,
                              "2 points are 0.02"),
                 {"max_drop", [&](const Node& n) {
                    if (auto value = reader.number(n, "max_drop")) {
                      if (*value < 0) reader.error(n.span, "'max_drop' must be 0 or more");
                      drop = *value;
                    }
                  }}});
  for (const gate::SliceRule::Where& where : rule.where) check_column(reader, node, where.column);
  if (has(node, "by")) check_column(reader, node, rule.by);
  if (has(node, "margin")) rule.margin = margin;
  if (has(node, "max_drop")) rule.max_drop = drop;
  if (has(node, "by") == has(node, "where")) {
    reader.error(node.span, "a slice is 'by' a column, or 'where' conditions hold",
                 "{by: label, ...} or {name: night, where: {...}, ...}");
  } else if (has(node, "where") != has(node, "name")) {
    reader.error(node.span, has(node, "where") ? "a slice with 'where' needs a 'name'"
                                               : "slices 'by' a column take their names from it");
  }
  if (!has(node, "floor") && !has(node, "max_drop") && !has(node, "margin"))
    reader.error(node.span, "the slice has nothing to hold to", "give it floor, max_drop or margin");
  return rule;
}

}  // namespace

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

Field inside_field(Reader& reader, std::string_view name, double above, double below, double& out,
                   std::string hint) {
  return {name, [=, &reader, &out, hint = std::move(hint)](const Node& node) {
            auto value = reader.number(node, name);
            if (!value) return;
            if (*value > above && *value < below) {
              out = *value;
            } else if (below == std::numeric_limits<double>::infinity()) {
              reader.error(node.span, fmt::format("'{}' must be above {}", name, above), hint);
            } else {
              reader.error(node.span, fmt::format("'{}' must be above {} and below {}", name, above, below),
                           hint);
            }
          }};
}

gate::PairedTest read_paired(Reader& reader, const Node& node, const std::string& what) {
  using Mode = gate::PairedTest::Mode;
  gate::PairedTest paired;
  if (!reader.is_map(node, "paired")) return paired;
  Field margin = inside_field(reader, "margin", 0, std::numeric_limits<double>::infinity(), paired.margin,
                              "2 points are 0.02");
  margin.required = true;
  reader.fields(
      node, what,
      {margin,
       inside_field(reader, "alpha", 0, 0.5, paired.alpha, "the usual value is 0.05"),
       reader.choice_field<Mode>("mode", {{"lenient", Mode::lenient}, {"strict", Mode::strict}}, paired.mode),
       reader.choice_field<Of>("of",
                               {{"accuracy", Of::accuracy},
                                {"mean", Of::mean},
                                {"auc", Of::auc},
                                {"average_precision", Of::average_precision},
                                {"macro_f1", Of::macro_f1}},
                               paired.of),
       reader.text_field("column", paired.column),
       reader.text_field("positive", paired.positive),
       {"predictions", [&](const Node& n) { read_predictions(reader, n, paired.predictions); }}});
  check_columns(reader, node, paired);
  return paired;
}

std::vector<gate::SliceRule> read_slices(Reader& reader, const Node& node, const std::string& what) {
  std::vector<gate::SliceRule> out;
  if (node.kind != Node::Kind::sequence) {
    reader.wrong_type(node, "slices", "a list");
    return out;
  }
  if (node.items.size() > kMaxSlices)
    reader.error(node.span, fmt::format("more than {} rules for slices", kMaxSlices));
  for (const Node& item : node.items) out.push_back(read_slice(reader, item, what));
  return out;
}

}  // namespace pawl::pipeline
