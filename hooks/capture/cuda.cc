#include "hooks/capture/cuda.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "hooks/capture/cuda_kernel.h"
#include "hooks/capture/element.h"

namespace pawl::capture::cuda {
namespace {

constexpr const char* kPtx[] = {
#include "cuda_kernel.inc"
};

constexpr unsigned kPortable = 1, kMapped = 2;  // CU_MEMHOSTALLOC_PORTABLE, _DEVICEMAP
constexpr unsigned kNoTiming = 2;               // CU_EVENT_DISABLE_TIMING
constexpr int kRelaxed = 2;                     // CU_STREAM_CAPTURE_MODE_RELAXED
constexpr size_t kSmallestBuffer = 64u << 10;
constexpr uint64_t kMaxChunks = 0x7fffffff;  // blocks of a launch

// Where the parts of a batch are, in bytes. The input is the same on both sides; the results are behind it on
// the host, and what the first kernel hands the second on the GPU.
struct Layout {
  Layout(size_t tensors, size_t chunks)
      : tensor_of_chunk(tensors * sizeof(Tensor)),
        behind((tensor_of_chunk + chunks * sizeof(uint32_t) + 7) / 8 * 8),
        host_bytes(behind + tensors * sizeof(Sums)),
        device_bytes(behind + chunks * sizeof(Sums)) {}

