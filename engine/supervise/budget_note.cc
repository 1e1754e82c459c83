#include "engine/supervise/budget_note.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

#include "engine/base/text.h"
#include "pipelines/capture.h"

namespace pawl::supervise {
namespace {

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// The value of `key=value` among the words; nothing without it.
std::optional<std::string_view> value_of(const std::vector<std::string_view>& words, std::string_view key) {
  for (std::string_view word : words) {
    if (word.starts_with(key) && word.size() > key.size() && word[key.size()] == '=')
      return word.substr(key.size() + 1);
  }
  return std::nullopt;
}

bool is_for(const std::vector<std::string_view>& words, uint32_t rank) {
  const auto ranks = value_of(words, "ranks");
  if (!ranks) return true;
  const std::vector<std::string_view> named = split(*ranks, ',');
  return std::find(named.begin(), named.end(), std::to_string(rank)) != named.end();
}

// What one rank makes of a request: the interval of each collection, and the share of the budget line.
struct Reading {
  std::map<std::string, int64_t, std::less<>> every;
  std::string_view share;
};

Reading read(std::string_view request, uint32_t rank) {
  Reading out;
  for (std::string_view line : split(request, '\n')) {
    const std::vector<std::string_view> words = split(line.substr(0, line.find(" include=")), ' ');
    if (words.front() == "budget") out.share = value_of(words, "share").value_or("");
    const bool known = std::find(std::begin(pipeline::kCollections), std::end(pipeline::kCollections),
                                 words.front()) != std::end(pipeline::kCollections);
    if (!known || !is_for(words, rank)) continue;
    const auto every = number_in<int64_t>(value_of(words, "every").value_or("10"));
    if (every) out.every[std::string(words.front())] = *every;
  }
  return out;
}

}  // namespace

void BudgetNote::add(const trace::Step& step) {
  for (const trace::RequestChange& change : step.requests) {
    Rank& rank = ranks_[change.rank];
    if (!change.request.own_decision) {
      rank = {change.request.text, {}, {}};
      continue;
    }
    const Reading asked = read(rank.asked.value_or(asked_), change.rank);
    const Reading now = read(change.request.text, change.rank);
    rank.share = now.share;
    std::map<std::string, Stretched> stretched;
    for (const auto& [collection, every] : now.every) {
      const auto before = asked.every.find(collection);
      if (before == asked.every.end() || before->second == every) continue;
      const auto known = rank.stretched.find(collection);
      const bool same = known != rank.stretched.end() && known->second.every == every;
      stretched[collection] = same ? known->second : Stretched{before->second, every, step.step};
    }
    rank.stretched = std::move(stretched);
  }
}

std::optional<std::string> BudgetNote::text() const {
  const auto deciding = [](const auto& entry) { return !entry.second.stretched.empty(); };
  const auto found = std::find_if(ranks_.begin(), ranks_.end(), deciding);
  if (found == ranks_.end()) return std::nullopt;
  const auto others = std::count_if(ranks_.begin(), ranks_.end(), deciding) - 1;
  std::vector<std::string> parts;
  for (const auto& [collection, it] : found->second.stretched) {
    parts.push_back(
        fmt::format("{} every {} steps since step {} (asked: {})", collection, it.every, it.since, it.asked));
  }
  const auto share = number_in<double>(found->second.share);
  return fmt::format(
      "to stay within the budget{} the hook records {}{}",
      share ? fmt::format(" of {:g} %", *share * 100) : "", join(parts, ", "),
      others > 0 ? fmt::format(" on rank {}; {} more decided for themselves", found->first, others) : "");
}

}  // namespace pawl::supervise
