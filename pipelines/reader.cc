#include "pipelines/reader.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <unordered_set>

#include "engine/base/text.h"
#include "pipelines/glob.h"

namespace pawl::pipeline {
namespace {

constexpr size_t kMaxDiagnostics = 50;
constexpr size_t kMaxRegex = 1000;

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "empty";
    case Node::Kind::sequence:
      return "a list";
    case Node::Kind::map:
      return "a map";
    case Node::Kind::scalar:
      break;
  }
  std::string shown = to_valid_utf8(node.text, 40);
  bool cut = shown.size() < node.text.size();
  return fmt::format("'{}{}'{}", shown, cut ? "..." : "", node.quoted ? " in quotes" : "");
}

// A number as JSON writes it.
bool is_number(std::string_view text) {
  static const RE2 form(R"(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)");
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), form);
}

bool is_integer(std::string_view text) {
  return is_number(text) && text.find_first_of(".eE") == std::string_view::npos;
}

// What is wrong with a text that a person would read as a number.
std::string number_hint(const Node& node) {
  if (node.kind != Node::Kind::scalar) return "";
  if (node.quoted && is_number(node.text)) return "remove the quotes";
  size_t digits = node.text.find_first_not_of("-0");
  bool zeros = digits != std::string::npos && digits > 0 && is_number(node.text.substr(digits));
  return zeros ? "no leading zeros: some tools would read it as octal" : "";
}

std::string alternatives(const std::vector<std::string>& words) {
  std::vector<std::string> head(words.begin(), words.end() - 1);
  return head.empty() ? words.back() : join(head, ", ") + " or " + words.back();
}

}  // namespace

bool is_word(const Node& node, std::string_view word) {
  return node.kind == Node::Kind::scalar && node.text == word;
}

bool is_name(std::string_view text) {
  auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  auto rest = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  return !text.empty() && text.size() <= 63 && letter(text[0]) && std::all_of(text.begin(), text.end(), rest);
}

Reader::Reader(const Source& source, std::vector<Diagnostic>& diagnostics)
    : source_(source), diagnostics_(diagnostics) {}

// Asked before a diagnostic is made: each carries its whole line, which may be all of the file.
bool Reader::is_full() {
  if (diagnostics_.size() == kMaxDiagnostics)
    diagnostics_.push_back(source_.error({}, "too many mistakes; the rest is not shown"));
  return diagnostics_.size() > kMaxDiagnostics;
}

void Reader::error(Span at, std::string message, std::string hint) {
  if (!is_full()) diagnostics_.push_back(source_.error(at, std::move(message), std::move(hint)));
}

void Reader::warning(Span at, std::string message, std::string hint) {
  // Unlike an error, one that is left out may leave no trace: warnings alone must not refuse the file.
  if (diagnostics_.size() < kMaxDiagnostics)
    diagnostics_.push_back(source_.warning(at, std::move(message), std::move(hint)));
}

void Reader::unknown(Span at, std::string_view kind, std::string_view word,
                     const std::vector<std::string>& candidates) {
  if (is_full()) return;
  std::string near = did_you_mean(word, candidates);
  std::string hint;
  if (!near.empty()) {
    hint = fmt::format("did you mean '{}'?", near);
  } else if (!candidates.empty() && candidates.size() <= 16) {
    hint = fmt::format("known: {}", join(candidates, ", "));
  }
  error(at, fmt::format("unknown {} '{}'", kind, to_valid_utf8(word, 80)), std::move(hint));
}

void Reader::wrong_type(const Node& node, std::string_view name, std::string_view wanted, std::string hint) {
  error(node.span, fmt::format("'{}' must be {}, not {}", name, wanted, describe(node)), std::move(hint));
}

bool Reader::is_map(const Node& node, std::string_view name) {
  if (node.kind == Node::Kind::map) return true;
  wrong_type(node, name, "a map");
  return false;
}

void Reader::fields(const Node& map, std::string_view what, const std::vector<Field>& table) {
  std::vector<std::string> names;
  for (const Field& field : table) names.emplace_back(field.name);
  std::unordered_set<std::string_view> seen;
  for (const Entry& entry : map.entries) {
    auto field =
        std::find_if(table.begin(), table.end(), [&](const Field& f) { return f.name == entry.key; });
    if (field == table.end()) {
      unknown(entry.key_span, fmt::format("key in {}:", what), entry.key, names);
      continue;
    }
    seen.insert(field->name);
    field->read(entry.value);
  }
  for (const Field& field : table) {
    if (field.required && !seen.contains(field.name))
      error(map.span, fmt::format("{} needs '{}'", what, field.name));
  }
}

std::optional<std::string> Reader::text(const Node& node, std::string_view name) {
  if (node.kind != Node::Kind::scalar) {
    wrong_type(node, name, "a text");
    return std::nullopt;
  }
  if (node.text.empty()) {
    error(node.span, fmt::format("'{}' must not be empty", name));
    return std::nullopt;
  }
  return node.text;
}

