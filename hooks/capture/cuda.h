// Statistics of tensors on GPUs, asynchronously: launch() puts two kernels (cuda_kernel.h) on the stream that
// the training works on and returns; the results are in pinned host memory when look() says so. Nothing here
// waits for the GPU, but that the first batches, and each larger than all before, allocate memory.
//
// The kernels run after what was put on the stream before them and before what follows, so that a tensor may
// be overwritten or freed in the order of the stream as soon as launch() has returned.
//
// Threads: one at a time. Errors: after the first, launch() refuses everything, for good, and error() says
// why; what is under way is still looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "hooks/capture/cuda_driver.h"
#include "hooks/capture/error_text.h"
#include "hooks/capture/include/pawl/capture.h"

namespace pawl::capture::cuda {

struct Sums;

// What the kernel found, as the C ABI has it.
pawl_stats stats_of(const Sums& sums, uint64_t count);

// The kernels in NVIDIA's assembly; "" when there was no compiler for them.
const char* kernel_ptx();

// False for an unknown dtype, and memory that is not aligned to its elements.
bool is_readable(const pawl_tensor& tensor);

class Statistics {
 public:
  Statistics();
  // Leaves alone what the GPU may still be using.
  ~Statistics();
  Statistics(const Statistics&) = delete;
  Statistics& operator=(const Statistics&) = delete;

  class Batch;
  enum class Progress { running, done, failed };

  // REQUIRES: each is_readable(). The batch is owned by this object, until finish(). nullptr: not launched.
  Batch* launch(const pawl_tensor* tensors, size_t count, int device, void* stream);

  Progress look(const Batch& batch);
  static size_t size(const Batch& batch);
  static uint32_t series(const Batch& batch, size_t i);
  static pawl_stats stats(const Batch& batch, size_t i);  // of one that is done
  void finish(Batch& batch);                              // one that is done: its memory is used again

  // The first one, or empty.
  const ErrorText& error() const { return error_; }

 private:
  struct Device;
  class Current;

  Device* device(int ordinal);
  bool prepare(Device& device);
  Batch* free_batch(Device& device);
  bool reserve(Batch& batch, size_t host_bytes, size_t device_bytes);
  bool put_on_stream(Batch& batch, uint32_t chunks, Stream stream);
  bool works(const char* what, Result result);

  Driver driver_{};
  bool loaded_ = false;
  ErrorText error_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<std::unique_ptr<Batch>> batches_;
};

}  // namespace pawl::capture::cuda
