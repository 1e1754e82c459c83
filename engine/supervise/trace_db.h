// The trace.db of an attempt: how it begins, and how it is made anew from the segments when it was lost.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/error.h"
#include "engine/supervise/intent.h"
#include "engine/trace/collector.h"

namespace pawl::supervise {

// An empty trace.db at `path` that says whose it is.
Result<trace::Collector> create_trace_db(const std::string& path, const Intent& intent);

// Replaces <attempt_dir>/trace.db, in one step, by one made from the segments in <attempt_dir>/trace, and
// returns how many steps it holds. Findings are not computed again, for they are what the verdict rests on:
// they are those of result.json, or, of an attempt whose supervisor was killed, those of the trace.db that is
// replaced.
//
// A folder without intent.json is no attempt but what a program recorded by itself (pawl.Hook): its trace.db
// names no run.
//
// Error conflict while a supervisor has the attempt, or when the trace.db that is there has what was in
// segments that were deleted; not_found when the segments hold no step. A reader that has the old file open
// goes on with it.
Result<uint64_t> rebuild_trace_db(const std::string& attempt_dir);

}  // namespace pawl::supervise