std::optional<int64_t> Reader::integer(const Node& node, std::string_view name, int64_t min, int64_t max) {
  if (node.kind != Node::Kind::scalar || node.quoted || !is_integer(node.text)) {
    wrong_type(node, name, "a whole number", number_hint(node));
    return std::nullopt;
  }
  auto value = parse_int(node.text);
  if (!value || *value < min || *value > max) {
    error(node.span, fmt::format("'{}' must be between {} and {}", name, min, max));
    return std::nullopt;
  }
  return *value;
}

std::optional<double> Reader::number(const Node& node, std::string_view name) {
  if (node.kind != Node::Kind::scalar || node.quoted || !is_number(node.text)) {
    wrong_type(node, name, "a number", number_hint(node));
    return std::nullopt;
  }
  auto value = parse_double(node.text);
  if (!value) {
    error(node.span, fmt::format("'{}' is out of range", name));
    return std::nullopt;
  }
  return *value;
}

std::optional<bool> Reader::boolean(const Node& node, std::string_view name) {
  if (node.kind == Node::Kind::scalar && !node.quoted) {
    if (node.text == "true") return true;
    if (node.text == "false") return false;
  }
  wrong_type(node, name, "true or false");
  return std::nullopt;
}

std::vector<Text> Reader::texts(const Node& node, std::string_view name) {
  std::vector<Text> out;
  auto add_text = [&](const Node& item) {
    if (auto value = text(item, name)) out.push_back({*std::move(value), item.span});
  };
  if (node.kind == Node::Kind::sequence) {
    for (const Node& item : node.items) add_text(item);
  } else if (node.kind == Node::Kind::scalar) {
    add_text(node);
  } else {
    wrong_type(node, name, "a list");
  }
  return out;
}

std::vector<Text> Reader::distinct(const Node& node, std::string_view name) {
  std::vector<Text> out;
  std::unordered_set<std::string> seen;
  for (Text& item : texts(node, name)) {
    if (seen.insert(item.value).second) {
      out.push_back(std::move(item));
    } else {
      error(item.span, fmt::format("'{}' is listed twice in '{}'", item.value, name));
    }
  }
  return out;
}

std::vector<std::string> Reader::globs(const Node& node, std::string_view name, bool may_negate) {
  std::vector<std::string> out;
  bool lets_in = false;
  for (Text& item : texts(node, name)) {
    std::string_view pattern = item.value;
    bool negated = pattern.starts_with('!');
    if (negated && may_negate) pattern.remove_prefix(1);
    if (negated && !may_negate)
      error(item.span, fmt::format("'{}' takes no patterns with '!'", name));
    else if (auto checked = check_glob(pattern); !checked)
      error(item.span, checked.error().message());
    lets_in |= !negated;
    out.push_back(std::move(item.value));
  }
  if (node.kind == Node::Kind::sequence && node.items.empty())
    error(node.span, fmt::format("'{}' is an empty list", name), "leave the key out to match everything");
  if (!out.empty() && !lets_in && may_negate)
    error(node.span, fmt::format("'{}' only takes out, so nothing matches", name), "put \"**\" first");
  return out;
}

std::optional<std::string> Reader::regex(const Node& node, std::string_view name) {
  auto pattern = text(node, name);
  if (!pattern) return std::nullopt;
  if (pattern->size() > kMaxRegex) {
    error(node.span, fmt::format("the regular expression of '{}' is longer than {} bytes", name, kMaxRegex));
    return std::nullopt;
  }
  if (pattern->find_first_of("\r\n") != std::string::npos) {
    error(node.span, fmt::format("the regular expression of '{}' must be one line", name));
    return std::nullopt;
  }
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  RE2 compiled(*pattern, options);
  if (compiled.ok()) return pattern;
  error(node.span, fmt::format("bad regular expression in '{}': {}", name, compiled.error()),
        "the syntax is RE2's: no look-around, no back-references");
  return std::nullopt;
}

std::optional<size_t> Reader::choice(const Node& node, std::string_view name,
                                     const std::vector<std::string>& words) {
  if (node.kind == Node::Kind::scalar) {
    auto found = std::find(words.begin(), words.end(), node.text);
    if (found != words.end()) return static_cast<size_t>(found - words.begin());
  }
  std::string near = node.kind == Node::Kind::scalar ? did_you_mean(node.text, words) : "";
  wrong_type(node, name, alternatives(words), near.empty() ? "" : fmt::format("did you mean '{}'?", near));
  return std::nullopt;
}

Field Reader::text_field(std::string_view name, std::string& out) {
  return {name, [this, name, &out](const Node& node) { out = text(node, name).value_or(out); }};
}

Field Reader::boolean_field(std::string_view name, bool& out) {
  return {name, [this, name, &out](const Node& node) { out = boolean(node, name).value_or(out); }};
}

Field Reader::globs_field(std::string_view name, bool may_negate, std::vector<std::string>& out) {
  return {name, [this, name, may_negate, &out](const Node& node) { out = globs(node, name, may_negate); }};
}

Field Reader::regex_field(std::string_view name, std::string& out) {
  return {name, [this, name, &out](const Node& node) { out = regex(node, name).value_or(out); }};
}

}  // namespace pawl::pipeline
