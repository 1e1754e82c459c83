#include "engine/gate/sustained.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/gate/paired_reason.h"
#include "engine/gate/wording.h"

namespace pawl::gate {

std::optional<SustainedBest> best_sustained(std::span<const double> values, std::size_t window,
                                            Direction direction) {
  std::optional<SustainedBest> best;
  for (std::size_t first = 0; first + window <= values.size(); ++first) {
    const auto part = values.subspan(first, window);
    const double level = median({part.begin(), part.end()});
    const bool worse = best && (direction == Direction::higher ? level < best->value : level > best->value);
    if (!worse) best = SustainedBest{level, first, first + window - 1};
  }
  return best;
}

void judge_sustained(const SustainedRule& rule, const MetricRule& metric, const Inputs& inputs,
                     std::vector<Reason>& out) {
  const Metric* now = find_metric(inputs.evidence.metrics, metric.metric);
  if (now == nullptr || !std::isfinite(now->value)) return;  // the metric's own reason says so
  std::vector<double> values;
  std::vector<std::int64_t> numbers;
  for (const GreenRun& run : inputs.past) {
    if (const auto value = comparable_value(metric, inputs.evidence, run)) {
      values.push_back(*value);
      numbers.push_back(run.number);
    }
  }
  const auto best = best_sustained(values, static_cast<std::size_t>(rule.window), metric.direction);
  if (!best) {
    out.push_back(plain_reason(
        Check::sustained, Status::pass, metric.metric,
        fmt::format("{} has no sustained best yet: it takes {} comparable green runs, there are {}",
                    metric.metric, rule.window, values.size())));
    out.back().value = now->value;
    return;
  }
  const Drop drop = drop_of(metric.direction, now->value, best->value, rule.max_drop, false);
  const auto [value, limit] = format_numbers(now->value, drop.limit);
  out.push_back(plain_reason(
      Check::sustained, drop.holds ? Status::pass : Status::fail, metric.metric,
      fmt::format("{} is {} (limit {}), sustained best {} over runs {} to {}", metric.metric, value, limit,
                  format_number(best->value), numbers[best->first], numbers[best->last])));
  Reason& reason = out.back();
  reason.value = now->value;
  reason.baseline = best->value;
  reason.limit = drop.limit;
}

}  // namespace pawl::gate
