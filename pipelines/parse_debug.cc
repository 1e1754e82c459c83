#include <fmt/format.h>

#include <algorithm>

#include "engine/base/text.h"
#include "pipelines/glob.h"
#include "pipelines/sections.h"

namespace pawl::pipeline {
namespace {

constexpr int64_t kMaxEvery = 1'000'000;
constexpr std::string_view kRankWord = "$RANK";
constexpr int64_t kMaxStep = 1'000'000'000'000;

const std::vector<std::string>& collection_names() {
  static const std::vector<std::string> names(std::begin(kCollections), std::end(kCollections));
  return names;
}

bool check_collection(Reader& reader, Span at, const std::string& name) {
  const auto& known = collection_names();
  if (std::ranges::find(known, name) != known.end()) return true;
  reader.unknown(at, "collection", name, known);
  return false;
}

// One number or a list of different ones.
std::vector<int64_t> read_numbers(Reader& reader, const Node& node, std::string_view name, int64_t max) {
  std::vector<int64_t> out;
  const bool list = node.kind == Node::Kind::sequence;
  if (list && node.items.empty()) reader.error(node.span, fmt::format("'{}' is an empty list", name));
  const size_t count = list ? node.items.size() : 1;
  for (size_t i = 0; i < count; ++i) {
    const Node& item = list ? node.items[i] : node;
    const auto number = reader.integer(item, name, 0, max);
    if (!number) continue;
    if (std::ranges::find(out, *number) != out.end())
      reader.error(item.span, fmt::format("'{}' is given twice", *number));
    out.push_back(*number);
  }
  return out;
}

std::vector<int> read_ranks(Reader& reader, const Node& node, int world_size) {
  if (is_word(node, "all")) return {};
  if (is_word(node, "chief")) return {0};
  const bool word =
      node.kind == Node::Kind::scalar && node.text.find_first_not_of("0123456789") != node.text.npos;
  if (word || node.kind == Node::Kind::map) {
    reader.wrong_type(node, "ranks", "a rank, a list of ranks, 'all' or 'chief'");
    return {};
  }
  std::vector<int> out;
  for (int64_t rank : read_numbers(reader, node, "ranks", world_size - 1))
    out.push_back(static_cast<int>(rank));
  return out;
}

// A number of bytes, or text with a unit.
std::optional<int64_t> read_size(Reader& reader, const Node& node, std::string_view name, int64_t min,
                                 int64_t max = INT64_MAX) {
  const auto text = reader.text(node, name);
  if (!text) return std::nullopt;
  auto bytes = parse_bytes(*text);
  if (!bytes.ok()) {
    reader.error(node.span, bytes.error().message());
  } else if (*bytes < min) {
    reader.error(node.span, fmt::format("'{}' must be at least {}", name, min));
  } else if (*bytes > max) {
    reader.error(node.span, fmt::format("'{}' must be at most {} ({})", name, max,
                                        format_bytes(static_cast<uint64_t>(max))));
  } else {
    return *bytes;
  }
  return std::nullopt;
}

std::optional<Modes> read_modes(Reader& reader, const Node& node) {
  std::vector<std::string> words;
  for (const Text& word : reader.distinct(node, "modes")) words.push_back(word.value);
  if (words.empty()) return std::nullopt;
  const auto modes = parse_modes(join(words, ","));
  if (!modes) reader.error(node.span, "'modes' are 'train', 'eval' or both: [train, eval]");
  return modes;
}

// "1%", or a share: 0.01.
std::optional<double> read_budget(Reader& reader, const Node& node) {
  const auto text = reader.text(node, "budget");
  if (!text) return std::nullopt;
  const bool percent = text->ends_with('%');
  const auto number = parse_double(percent ? text->substr(0, text->size() - 1) : *text);
  const double share = number.ok() ? *number / (percent ? 100 : 1) : 0;
  if (share > 0 && share <= 1) return share;
  reader.error(node.span, "'budget' must be a share of the time of the training, above 0 and at most 100 %",
               "write 1% or 0.01");
  return std::nullopt;
}

std::vector<Field> rule_fields(Reader& reader, int world_size, CaptureRule& rule) {
  return {reader.integer_field("every", 1, kMaxEvery, rule.every),
          reader.integer_field("from", 0, kMaxStep, rule.from),
          {"to", [&](const Node& n) { rule.to = reader.integer(n, "to", 1, kMaxStep); }},
          {"at", [&](const Node& n) { rule.at = read_numbers(reader, n, "at", kMaxStep); }},
          {"ranks", [&, world_size](const Node& n) { rule.ranks = read_ranks(reader, n, world_size); }},
          {"modes", [&](const Node& n) { rule.modes = read_modes(reader, n); }},
          {"max_size", [&](const Node& n) { rule.max_size = read_size(reader, n, "max_size", 1); }},
          {"raw", [&](const Node& n) { rule.raw = read_size(reader, n, "raw", 0, kMaxRaw).value_or(0); }},
          {"histogram",
           [&](const Node& n) { rule.fine = reader.choice(n, "histogram", {"coarse", "fine"}) == 1; }},
          reader.regex_field("include", rule.include)};
}

// `inherited`: what held before the node was read, and was complained about.
void check_steps(Reader& reader, const Node& node, const CaptureRule& rule, const CaptureRule& inherited) {
  const bool said = rule.from == inherited.from && rule.to == inherited.to;
  if (!said && rule.to && *rule.to <= rule.from)
    reader.error(node.span, fmt::format("no step is from {} to before {}", rule.from, *rule.to));
}

// What a collection is recorded by when nothing is said of it alone. Losses and scalars are single numbers:
// the settings of all are for tensors.
CaptureRule rule_of(const std::string& collection, const CaptureRule& all) {
  CaptureRule rule = is_tensor_collection(collection) ? all : CaptureRule{};
  if (!is_tensor_collection(collection)) rule.every = 1;
  rule.collection = collection;
  return rule;
}

void read_collection_map(Reader& reader, const Node& node, int world_size, const CaptureRule& all,
                         Capture& capture) {
  for (const Entry& entry : node.entries) {
    if (!check_collection(reader, entry.key_span, entry.key)) continue;
    if (is_word(entry.value, "off")) continue;
    CaptureRule rule = rule_of(entry.key, all);
    if (entry.value.kind != Node::Kind::null) {
      const std::string what = fmt::format("collections.{}", entry.key);
      if (entry.value.kind != Node::Kind::map) {
        reader.wrong_type(entry.value, what, "a map or 'off'");
        continue;
      }
      reader.fields(entry.value, what, rule_fields(reader, world_size, rule));
      check_steps(reader, entry.value, rule, all);
    }
    capture.rules.push_back(std::move(rule));
  }
}

void read_collections(Reader& reader, const Node& node, int world_size, const CaptureRule& all,
                      Capture& capture) {
  if (node.kind == Node::Kind::map) {
    read_collection_map(reader, node, world_size, all, capture);
  } else {
    for (const Text& item : reader.distinct(node, "collections")) {
      if (check_collection(reader, item.span, item.value)) capture.rules.push_back(rule_of(item.value, all));
    }
  }
  const bool empty = node.kind == Node::Kind::map ? node.entries.empty() : node.items.empty();
  if (node.kind != Node::Kind::scalar && empty)
    reader.error(node.span, "'collections' is empty", "write 'debug: off' to capture nothing");
}

std::string read_event_files(Reader& reader, const Node& node) {
  const std::string pattern = reader.text(node, "event_files").value_or("");
  if (pattern.empty()) return {};
  if (auto checked = check_glob(pattern); !checked)
    reader.error(node.span, checked.error().message(), "a folder of the checkout: runs, logs/*");
  const size_t at = pattern.find(kRankWord);
  if (at == std::string::npos) return pattern;
  // The files of a rank must not be those of another: `1*` also begins the name of what rank 10 writes.
  const char before = at > 0 ? pattern[at - 1] : '/';
  const char behind = at + kRankWord.size() < pattern.size() ? pattern[at + kRankWord.size()] : '/';
  const auto is_open = [](char c) { return c == '*' || c == '?'; };
  if (is_open(before) || is_open(behind) || (behind >= '0' && behind <= '9')) {
    reader.error(node.span,
                 "no '*' or '?' beside '$RANK', and no digit behind it: rank 1 would have files of rank 10",
                 "logs/rank-$RANK, logs/*/$RANK");
  }
  return pattern;
}

}  // namespace

Capture read_debug(Reader& reader, const Node& node, int world_size, std::string& event_files) {
  if (is_word(node, "off")) return Capture::none();
  if (node.kind != Node::Kind::map) {
    reader.wrong_type(node, "debug", "a map or 'off'");
    return Capture::standard();
  }
  CaptureRule all;
  const Node* collections = nullptr;
  std::vector<Field> fields = rule_fields(reader, world_size, all);
  fields.push_back({"collections", [&](const Node& n) { collections = &n; }});
  Capture capture;
  fields.push_back({"budget", [&](const Node& n) { capture.budget = read_budget(reader, n); }});
  fields.push_back({"event_files", [&](const Node& n) { event_files = read_event_files(reader, n); }});
  reader.fields(node, "debug", fields);
  check_steps(reader, node, all, {});
  if (collections != nullptr) {
    read_collections(reader, *collections, world_size, all, capture);
  } else {
    for (const CaptureRule& rule : Capture::standard().rules)
      capture.rules.push_back(rule_of(rule.collection, all));
  }
  if (capture_request(capture).size() > kMaxCaptureRequest)
    reader.error(node.span,
                 fmt::format("'debug' asks for more than fits into {}", format_bytes(kMaxCaptureRequest)),
                 "fewer steps in 'at': 'every', 'from' and 'to' may say the same");
  return capture;
}

}  // namespace pawl::pipeline
