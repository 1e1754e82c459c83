#include "engine/gate/green_run.h"

#include <algorithm>
#include <cmath>

#include "engine/gate/paired_reason.h"
#include "engine/gate/verdict.h"

namespace pawl::gate {

std::optional<double> comparable_value(const MetricRule& rule, const Evidence& candidate,
                                       const GreenRun& run) {
  const Metric* then = find_metric(run.metrics, rule.metric);
  if (then == nullptr || !std::isfinite(then->value)) return std::nullopt;
  const Metric* now = find_metric(candidate.metrics, rule.metric);
  if (now != nullptr && now->n && then->n && *now->n != *then->n) return std::nullopt;
  const std::string file = rule.paired ? rule.paired->predictions : PairedTest().predictions;
  const EvaluationVector* vector = find_vector(candidate, file);
  const auto testset = run.testsets.find(file);
  if (vector != nullptr && testset != run.testsets.end() && vector->testset != testset->second)
    return std::nullopt;
  return then->value;
}

double median(std::vector<double> values) {
  PAWL_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace pawl::gate
