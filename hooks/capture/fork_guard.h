// What happens to open traces in a child of fork(). The child has none of the writer threads and must not
// keep the locks: its copies of the descriptors are closed, and every handle of the parent is dead in it (its
// generation is an older one).
#pragma once

#include <cstdint>

namespace pawl::capture {

class RankDirectory;

// How many forks this process is away from the first that loaded the library.
uint64_t fork_generation();

// Between these two a child closes the descriptors of `directory`. Any thread.
void watch_forks(RankDirectory* directory);
void unwatch_forks(RankDirectory* directory);

}  // namespace pawl::capture
