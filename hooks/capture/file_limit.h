// Whether a file may grow to `size` bytes in this process. To be asked before growing one in a thread that is
// not ours: beyond the limit the kernel sends SIGXFSZ, whose default ends the program.
#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace pawl::capture {

inline bool within_file_limit(uint64_t size) {
  struct rlimit limit;
  return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
         (limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur);
}

}  // namespace pawl::capture
