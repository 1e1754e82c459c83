// `pawl supervise <attempt_dir>`: the process that owns one attempt from the start of its ranks to
// result.json.
#pragma once

#include <string>

namespace pawl::supervise {

// Takes the lock of the attempt, runs what intent.json says, writes result.json, and returns the exit code of
// the process: 0 when there is a result of this start, 3 when there is none (somebody else holds the attempt,
// the fence moved on, intent.json is unreadable, the result cannot be written), with the reason on standard
// error.
//
// Takes the process over: it becomes a child subreaper, ignores SIGHUP and SIGPIPE, and treats SIGTERM and
// SIGINT as a request to stop the attempt. Call it before any thread is started.
int supervise_main(const std::string& attempt_dir);

}  // namespace pawl::supervise
