// What the tensor of a finding looked like around the step in which its rule fired.
#pragma once

#include <optional>
#include <string>

#include "engine/report/run_report.h"
#include "engine/store/results.h"

namespace pawl::core {

// From trace.db of the attempt's folder; nothing when the finding names no tensor or the trace is gone.
std::optional<report::TensorHistory> tensor_history(const std::string& attempt_dir,
                                                    const store::Finding& finding);

}  // namespace pawl::core
