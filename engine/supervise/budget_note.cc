#include "engine/supervise/budget_note.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "engine/base/text.h"
#include "pipelines/capture.h"

namespace pawl::supervise {

void BudgetNote::add(const trace::Step& step) {
  for (const trace::RequestChange& change : step.requests) {
    Rank& rank = ranks_[change.rank];
    if (!change.request.own_decision) {
      rank = {change.request.text, {}, {}};
      continue;
    }
    const auto asked = pipeline::parse_capture_request(rank.asked.value_or(asked_));
    const auto now = pipeline::parse_capture_request(change.request.text);
    if (!asked.ok() || !now.ok()) continue;
    rank.share = now->budget;
    std::map<std::string, Stretched> stretched;
    for (std::string_view name : pipeline::kCollections) {
      const std::string collection(name);
      const auto* before = asked->rule_for(collection, static_cast<int>(change.rank));
      const auto* rule = now->rule_for(collection, static_cast<int>(change.rank));
      if (before == nullptr || rule == nullptr || before->every == rule->every) continue;
      const auto known = rank.stretched.find(collection);
      const bool same = known != rank.stretched.end() && known->second.every == rule->every;
      stretched[collection] = same ? known->second : Stretched{before->every, rule->every, step.step};
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
  const auto share = found->second.share;
  return fmt::format(
      "to stay within the budget{} the hook records {}{}",
      share ? fmt::format(" of {:g} %", *share * 100) : "", join(parts, ", "),
      others > 0 ? fmt::format(" on rank {}; {} more decided for themselves", found->first, others) : "");
}

}  // namespace pawl::supervise
