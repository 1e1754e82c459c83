// Work that is only computing, on several threads at once.
#pragma once

#include <cstddef>
#include <functional>

namespace pawl {

// Runs task(0) ... task(count - 1), each once, on at most `threads` threads (1 or more), the calling one
// among them, and returns when all are done. The tasks must not throw. With fewer threads where the system
// gives no more.
void run_parallel(std::size_t threads, std::size_t count, const std::function<void(std::size_t)>& task);

}  // namespace pawl
