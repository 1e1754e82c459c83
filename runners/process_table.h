// The processes of this machine as /proc shows them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/error.h"

namespace pawl::runners {

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  uint64_t start_ticks = 0;  // since boot; pid and start_ticks together are never reused
  std::string name;          // at most 15 bytes, chosen by the process itself
};

// Every process that can still do something: a zombie counts only while it has other threads.
Result<std::vector<Process>> live_processes();

// One process; error not_found when it is gone or a zombie.
Result<Process> find_process(pid_t pid);

// Whether the environment the process was started with has `NAME=value` exactly. False where it cannot be
// read (another user's process, one that is gone).
bool environment_has(pid_t pid, const std::string& assignment);

}  // namespace pawl::runners
