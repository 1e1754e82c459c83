// From the segments that an ended attempt left to the steps they hold, as a supervisor that had all the time
// in the world would have seen them: a step waits for each of its ranks until that rank's segments are read,
// and none is late.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/error.h"
#include "engine/trace/collector.h"

namespace pawl::trace {

// Adds all steps below `trace_dir` and what could not be used (set_anomalies) to `collector`, and returns how
// many steps there were. Holds the steps in memory that some ranks have ended and others have not yet: the
// ranks are read side by side. Nobody may be writing there any more.
Result<uint64_t> replay_segments(const std::string& trace_dir, Collector& collector);

}  // namespace pawl::trace
