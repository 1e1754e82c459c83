// A stand-in for libcuda.so.1 with two GPUs whose memory is the host's. Streams do their work when they are
// told to (fake_cuda.h); the kernels are those of the library, on the CPU.
#include "tests/unit/capture/fake_cuda.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/capture/kernel_on_host.h"

namespace pawl::fake_cuda {
namespace {

constexpr int kInvalidValue = 1, kInvalidContext = 201, kInvalidPtx = 218, kNotFound = 500, kNotReady = 600,
              kCaptureUnsafe = 906;
constexpr int kDevices = 2;

struct FakeContext {
  int device;
};

struct FakeEvent {
  FakeContext* context;
  void* stream = nullptr;
  bool happened = true;
  int queries = 0;
};

struct State {
  std::mutex mutex;
  FakeContext contexts[kDevices] = {{0}, {1}};
  std::map<void*, std::deque<std::function<void()>>> streams;
  std::string failing;
  int code = 0;
  int queries = 0;
  std::set<void*> memory;
  std::set<FakeEvent*> events;
  bool at_once = false;
  bool capturing = false;
  Counts counts{};
};

State& state() {
  static State& all = *new State;  // with all that nobody gave back, until the process is gone
  return all;
}

thread_local std::vector<FakeContext*> current;
thread_local int capture_mode = 0;  // CU_STREAM_CAPTURE_MODE_GLOBAL

// The code that the test wants of this function, or 0. The state is locked in what follows.
class Call {
 public:
  explicit Call(const char* name) : lock_(state().mutex) {
    ++state().counts.calls;
    if (state().failing == name) code_ = state().code;
  }
  int code() const { return code_; }

  // For functions that need a context.
  int code_in_context() const {
    if (code_ == 0 && current.empty()) {
      ++state().counts.violations;
      return kInvalidContext;
    }
    return code_;
  }

  // And that must not be called while another thread captures.
  int code_outside_capture() const {
    if (state().capturing && capture_mode != 2) {
      ++state().counts.violations;
      return kCaptureUnsafe;
    }
    return code_in_context();
  }

 private:
  std::lock_guard<std::mutex> lock_;
  int code_ = 0;
};

void run_locked(void* stream) {
  auto& work = state().streams[stream];
  while (!work.empty()) {
    work.front()();
    work.pop_front();
  }
}

void put(void* stream, std::function<void()> work) {
  state().at_once ? work() : state().streams[stream].push_back(std::move(work));
}

int allocate(void** out, size_t bytes) {
  *out = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(*out, 0xa5, bytes);
  state().memory.insert(*out);
  ++state().counts.allocations;
  ++state().counts.live;
  return 0;
}

int give_back(void* memory) {
  state().memory.erase(memory);
  std::free(memory);
  ++state().counts.allocations;
  --state().counts.live;
  return 0;
}

}  // namespace

void reset() {
  const std::lock_guard lock(state().mutex);
  state().streams.clear();
  state().failing.clear();
  state().queries = 0;
  state().capturing = false;
  state().counts = {};
}

void run(void* stream) {
  const std::lock_guard lock(state().mutex);
  run_locked(stream);
}

void enqueue(void* stream, std::function<void()> work) {
  const std::lock_guard lock(state().mutex);
  state().streams[stream].push_back(std::move(work));
}

void run_after_queries(int queries) {
  const std::lock_guard lock(state().mutex);
  state().queries = queries;
}

void fail(const char* function, int code) {
  const std::lock_guard lock(state().mutex);
  state().failing = function != nullptr ? function : "";
  state().code = code;
}

void set_capturing_elsewhere(bool capturing) {
  const std::lock_guard lock(state().mutex);
  state().capturing = capturing;
}

Counts counts() {
  const std::lock_guard lock(state().mutex);
  return state().counts;
}

}  // namespace pawl::fake_cuda

using namespace pawl::fake_cuda;

