// One gated metric of a run whose stages all succeeded: the part of judge() that compares numbers.
#pragma once

#include <string_view>
#include <vector>

#include "engine/gate/metric_context.h"

namespace pawl::gate {

inline constexpr std::string_view kMetricsFile = "metrics.json";

// Adds at least one reason, in the order of the checks in verdict.h.
void judge_metric(const MetricContext& context, std::vector<Reason>& out);

// The commands that help against NO_BASELINE: when there is nothing to compare with (nullptr), or only
// `baseline`, with which the run cannot be compared.
std::string_view advice_without_baseline(const Inputs& inputs, const Baseline* baseline);

// What the policy asks of the prediction file of that name.
WantedColumns wanted_columns(const Policy& policy, std::string_view file);

}  // namespace pawl::gate
