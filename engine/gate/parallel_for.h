// How the gate's heavy work may be spread. This code starts no threads: whoever calls it says who runs the
// tasks, and the results are the same whoever does.
#pragma once

#include <cstddef>
#include <functional>

namespace pawl::gate {

// Runs task(0) ... task(count - 1), each once, in any order, on any threads, and returns when all are done.
using ParallelFor = std::function<void(std::size_t count, const std::function<void(std::size_t)>& task)>;

// On the calling thread, in order.
void serial_for(std::size_t count, const std::function<void(std::size_t)>& task);

}  // namespace pawl::gate