extern "C" {

int cuInit(unsigned) {
  const Call call("cuInit");
  if (const char* queries = std::getenv("PAWL_FAKE_CUDA_QUERIES")) {
    state().queries = std::atoi(queries);
    state().at_once = true;
  }
  return call.code();
}
int cuGetErrorString(int code, const char** text) {
  *text = code == 2 ? "out of memory" : code == 700 ? "an illegal memory access" : "some error";
  return 0;
}
int cuDeviceGet(int* device, int ordinal) {
  const Call call("cuDeviceGet");
  if (ordinal >= kDevices) return 101;  // CUDA_ERROR_INVALID_DEVICE
  *device = ordinal;
  return call.code();
}
int cuDevicePrimaryCtxRetain(FakeContext** context, int device) {
  const Call call("cuDevicePrimaryCtxRetain");
  if (call.code() != 0) return call.code();
  *context = &state().contexts[device];
  ++state().counts.live;
  return 0;
}
int cuDevicePrimaryCtxRelease_v2(int) {
  const Call call("cuDevicePrimaryCtxRelease_v2");
  --state().counts.live;
  return call.code();
}
int cuCtxPushCurrent_v2(FakeContext* context) {
  current.push_back(context);
  return 0;
}
int cuCtxPopCurrent_v2(FakeContext** context) {
  *context = current.back();
  current.pop_back();
  return 0;
}
int cuThreadExchangeStreamCaptureMode(int* mode) {
  std::swap(*mode, capture_mode);
  return 0;
}

int cuModuleLoadData(const char** module, const char* image) {
  const Call call("cuModuleLoadData");
  if (const int code = call.code_outside_capture(); code != 0) return code;
  if (std::strstr(image, ".visible .entry pawl_reduce(") == nullptr) return kInvalidPtx;
  *module = image;
  ++state().counts.live;
  return 0;
}
int cuModuleUnload(const char*) {
  const Call call("cuModuleUnload");
  --state().counts.live;
  return call.code_in_context();
}
int cuModuleGetFunction(const char** function, const char*, const char* name) {
  const Call call("cuModuleGetFunction");
  for (const char* known : {"pawl_reduce", "pawl_fold"}) {
    if (std::strcmp(name, known) == 0) {
      *function = known;
      return call.code_in_context();
    }
  }
  return kNotFound;
}

int cuMemAlloc_v2(void** memory, size_t bytes) {
  const Call call("cuMemAlloc_v2");
  const int code = call.code_outside_capture();
  return code != 0 ? code : allocate(memory, bytes);
}
int cuMemFree_v2(void* memory) {
  const Call call("cuMemFree_v2");
  return give_back(memory);
}
int cuMemHostAlloc(void** memory, size_t bytes, unsigned flags) {
  const Call call("cuMemHostAlloc");
  if (flags != 3) return kInvalidValue;  // portable and mapped
  const int code = call.code_outside_capture();
  return code != 0 ? code : allocate(memory, bytes);
}
int cuMemFreeHost(void* memory) {
  const Call call("cuMemFreeHost");
  return give_back(memory);
}
int cuMemHostGetDevicePointer_v2(void** out, void* memory, unsigned) {
  const Call call("cuMemHostGetDevicePointer_v2");
  *out = memory;
  return call.code_in_context();
}

int cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t bytes, void* stream) {
  const Call call("cuMemcpyHtoDAsync_v2");
  const int code = call.code_in_context();
  if (code == 0) put(stream, [=] { std::memcpy(to, from, bytes); });
  return code;
}
int cuLaunchKernel(const char* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared, void* stream, void** arguments,
                   void** extra) {
  using namespace pawl::capture::cuda;
  const Call call("cuLaunchKernel");
  if (const int code = call.code_in_context(); code != 0) return code;
  const bool reduce = std::strcmp(function, "pawl_reduce") == 0;
  if (grid_x == 0 || grid_y != 1 || grid_z != 1 || block_x != (reduce ? kReduceThreads : kFoldThreads) ||
      block_y != 1 || block_z != 1 || shared != 0 || extra != nullptr) {
    return kInvalidValue;
  }
  ++state().counts.launches;
  const Work work = *static_cast<const Work*>(arguments[0]);
  put(stream, [=] { reduce ? reduce_on_host(work, grid_x) : fold_on_host(work, grid_x); });
  return 0;
}

int cuEventCreate(FakeEvent** event, unsigned) {
  const Call call("cuEventCreate");
  if (const int code = call.code_in_context(); code != 0) return code;
  *event = new FakeEvent{current.back()};
  state().events.insert(*event);
  ++state().counts.live;
  return 0;
}
int cuEventDestroy_v2(FakeEvent* event) {
  const Call call("cuEventDestroy_v2");
  state().events.erase(event);
  delete event;
  --state().counts.live;
  return 0;
}
int cuEventRecord(FakeEvent* event, void* stream) {
  const Call call("cuEventRecord");
  if (const int code = call.code_in_context(); code != 0) return code;
  if (current.back() != event->context) ++state().counts.violations;
  *event = {event->context, stream, false};
  if (!state().at_once) put(stream, [=] { event->happened = true; });
  return 0;
}
int cuEventQuery(FakeEvent* event) {
  const Call call("cuEventQuery");
  if (const int code = call.code_outside_capture(); code != 0) return code;
  if (++event->queries == state().queries) {
    run_locked(event->stream);
    event->happened = true;
  }
  return event->happened ? 0 : kNotReady;
}

// Nobody calls these; should somebody, it is counted.
int cuCtxSynchronize() {
  const Call call("cuCtxSynchronize");
  ++state().counts.waits;
  return 0;
}
int cuStreamSynchronize(void*) {
  return cuCtxSynchronize();
}
int cuEventSynchronize(FakeEvent*) {
  return cuCtxSynchronize();
}

}  // extern "C"
