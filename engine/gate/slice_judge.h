// The slices of one gated metric: each held to its own rule, and the worst of all others told.
#pragma once

#include <vector>

#include "engine/gate/verdict.h"

namespace pawl::gate {

// Adds a reason for every check of every slice that a rule asks for, and one that names the worst slices
// found by themselves when the metric has a paired test and slices got significantly worse.
void judge_slices(const Policy& policy, const MetricRule& rule, const Inputs& inputs,
                  std::vector<Reason>& out);

}  // namespace pawl::gate