  size_t tensor_of_chunk, behind, host_bytes, device_bytes;
};

}  // namespace

struct Statistics::Device {
  int ordinal = 0;
  DeviceId id = 0;
  Context context = nullptr;  // the primary one, which the CUDA runtime uses
  Module module = nullptr;
  Function reduce = nullptr, fold = nullptr;
};

class Statistics::Batch {
 public:
  Device* device = nullptr;
  bool in_use = false;
  std::vector<pawl_tensor> tensors;
  size_t results_at = 0;
  std::byte* host = nullptr;
  size_t host_bytes = 0;
  DevicePointer memory = 0;
  size_t device_bytes = 0;
  Event event = nullptr;
};

// The context of a device, for this thread. Should another thread be capturing a graph, what is done here is
// none of its business.
class Statistics::Current {
 public:
  Current(const Driver& driver, Context context) : driver_(driver) {
    pushed_ = driver_.context_push(context) == kSuccess;
    driver_.exchange_capture_mode(&mode_);
  }
  ~Current() {
    driver_.exchange_capture_mode(&mode_);
    Context popped = nullptr;
    if (pushed_) driver_.context_pop(&popped);
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  const Driver& driver_;
  bool pushed_;
  int mode_ = kRelaxed;
};

const char* kernel_ptx() {
  return kPtx[0];
}

bool is_readable(const pawl_tensor& tensor) {
  const uint64_t size = element_bytes(tensor.dtype);
  return size != 0 && (tensor.data != nullptr || tensor.count == 0) &&
         reinterpret_cast<uintptr_t>(tensor.data) % size == 0;
}

pawl_stats stats_of(const Sums& sums, uint64_t count) {
  const bool any_finite = sums.min <= sums.max;
  pawl_stats stats{};
  stats.struct_size = sizeof stats;
  stats.count = count;
  stats.nan = sums.nan;
  stats.inf = sums.inf;
  stats.zero = sums.zero;
  stats.min = any_finite ? sums.min : 0;
  stats.max = any_finite ? sums.max : 0;
  stats.sum = sums.sum;
  stats.abs_sum = sums.abs_sum;
  stats.square_sum = sums.square_sum;
  std::memcpy(stats.magnitude, sums.magnitude, sizeof stats.magnitude);
  stats.magnitude[0] -= sums.zero;
  stats.magnitude[kMagnitudes - 1] -= sums.nan + sums.inf;
  return stats;
}

Statistics::Statistics() = default;

Statistics::~Statistics() {
  // To free what a GPU that does not answer is using would wait for it.
  if (std::any_of(batches_.begin(), batches_.end(), [](const auto& batch) { return batch->in_use; })) return;
  for (const auto& batch : batches_) {
    const Current current(driver_, batch->device->context);
    if (batch->event != nullptr) driver_.event_destroy(batch->event);
    if (batch->memory != 0) driver_.device_free(batch->memory);
    if (batch->host != nullptr) driver_.host_free(batch->host);
  }
  for (const auto& device : devices_) {
    if (device->module != nullptr) {
      const Current current(driver_, device->context);
      driver_.module_unload(device->module);
    }
    if (device->context != nullptr) driver_.context_release(device->id);
  }
}

bool Statistics::works(const char* what, Result result) {
  if (result == kSuccess) return true;
  if (error_.empty()) driver_.describe(what, result, error_);
  return false;
}

Statistics::Batch* Statistics::launch(const pawl_tensor* tensors, size_t count, int ordinal, void* stream) {
  if (!error_.empty()) return nullptr;
  Device* on = device(ordinal);
  if (on == nullptr) return nullptr;
  uint64_t chunks = 0;
  for (size_t i = 0; i < count; ++i) chunks = std::min(chunks + chunks_of(tensors[i].count), kMaxChunks + 1);
  if (chunks > kMaxChunks) {
    error_.set("more elements than one launch can have");
    return nullptr;
  }
  const Current current(driver_, on->context);
  Batch* batch = free_batch(*on);
  const Layout layout(count, chunks);
  if (batch == nullptr || !reserve(*batch, layout.host_bytes, layout.device_bytes)) return nullptr;
  batch->tensors.assign(tensors, tensors + count);
  batch->results_at = layout.behind;
  auto* table = reinterpret_cast<Tensor*>(batch->host);
  auto* tensor_of_chunk = reinterpret_cast<uint32_t*>(batch->host + layout.tensor_of_chunk);
  uint32_t first = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto own = static_cast<uint32_t>(chunks_of(tensors[i].count));
    table[i] = {tensors[i].data, tensors[i].count, tensors[i].dtype, first};
    std::fill_n(tensor_of_chunk + first, own, static_cast<uint32_t>(i));
    first += own;
  }
  // In use from here on even if it fails: the stream may have a part of it.
  batch->in_use = true;
  return put_on_stream(*batch, first, static_cast<Stream>(stream)) ? batch : nullptr;
}

bool Statistics::put_on_stream(Batch& batch, uint32_t chunks, Stream stream) {
  const size_t count = batch.tensors.size();
  const Layout layout(count, chunks);
  DevicePointer host = 0;
  if (!works("cuMemHostGetDevicePointer", driver_.host_device_pointer(&host, batch.host, 0))) return false;
  Work work{reinterpret_cast<const Tensor*>(batch.memory),
            reinterpret_cast<const uint32_t*>(batch.memory + layout.tensor_of_chunk),
            reinterpret_cast<Sums*>(batch.memory + layout.behind),
            reinterpret_cast<Sums*>(host + layout.behind)};
  void* arguments[] = {&work};
  const auto launch = [&](Function kernel, size_t blocks, unsigned threads) {
    return driver_.launch(kernel, static_cast<unsigned>(blocks), 1, 1, threads, 1, 1, 0, stream, arguments,
                          nullptr);
  };
  return works("cuMemcpyHtoDAsync",
               driver_.copy_to_device(batch.memory, batch.host, layout.behind, stream)) &&
         (chunks == 0 || works("cuLaunchKernel", launch(batch.device->reduce, chunks, kReduceThreads))) &&
         works("cuLaunchKernel", launch(batch.device->fold, count, kFoldThreads)) &&
         works("cuEventRecord", driver_.event_record(batch.event, stream));
}

Statistics::Device* Statistics::device(int ordinal) {
  for (const auto& known : devices_) {
    if (known->ordinal == ordinal) return known.get();
  }
  if (!loaded_ && *kernel_ptx() == '\0') error_.set("this build has no CUDA kernel");
  if (!error_.empty() || (!loaded_ && !driver_.load(error_))) return nullptr;
  loaded_ = true;
  auto made = std::make_unique<Device>();
  made->ordinal = ordinal;
  if (!prepare(*made)) return nullptr;
  devices_.push_back(std::move(made));
  return devices_.back().get();
}

bool Statistics::prepare(Device& device) {
  if (!works("cuDeviceGet", driver_.device_get(&device.id, device.ordinal)) ||
      !works("cuDevicePrimaryCtxRetain", driver_.context_retain(&device.context, device.id))) {
    return false;
  }
  const Current current(driver_, device.context);
  return works("the driver refuses the kernel", driver_.module_load(&device.module, kernel_ptx())) &&
         works("pawl_reduce", driver_.module_function(&device.reduce, device.module, "pawl_reduce")) &&
         works("pawl_fold", driver_.module_function(&device.fold, device.module, "pawl_fold"));
}

Statistics::Batch* Statistics::free_batch(Device& device) {
  for (const auto& batch : batches_) {
    if (batch->device == &device && !batch->in_use) return batch.get();
  }
  auto made = std::make_unique<Batch>();
  made->device = &device;
  if (!works("cuEventCreate", driver_.event_create(&made->event, kNoTiming))) return nullptr;
  batches_.push_back(std::move(made));
  return batches_.back().get();
}

bool Statistics::reserve(Batch& batch, size_t host_bytes, size_t device_bytes) {
  const auto roomy = [](size_t bytes) { return std::bit_ceil(std::max(bytes, kSmallestBuffer)); };
  if (batch.host_bytes < host_bytes) {
    if (batch.host != nullptr) driver_.host_free(batch.host);
    batch.host = nullptr;
    batch.host_bytes = 0;
    void* memory = nullptr;
    const size_t bytes = roomy(host_bytes);
    if (!works("cuMemHostAlloc", driver_.host_alloc(&memory, bytes, kPortable | kMapped))) return false;
    batch.host = static_cast<std::byte*>(memory);
    batch.host_bytes = bytes;
  }
  if (batch.device_bytes < device_bytes) {
    if (batch.memory != 0) driver_.device_free(batch.memory);
    batch.memory = 0;
    batch.device_bytes = 0;
    const size_t bytes = roomy(device_bytes);
    if (!works("cuMemAlloc", driver_.device_alloc(&batch.memory, bytes))) return false;
    batch.device_bytes = bytes;
  }
  return true;
}

Statistics::Progress Statistics::look(const Batch& batch) {
  const Current current(driver_, batch.device->context);
  const Result result = driver_.event_query(batch.event);
  if (result == kNotReady) return Progress::running;
  return works("statistics on the GPU were lost", result) ? Progress::done : Progress::failed;
}

size_t Statistics::size(const Batch& batch) {
  return batch.tensors.size();
}

uint32_t Statistics::series(const Batch& batch, size_t i) {
  return batch.tensors[i].series;
}

pawl_stats Statistics::stats(const Batch& batch, size_t i) {
  const auto* results = reinterpret_cast<const Sums*>(batch.host + batch.results_at);
  return stats_of(results[i], batch.tensors[i].count);
}

void Statistics::finish(Batch& batch) {
  batch.in_use = false;
}

}  // namespace pawl::capture::cuda
