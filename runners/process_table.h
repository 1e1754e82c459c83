// The processes of this machine as /proc shows them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/error.h"

namespace pawl::runners {

// Whether a process was started with the environment variable that marks an attempt's processes. Unknown when
// the kernel has none to show at this moment: in the middle of an exec, or just ended. Its children, or what
// it becomes, may bear the mark.
enum class Marked { no, yes, unknown };

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  uint64_t start_ticks = 0;  // since boot; pid and start_ticks together are never reused
  std::string name;          // at most 15 bytes, chosen by the process itself
  Marked marked = Marked::no;
};

// Every process that can still do something: a zombie counts only while it has other threads, a thread of the
// kernel never. `mark` is `NAME=value`, exactly; "": nobody is marked. No process of another user's is. Each
// is asked for the mark right after it was found, so that what it starts later comes later in the list or
// finds it in it.
Result<std::vector<Process>> live_processes(const std::string& mark);

// One process; error not_found when it is gone or a zombie.
Result<Process> find_process(pid_t pid);

}  // namespace pawl::runners
