// Waiting for a run that the daemon drives.
#pragma once

#include <string>

#include "engine/cli/record.h"

namespace pawl::cli {

// Until the run has ended, with its findings and, unless `quiet`, a progress line. Waits a minute for a
// daemon that has gone; error unavailable when none comes back.
Result<void> follow_run(Record& record, const std::string& run_id, bool quiet);

}  // namespace pawl::cli
