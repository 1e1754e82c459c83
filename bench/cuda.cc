// pawl-bench cuda: the statistics of a billion parameters in 200 tensors, by the GPU, against a copy that
// moves as many bytes (half of them read, half written); both timed by the GPU's own clock, in turn. What the
// GPU finds is compared with what the CPU finds in the same numbers. call_us: what the call costs the thread
// that makes it.
#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "engine/base/files.h"
#include "engine/trace/tail.h"
#include "hooks/capture/include/pawl/capture.h"

namespace pawl::bench {
namespace {

constexpr size_t kTensors = 200;
constexpr uint64_t kParameters = 1'000'000'000 / kTensors * kTensors;
constexpr size_t kPattern =
    50'000;  // different numbers, which a tensor, and half of all, has many times over
constexpr int kRepetitions = 15;
constexpr int kNoGpu = 3;

using Result = int;
using Pointer = unsigned long long;

// What a benchmark needs of the driver beside the capture library; by hand as there.
struct Driver {
  Result (*init)(unsigned);
  Result (*device_get)(int*, int ordinal);
  Result (*device_name)(char*, int length, int device);
  Result (*context_retain)(void**, int device);
  Result (*context_set)(void*);
  Result (*memory_info)(size_t* free, size_t* total);
  Result (*alloc)(Pointer*, size_t);
  Result (*copy_in)(Pointer, const void*, size_t);
  Result (*copy)(Pointer to, Pointer from, size_t, void* stream);
  Result (*stream_create)(void**, unsigned flags);
  Result (*event_create)(void**, unsigned flags);
  Result (*event_record)(void*, void* stream);
  Result (*event_wait)(void*);
  Result (*event_elapsed)(float* ms, void* from, void* to);
};

bool load(Driver& driver) {
  const char* given = std::getenv("PAWL_CUDA_LIB");
  void* library = ::dlopen(given != nullptr ? given : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  const auto find = [&](const char* symbol, auto& into) {
    into = library == nullptr ? nullptr
                              : reinterpret_cast<std::decay_t<decltype(into)>>(::dlsym(library, symbol));
    return into != nullptr;
  };
  return find("cuInit", driver.init) && find("cuDeviceGet", driver.device_get) &&
         find("cuDeviceGetName", driver.device_name) &&
         find("cuDevicePrimaryCtxRetain", driver.context_retain) &&
         find("cuCtxSetCurrent", driver.context_set) && find("cuMemGetInfo_v2", driver.memory_info) &&
         find("cuMemAlloc_v2", driver.alloc) && find("cuMemcpyHtoD_v2", driver.copy_in) &&
         find("cuMemcpyDtoDAsync_v2", driver.copy) && find("cuStreamCreate", driver.stream_create) &&
         find("cuEventCreate", driver.event_create) && find("cuEventRecord", driver.event_record) &&
         find("cuEventSynchronize", driver.event_wait) && find("cuEventElapsedTime", driver.event_elapsed) &&
         driver.init(0) == 0;
}

// The GPU, a stream, and the parameters on it.
struct Gpu {
  Driver driver{};
  char name[256] = "";
  void* stream = nullptr;
  void* from = nullptr;  // events
  void* to = nullptr;
  Pointer data = 0;
  uint64_t parameters = 0;

  uint64_t bytes() const { return parameters * sizeof(float); }
  uint64_t of_each() const { return parameters / kTensors; }
};

bool open(Gpu& gpu) {
  int device = 0;
  void* context = nullptr;
  size_t free = 0, total = 0;
  const Driver& driver = gpu.driver;
  if (driver.device_get(&device, 0) != 0 || driver.device_name(gpu.name, sizeof gpu.name, device) != 0 ||
      driver.context_retain(&context, device) != 0 || driver.context_set(context) != 0 ||
      driver.memory_info(&free, &total) != 0) {
    return false;
  }
  const uint64_t whole = kPattern * kTensors;  // what all tensors grow by
  gpu.parameters = std::min<uint64_t>(kParameters, free / 2 / sizeof(float)) / whole * whole;
  return gpu.parameters > 0 && driver.alloc(&gpu.data, gpu.bytes()) == 0 &&
         driver.stream_create(&gpu.stream, 1) == 0 && driver.event_create(&gpu.from, 0) == 0 &&
         driver.event_create(&gpu.to, 0) == 0;
}

// Like weights: normally distributed around zero, near enough (a sum of four uniform numbers).
std::vector<float> pattern() {
  std::vector<float> data(kPattern);
  uint64_t state = 1;
  for (float& x : data) {
    float sum = 0;
    for (int k = 0; k < 4; ++k) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      sum += static_cast<float>(static_cast<int32_t>(state >> 32));
    }
    x = sum * 0x1p-35f;
  }
  return data;
}

bool fill(const Gpu& gpu, const std::vector<float>& data) {
  for (uint64_t at = 0; at < gpu.bytes(); at += data.size() * sizeof(float)) {
    if (gpu.driver.copy_in(gpu.data + at, data.data(), data.size() * sizeof(float)) != 0) return false;
  }
  return true;
}

// Seconds that the GPU takes for what `work` puts on its stream; negative on an error.
double gpu_seconds(const Gpu& gpu, const auto& work) {
  float ms = 0;
  const bool done = gpu.driver.event_record(gpu.from, gpu.stream) == 0 && work() &&
                    gpu.driver.event_record(gpu.to, gpu.stream) == 0 && gpu.driver.event_wait(gpu.to) == 0 &&
                    gpu.driver.event_elapsed(&ms, gpu.from, gpu.to) == 0;
  return done ? static_cast<double>(ms) * 1e-3 : -1;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double monotonic_s() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

pawl_capture* open_trace(const std::string& trace_dir) {
  pawl_capture_options options{};
  options.struct_size = sizeof options;
  options.world_size = 1;
  options.trace_dir = trace_dir.c_str();
  options.producer = "pawl-bench";
  pawl_capture* capture = nullptr;
  (void)pawl_capture_open(&options, &capture);
  return capture;
}

std::vector<pawl_tensor> declare(pawl_capture* capture, const Gpu& gpu) {
  std::vector<pawl_tensor> tensors;
  for (size_t i = 0; i < kTensors; ++i) {
    const uint64_t offset = i * gpu.of_each() * sizeof(float);
    uint32_t id = 0;
    (void)pawl_capture_series(capture, ("w" + std::to_string(i)).c_str(), PAWL_WEIGHT, PAWL_F32, nullptr, 0,
                              &id);
    tensors.push_back({reinterpret_cast<const void*>(gpu.data + offset), gpu.of_each(), id, PAWL_F32});
  }
  return tensors;
}

// Whether every record of the trace says what the CPU finds in the pattern, so many times over.
bool is_right(const std::string& trace_dir, const std::vector<float>& data, uint64_t times) {
  pawl_stats want{};
  want.struct_size = sizeof want;
  (void)pawl_compute_stats(data.data(), PAWL_F32, data.size(), &want);
  auto tail = trace::TraceTail::open(trace_dir);
  if (!tail) return false;
  std::vector<trace::RankRecord> records;
  for (bool more = true; more;) {
    auto batch = tail->poll();
    more = batch.more;
    std::move(batch.records.begin(), batch.records.end(), std::back_inserter(records));
  }
  size_t seen = 0;
  const double n = static_cast<double>(times), slack = 0x1p-15 * n;
  for (const trace::RankRecord& record : records) {
    const auto* value = std::get_if<trace::StatsValue>(&record.record);
    if (value == nullptr) continue;
    const trace::TensorStats& got = value->stats;
    bool right = got.count == times * want.count && got.nan == 0 && got.inf == 0 &&
                 got.zero == times * want.zero && got.min == want.min && got.max == want.max &&
                 std::fabs(got.sum - n * want.sum) <= slack * want.abs_sum &&
                 std::fabs(got.abs_sum - n * want.abs_sum) <= slack * want.abs_sum &&
                 std::fabs(got.square_sum - n * want.square_sum) <= slack * want.square_sum;
    for (size_t k = 0; k < got.magnitude.size(); ++k)
      right = right && got.magnitude[k] == times * want.magnitude[k];
    if (!right) return false;
    ++seen;
  }
  return seen == kTensors * (kRepetitions + 1);
}

int fail(const char* what) {
  std::fprintf(stderr, "pawl-bench: %s\n", what);
  return 1;
}

}  // namespace

int bench_cuda(bool json) {
  Gpu gpu;
  if (!load(gpu.driver) || !open(gpu)) {
    std::fprintf(stderr,
                 "pawl-bench: no NVIDIA GPU here, or none with enough free memory: nothing is measured\n");
    return kNoGpu;
  }
  const std::vector<float> data = pattern();
  const auto folder = TempDir::create("pawl-bench");
  if (!folder || !fill(gpu, data)) return fail("the GPU takes no numbers");
  const std::string trace_dir = folder->path() + "/trace";
  pawl_capture* capture = open_trace(trace_dir);
  if (capture == nullptr) return fail(pawl_capture_last_error(nullptr));
  const std::vector<pawl_tensor> tensors = declare(capture, gpu);
  std::vector<double> stats_s, copy_s, call_s;
  std::string error;
  for (int i = 0; i <= kRepetitions && error.empty();
       ++i) {  // the first assembles the kernel, and does not count
    (void)pawl_capture_step_begin(capture, static_cast<uint64_t>(i), 0);
    double call = 0;
    const double stats = gpu_seconds(gpu, [&] {
      const double start = monotonic_s();
      const pawl_status status = pawl_capture_cuda_tensors(capture, tensors.data(), tensors.size(),
                                                           sizeof(pawl_tensor), 0, gpu.stream);
      call = monotonic_s() - start;
      return status == PAWL_OK;
    });
    const double copy = gpu_seconds(gpu, [&] {
      return gpu.driver.copy(gpu.data + gpu.bytes() / 2, gpu.data, gpu.bytes() / 2, gpu.stream) == 0;
    });
    (void)pawl_capture_step_end(capture);
    if (stats < 0 || copy < 0) error = std::string("the GPU fails: ") + pawl_capture_cuda_error(capture);
    if (i == 0) continue;
    stats_s.push_back(stats);
    copy_s.push_back(copy);
    call_s.push_back(call);
  }
  pawl_capture_close(capture);
  if (!error.empty()) return fail(error.c_str());
  if (!is_right(trace_dir, data, gpu.of_each() / kPattern)) return fail("the statistics are wrong");
  const double gigabytes = static_cast<double>(gpu.bytes()) * 1e-9;
  const double stats_gbps = gigabytes / median(stats_s), copy_gbps = gigabytes / median(copy_s);
  const double time_ratio = copy_gbps / stats_gbps, call_us = median(call_s) * 1e6;
  std::printf(
      json ? "{\"stats_gbps\":%.1f,\"copy_gbps\":%.1f,\"time_ratio\":%.3f,\"call_us\":%.1f,\"gpu\":\"%s\","
             "\"parameters\":%llu,\"repetitions\":%d}\n"
           : "statistics %.1f GB/s, copy %.1f GB/s, time ratio %.3f, call %.1f us (%s); %llu parameters, "
             "median of %d\n",
      stats_gbps, copy_gbps, time_ratio, call_us, gpu.name, static_cast<unsigned long long>(gpu.parameters),
      kRepetitions);
  return 0;
}

}  // namespace pawl::bench
