// Metrics of a run as people are shown them.
#pragma once

#include <vector>

#include "engine/store/results.h"

namespace pawl::core {

// The rows of a stage that was run with several seeds become one row of that stage for each metric, with the
// mean over the seeds that have it; NaN stays NaN. Others are left as they are. Order is kept.
std::vector<store::Metric> with_seed_means(const std::vector<store::Metric>& metrics);

}  // namespace pawl::core
