#include "engine/gate/comparability.h"

#include <fmt/format.h>

#include "engine/gate/active_labels.h"
#include "engine/gate/condition.h"
#include "engine/gate/wording.h"

namespace pawl::gate {
namespace {

std::string other_evaluator(const Evidence& now, const Evidence& then) {
  const bool known = !now.evaluator.empty() && !then.evaluator.empty();
  return known && now.evaluator != then.evaluator ? "the evaluator, or data that it reads, is another than"
                                                  : "";
}

std::string other_count(const std::string& name, const Evidence& now, const Evidence& then) {
  const Metric* metric = find_metric(now.metrics, name);
  const Metric* before = find_metric(then.metrics, name);
  if (metric == nullptr || before == nullptr || !metric->n || !before->n || *metric->n == *before->n)
    return {};
  return fmt::format("test set changed: {} examples, were {}", *metric->n, *before->n);
}

std::string other_examples(const std::string& file, const Evidence& now, const Evidence& then) {
  const auto mine = now.vectors.find(file);
  const auto theirs = then.vectors.find(file);
  if (mine == now.vectors.end() || theirs == then.vectors.end()) return {};
  const auto counts = compare(mine->second, theirs->second);
  return !counts && counts.error().code() == ErrorCode::conflict ? counts.error().message() : "";
}

// Of a test set that is known by its ids.
std::string other_labels(const std::string& file, const Evidence& now, const Evidence& then) {
  const auto mine = now.vectors.find(file);
  const auto theirs = then.vectors.find(file);
  if (mine == now.vectors.end() || theirs == then.vectors.end()) return {};
  const std::int64_t changed = changed_labels(mine->second, theirs->second);
  return changed == 0
             ? std::string()
             : fmt::format("test set changed: {} of {} examples have another label", changed, mine->second.n);
}

bool compares_with_baseline(const MetricRule& rule) {
  if (rule.max_drop || rule.paired || rule.seeds) return true;
  for (const SliceRule& slices : rule.slices) {
    if (slices.max_drop || slices.margin) return true;
  }
  return false;
}

}  // namespace

std::string why_incomparable(const MetricRule& rule, const Evidence& now, const Evidence& then) {
  std::string why = other_count(rule.metric, now, then);
  if (why.empty()) why = other_examples(rule.paired.value_or(PairedTest()).predictions, now, then);
  if (why.empty()) why = other_evaluator(now, then);
  return why;
}

std::string why_incomparable(const ConditionRule& rule, const Evidence& now, const Evidence& then) {
  std::string why = other_examples(rule.predictions, now, then);
  if (why.empty()) why = other_labels(rule.predictions, now, then);
  if (why.empty()) why = other_evaluator(now, then);
  return why;
}

std::string in_baseline(std::string_view why, const Baseline& baseline) {
  return fmt::format("{} in {}{}{}", why, describe(baseline.run), baseline.not_rescored.empty() ? "" : "; ",
                     baseline.not_rescored);
}

std::string why_incomparable(const Policy& policy, const Evidence& now, const Evidence& then) {
  for (const MetricRule& rule : policy.metrics) {
    if (!compares_with_baseline(rule)) continue;
    if (std::string why = why_incomparable(rule, now, then); !why.empty()) return why;
  }
  for (const ConditionRule& rule : policy.conditions) {
    if (!compares(rule.condition)) continue;
    if (std::string why = why_incomparable(rule, now, then); !why.empty()) return why;
  }
  return {};
}

}  // namespace pawl::gate
