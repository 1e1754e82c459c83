// The slices of one gated metric: each held to its own rule, and the worst of all others told.
#pragma once

#include <vector>

#include "engine/gate/metric_context.h"

namespace pawl::gate {

// Adds a reason for every check of every slice that a rule asks for, and one that names the worst slices
// found by themselves when the metric has a paired test and slices got significantly worse.
void judge_slices(const MetricContext& context, std::vector<Reason>& out);

}  // namespace pawl::gate
