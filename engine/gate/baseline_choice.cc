#include "engine/gate/baseline_choice.h"

#include <algorithm>
#include <tuple>

namespace pawl::gate {
namespace {

std::optional<std::size_t> best_run(const MetricRule& rule, const Evidence& candidate,
                                    std::span<const GreenRun> past) {
  std::optional<std::size_t> best;
  double best_value = 0;
  for (std::size_t i = 0; i < past.size(); ++i) {
    const auto value = comparable_value(rule, candidate, past[i]);
    if (!value) continue;
    const bool worse = rule.direction == Direction::higher ? *value < best_value : *value > best_value;
    if (best && worse) continue;
    best = i;
    best_value = *value;
  }
  return best;
}

std::optional<double> median_of(const MetricRule& rule, const Evidence& candidate,
                                std::span<const GreenRun> runs) {
  std::vector<double> values;
  for (const GreenRun& run : runs) {
    if (const auto value = comparable_value(rule, candidate, run)) values.push_back(*value);
  }
  if (values.empty()) return std::nullopt;
  return median(std::move(values));
}

}  // namespace

bool needs_baseline(const Policy& policy) {
  const bool asks = std::any_of(policy.conditions.begin(), policy.conditions.end(),
                                [](const ConditionRule& rule) { return compares(rule.condition); });
  return asks || std::any_of(policy.metrics.begin(), policy.metrics.end(), [&](const MetricRule& rule) {
           return rule.max_drop || rule.paired || rule.seeds || policy.sustained ||
                  std::any_of(rule.slices.begin(), rule.slices.end(),
                              [](const SliceRule& slices) { return slices.max_drop || slices.margin; });
         });
}

std::vector<GreenRun> in_commit_order(std::vector<GreenRun> runs, std::span<const PastCommit> nearest_first) {
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < nearest_first.size(); ++i) places.emplace(nearest_first[i].commit, i);
  std::erase_if(runs, [&](const GreenRun& run) { return !places.contains(run.commit); });
  for (GreenRun& run : runs) run.distance = nearest_first[places.at(run.commit)].distance;
  std::sort(runs.begin(), runs.end(), [&](const GreenRun& a, const GreenRun& b) {
    return std::tuple(places.at(b.commit), a.id) < std::tuple(places.at(a.commit), b.id);
  });
  return runs;
}

std::optional<BaselineChoice> choose_baseline(const Policy& policy, const Evidence& candidate,
                                              std::span<const GreenRun> past) {
  if (past.empty()) return std::nullopt;
  BaselineChoice choice;
  choice.run = past.size() - 1;
  for (const MetricRule& rule : policy.metrics) {
    if (policy.baseline.kind == BaselineRule::Kind::best) {
      if (const auto best = best_run(rule, candidate, past)) choice.best[rule.metric] = *best;
    } else if (policy.baseline.kind == BaselineRule::Kind::rolling) {
      const std::size_t runs = std::min(past.size(), static_cast<std::size_t>(policy.baseline.runs));
      if (const auto middle = median_of(rule, candidate, past.last(runs)))
        choice.medians[rule.metric] = *middle;
    }
  }
  return choice;
}

}  // namespace pawl::gate
