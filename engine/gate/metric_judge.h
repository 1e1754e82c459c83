// One gated metric of a run whose stages all succeeded: the part of judge() that compares numbers.
#pragma once

#include <string_view>
#include <vector>

#include "engine/gate/verdict.h"

namespace pawl::gate {

inline constexpr std::string_view kMetricsFile = "metrics.json";

// Adds at least one reason, in the order of the checks in verdict.h.
void judge_metric(const Policy& policy, const MetricRule& rule, const Inputs& inputs,
                  std::vector<Reason>& out);

// What the policy's metrics ask of the prediction file of that name.
WantedColumns wanted_columns(const Policy& policy, std::string_view file);

}  // namespace pawl::gate
