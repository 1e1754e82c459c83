// One rank as a child process of this one. posix_spawn cannot set a parent-death signal, so this forks: only
// the supervisor, a small process, may use it.
#pragma once

#include <sys/types.h>

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "runners/runner.h"

namespace pawl::runners {

struct RankProcess {
  pid_t pid = -1;
  UniqueFd out;  // read ends, non-blocking
  UniqueFd err;
};

// The child leads a new session, has standard input /dev/null, default signal handling, no other descriptor,
// and gets SIGKILL when the calling thread ends. An error (program or folder missing, too long a command)
// leaves no process behind. The caller reaps the pid.
Result<RankProcess> start_rank_process(const RankSpec& spec);

}  // namespace pawl::runners
