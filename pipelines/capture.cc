#include "pipelines/capture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "engine/base/text.h"

namespace pawl::pipeline {
namespace {

constexpr std::string_view kOff = "off", kFine = "fine", kBudget = "budget share=";

bool names(const CaptureRule& rule, int rank) {
  return rule.ranks.empty() || std::ranges::find(rule.ranks, rank) != rule.ranks.end();
}

std::string rule_text(const CaptureRule& rule) {
  std::string out = rule.collection;
  out += fmt::format(" every={}", rule.every);
  if (rule.off) out += " off";
  if (rule.from != 0) out += fmt::format(" from={}", rule.from);
  if (rule.to) out += fmt::format(" to={}", *rule.to);
  if (!rule.at.empty()) out += fmt::format(" at={}", fmt::join(rule.at, ","));
  if (!rule.ranks.empty()) out += fmt::format(" ranks={}", fmt::join(rule.ranks, ","));
  if (rule.modes) out += fmt::format(" modes={}", to_string(*rule.modes));
  if (rule.max_size) out += fmt::format(" max_size={}", *rule.max_size);
  if (rule.raw != 0) out += fmt::format(" raw={}", rule.raw);
  if (rule.fine) out += " fine";
  if (!rule.include.empty()) out += " include=" + rule.include;
  return out;
}

template <class Integer>
bool parse_number(std::string_view text, Integer min, Integer& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= min;
}

template <class Integer>
bool parse_numbers(std::string_view text, std::vector<Integer>& out) {
  for (std::string_view item : split(text, ',')) {
    Integer value{};
    if (!parse_number(item, Integer{0}, value)) return false;
    out.push_back(value);
  }
  return true;
}

bool read_word(std::string_view word, CaptureRule& rule) {
  if (word == kOff) return rule.off = true;
  if (word == kFine) return rule.fine = true;
  const size_t equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view key = word.substr(0, equals), value = word.substr(equals + 1);
  if (key == "every") return parse_number(value, int64_t{1}, rule.every);
  if (key == "from") return parse_number(value, int64_t{0}, rule.from);
  if (key == "to") return parse_number(value, int64_t{0}, rule.to.emplace());
  if (key == "at") return parse_numbers(value, rule.at);
  if (key == "ranks") return parse_numbers(value, rule.ranks);
  if (key == "modes") return (rule.modes = parse_modes(value)).has_value();
  if (key == "max_size") return parse_number(value, int64_t{1}, rule.max_size.emplace());
  if (key == "raw") return parse_number(value, int64_t{0}, rule.raw);
  return false;
}

Result<CaptureRule> parse_rule(std::string_view line) {
  CaptureRule rule;
  // `include` takes the rest of the line: a regular expression may hold spaces.
  std::string_view head = line;
  if (const size_t include = line.find(" include="); include != std::string_view::npos) {
    head = line.substr(0, include);
    rule.include = line.substr(include + std::string_view(" include=").size());
  }
  bool first = true;
  for (std::string_view word : split(head, ' ')) {
    if (word.empty()) continue;
    if (std::exchange(first, false)) {
      rule.collection = word;
    } else if (!read_word(word, rule)) {
      return Error(ErrorCode::invalid, fmt::format("'{}' means nothing in a capture request", word),
                   std::string(line));
    }
  }
  if (std::ranges::find(kCollections, rule.collection) == std::end(kCollections))
    return Error(ErrorCode::invalid, fmt::format("there is no collection '{}'", rule.collection),
                 std::string(line));
  return rule;
}

Result<double> parse_budget(std::string_view line) {
  const std::string_view text = line.substr(kBudget.size());
  double share = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (error == std::errc() && end == text.data() + text.size() && share > 0 && share <= 1) return share;
  return Error(ErrorCode::invalid, "a budget is a share of the time, above 0 and at most 1",
               std::string(line));
}

void apply(const CaptureChange& change, CaptureRule& rule) {
  // Who asks for steps or tensors of a collection wants it recorded.
  rule.off = change.off.value_or(false);
  if (change.every) rule.every = *change.every;
  if (change.from) rule.from = *change.from;
  if (change.to) rule.to = *change.to;
  if (change.at) rule.at = *change.at;
  if (change.modes) rule.modes = *change.modes;
  if (change.max_size) rule.max_size = *change.max_size;
  if (change.raw) rule.raw = *change.raw;
  if (change.fine) rule.fine = *change.fine;
  if (change.include) rule.include = *change.include;
}

CaptureRule basis(const Capture& capture, const std::string& collection, int rank) {
  if (const CaptureRule* known = capture.rule_for(collection, rank)) return *known;
  CaptureRule rule;
  rule.collection = collection;
  if (!is_tensor_collection(collection)) rule.every = 1;
  return rule;
}

}  // namespace

Capture Capture::standard() {
  Capture capture;
  for (std::string_view collection : {"losses", "scalars", "weights", "biases", "gradients"})
    capture.rules.push_back(basis(capture, std::string(collection), 0));
  return capture;
}

Capture Capture::none() {
  Capture capture;
  capture.enabled = false;
  return capture;
}

bool Capture::records(std::string_view collection) const {
  return enabled && std::ranges::any_of(rules, [&](const CaptureRule& rule) {
           return rule.collection == collection && !rule.off && rule.modes != Modes::eval;
         });
}

const CaptureRule* Capture::rule_for(std::string_view collection, int rank) const {
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
    if (rule->collection == collection && names(*rule, rank)) return &*rule;
  }
  return nullptr;
}

