// Which attempt the trace commands mean.
#pragma once

#include <functional>
#include <string>

#include "engine/base/error.h"
#include "engine/cli/record.h"

namespace pawl::cli {

// The last attempt of the run (of `stage`, if that is not empty) of which `has_trace` holds. Error not_found:
// it is the run or the stage that has none.
Result<AttemptPlace> find_traced_attempt(Record& record, const store::Run& run, const std::string& stage,
                                         const std::function<bool(const AttemptPlace&)>& has_trace);

}  // namespace pawl::cli
