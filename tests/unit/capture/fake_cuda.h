// How a test drives the stand-in for libcuda.so.1 (fake_cuda.cc).
#pragma once

#include <cstddef>
#include <functional>

namespace pawl::fake_cuda {

// As after loading.
void reset();

// Work on a stream is done when the test says so: all of what one has, in order.
void run(void* stream);
// Something that the training puts on a stream.
void enqueue(void* stream, std::function<void()> work);
// From now on an event is found to have happened when it has been asked for so many times; 0 means that only
// run() does work. PAWL_FAKE_CUDA_QUERIES sets it for a process that cannot call this; there the work is done
// when it is given, as nothing else of the process goes through a stream, and only the event is late.
void run_after_queries(int queries);

// From now on this function returns `code` and does nothing; nullptr ends it.
void fail(const char* function, int code);

// Another thread is capturing a graph, so that calls of a thread whose mode is not relaxed break the capture.
void set_capturing_elsewhere(bool capturing);

struct Counts {
  size_t calls;        // of any function
  size_t launches;     // of kernels
  size_t allocations;  // calls that allocate or free, and so may wait for the GPU
  size_t waits;        // calls that do wait for it
  size_t violations;   // calls without a context, of the wrong one, or that break another thread's capture
  size_t live;         // allocations, events, modules and contexts that have not been given back
};
Counts counts();

}  // namespace pawl::fake_cuda
