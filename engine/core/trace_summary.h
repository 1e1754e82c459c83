// What the record keeps of a trace after the trace itself is pruned: counts, and the curves of losses,
// scalars and throughput.
#pragma once

#include <string>

#include "engine/core/harvest.h"
#include "engine/store/runs.h"

namespace pawl::core {

// Reads trace.db of the attempt's folder into `harvest`; without one nothing is added.
void summarise_trace(const std::string& attempt_dir, const store::Attempt& attempt, Harvest& harvest);

}  // namespace pawl::core