std::string_view to_string(Modes modes) {
  switch (modes) {
    case Modes::train:
      return "train";
    case Modes::eval:
      return "eval";
    case Modes::both:
      return "train,eval";
  }
  return "";
}

std::optional<Modes> parse_modes(std::string_view text) {
  for (Modes modes : {Modes::train, Modes::eval, Modes::both}) {
    if (text == to_string(modes)) return modes;
  }
  return text == "eval,train" ? std::optional(Modes::both) : std::nullopt;
}

bool is_tensor_collection(std::string_view collection) {
  return collection != "losses" && collection != "scalars";
}

std::string capture_request(const Capture& capture) {
  if (!capture.enabled) return std::string(kOff);
  std::vector<std::string> lines;
  if (capture.budget) lines.push_back(fmt::format("{}{}", kBudget, *capture.budget));
  for (const CaptureRule& rule : capture.rules) lines.push_back(rule_text(rule));
  return join(lines, "\n");
}

Result<Capture> parse_capture_request(std::string_view text) {
  if (trim(text) == kOff) return Capture::none();
  Capture capture;
  for (std::string_view line : split(text, '\n')) {
    if (trim(line).empty()) continue;
    if (line.starts_with(kBudget)) {
      PAWL_ASSIGN(capture.budget, parse_budget(line));
      continue;
    }
    PAWL_ASSIGN(CaptureRule rule, parse_rule(line));
    capture.rules.push_back(std::move(rule));
  }
  return capture;
}

Capture changed(Capture capture, const CaptureChange& change) {
  std::vector<CaptureRule> added;
  if (change.ranks.empty()) {
    CaptureRule rule = basis(capture, change.collection, 0);
    apply(change, rule);
    rule.ranks.clear();
    added.push_back(std::move(rule));
    std::erase_if(capture.rules, [&](const CaptureRule& r) { return r.collection == change.collection; });
  }
  for (int rank : change.ranks) {
    CaptureRule rule = basis(capture, change.collection, rank);
    apply(change, rule);
    rule.ranks = {rank};
    added.push_back(std::move(rule));
    for (CaptureRule& r : capture.rules) {
      if (r.collection != change.collection || r.ranks.empty()) continue;
      std::erase(r.ranks, rank);
      if (r.ranks.empty()) r.collection.clear();  // it named nobody else
    }
    std::erase_if(capture.rules, [](const CaptureRule& r) { return r.collection.empty(); });
  }
  std::ranges::move(added, std::back_inserter(capture.rules));
  return capture;
}

}  // namespace pawl::pipeline
