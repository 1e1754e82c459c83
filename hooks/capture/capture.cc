// The C ABI: checks arguments, keeps exceptions in, and leaves the work to Recorder and accumulate.
#include "hooks/capture/include/pawl/capture.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <new>
#include <optional>
#include <string_view>

#include "hooks/capture/cuda.h"
#include "hooks/capture/element.h"
#include "hooks/capture/fine_histogram.h"
#include "hooks/capture/recorder.h"
#include "hooks/capture/safetensors.h"
#include "hooks/capture/stats.h"
#include "hooks/capture/strided.h"

using pawl::capture::ErrorText;
using pawl::capture::Recorder;

struct pawl_capture {
  std::unique_ptr<Recorder> recorder;
};

namespace {

// Of the last failed open in this thread.
ErrorText& open_error() {
  thread_local ErrorText error;
  return error;
}

// Structs may be longer than ours (a newer caller); never shorter, as this is the first version.
template <class T>
bool is_whole(const T* value) {
  return value != nullptr && value->struct_size >= sizeof(T);
}

bool is_kind(pawl_kind kind) {
  return kind >= PAWL_SCALAR && kind <= PAWL_HASH;
}

// Elements of `shape`, times `bytes`; UINT64_MAX for more than a record may hold; nothing when it is no
// shape.
std::optional<uint64_t> size_of(const int64_t* shape, uint32_t dims, uint64_t bytes) {
  const int64_t* end = shape + dims;
  if (std::any_of(shape, end, [](int64_t extent) { return extent < 0; })) return std::nullopt;
  if (std::find(shape, end, 0) != end) return 0;
  for (; shape != end; ++shape) {
    const auto extent = static_cast<uint64_t>(*shape);
    if (bytes > pawl::wire::kMaxRawTensor / extent) return UINT64_MAX;
    bytes *= extent;
  }
  return bytes;
}

template <class Function>
pawl_status guarded(Function function) noexcept {
  try {
    return function();
  } catch (...) {
    return PAWL_E_MEMORY;
  }
}

template <class Function>
pawl_status with_recorder(pawl_capture* capture, Function function) noexcept {
  if (capture == nullptr) return PAWL_E_ARGUMENT;
  if (capture->recorder->in_forked_child()) return PAWL_E_FORKED;
  return guarded([&] { return function(*capture->recorder); });
}

pawl_status open_capture(const pawl_capture_options& options, pawl_capture** out) {
  auto handle = std::make_unique<pawl_capture>();
  const pawl_status status = Recorder::open(options, handle->recorder, open_error());
  if (status == PAWL_OK) *out = handle.release();
  return status;
}

void put(const pawl::capture::Totals& totals, pawl_stats& out) {
  const bool any_finite = totals.min <= totals.max;
  out.reserved = 0;
  out.count = totals.count;
  out.nan = totals.nan;
  out.inf = totals.inf;
  out.zero = totals.zero;
  out.min = any_finite ? totals.min : 0;
  out.max = any_finite ? totals.max : 0;
  out.sum = totals.sum;
  out.abs_sum = totals.abs_sum;
  out.square_sum = totals.square_sum;
  std::memcpy(out.magnitude, totals.magnitude, sizeof out.magnitude);
}

// Records the statistics of one tensor that `compute(stats)` makes.
template <class Compute>
pawl_status record_stats(pawl_capture* capture, uint32_t series, Compute compute) noexcept {
  return with_recorder(capture, [&](Recorder& recorder) {
    pawl_stats stats{};
    stats.struct_size = sizeof stats;
    const pawl_status status = compute(stats);
    return status == PAWL_OK ? recorder.stats(series, stats) : status;
  });
}

// The first error ends it, except a full ring.
template <class Tensor, class Record>
pawl_status record_each(const Tensor* tensors, size_t count, Record record) noexcept {
  pawl_status result = PAWL_OK;
  for (const Tensor* tensor = tensors; tensor != tensors + count; ++tensor) {
    const pawl_status status = record(*tensor);
    if (status != PAWL_OK) result = status;
    if (status != PAWL_OK && status != PAWL_E_FULL) break;
  }
  return result;
}

}  // namespace

pawl_status pawl_capture_open(const pawl_capture_options* options, pawl_capture** out) {
  if (out != nullptr) *out = nullptr;
  open_error().clear();
  if (out == nullptr || !is_whole(options) || options->trace_dir == nullptr) {
    open_error().set("pawl_capture_open: options without their size or without a trace_dir");
    return PAWL_E_ARGUMENT;
  }
  if (options->rank >= options->world_size) {
    open_error().set("pawl_capture_open: rank %u of %u", options->rank, options->world_size);
    return PAWL_E_ARGUMENT;
  }
  const pawl_status status = guarded([&] { return open_capture(*options, out); });
  if (status == PAWL_E_MEMORY) open_error().set("no memory or no thread for the trace");
  return status;
}

pawl_status pawl_capture_series(pawl_capture* capture, const char* name, pawl_kind kind, pawl_dtype dtype,
                                const int64_t* shape, uint32_t rank_of_shape, uint32_t* out_id) {
  const std::string_view text(name != nullptr ? name : "");
  const bool valid = !text.empty() && text.size() <= pawl::wire::kMaxName && out_id != nullptr &&
                     is_kind(kind) && dtype >= PAWL_F32 && dtype <= PAWL_BOOL &&
                     rank_of_shape <= pawl::wire::kMaxDims && (shape != nullptr || rank_of_shape == 0);
  if (!valid) return PAWL_E_ARGUMENT;
  return with_recorder(capture, [&](Recorder& recorder) {
    return recorder.declare(text, kind, dtype, shape, rank_of_shape, out_id);
  });
}

pawl_status pawl_capture_available(pawl_capture* capture, const char* name, pawl_kind kind) {
  const std::string_view text(name != nullptr ? name : "");
  const bool valid = !text.empty() && text.size() <= pawl::wire::kMaxName && is_kind(kind);
  if (!valid) return PAWL_E_ARGUMENT;
  return with_recorder(capture, [&](Recorder& recorder) { return recorder.available(text, kind); });
}

uint64_t pawl_capture_request_generation(const pawl_capture* capture) {
  return capture == nullptr ? 0 : capture->recorder->request_generation();
}

pawl_status pawl_capture_request(pawl_capture* capture, char* text, size_t capacity, uint64_t* generation) {
  if (text == nullptr || capacity < PAWL_REQUEST_CAPACITY || generation == nullptr) return PAWL_E_ARGUMENT;
  return with_recorder(capture, [&](Recorder& recorder) {
    std::string request;
    const pawl_status status = recorder.take_request(request, *generation);
    if (status == PAWL_OK) std::memcpy(text, request.c_str(), request.size() + 1);
    return status;
  });
}

pawl_status pawl_capture_step_begin(pawl_capture* capture, uint64_t step, uint32_t mode) {
  if (mode > 1) return PAWL_E_ARGUMENT;
  return with_recorder(capture, [&](Recorder& recorder) { return recorder.begin_step(step, mode); });
}

pawl_status pawl_capture_step_end(pawl_capture* capture) {
  return with_recorder(capture, [](Recorder& recorder) { return recorder.end_step(); });
}

uint64_t pawl_capture_next_step(pawl_capture* capture, uint64_t step, uint32_t mode) {
  (void)pawl_capture_step_end(capture);  // what could not be recorded is counted
  (void)pawl_capture_step_begin(capture, step, mode);
  return pawl_capture_request_generation(capture);
}

pawl_status pawl_capture_scalar(pawl_capture* capture, uint32_t series, double value) {
  return with_recorder(capture, [&](Recorder& recorder) { return recorder.scalar(series, value); });
}

pawl_status pawl_capture_stats(pawl_capture* capture, uint32_t series, const pawl_stats* stats) {
  if (!is_whole(stats)) return PAWL_E_ARGUMENT;
  return with_recorder(capture, [&](Recorder& recorder) { return recorder.stats(series, *stats); });
}

pawl_status pawl_capture_values(pawl_capture* capture, uint32_t series, const void* data, pawl_dtype dtype,
                                const int64_t* shape, uint32_t rank_of_shape) {
  const uint64_t element = pawl::capture::element_bytes(dtype);
  if (element == 0 || rank_of_shape > pawl::wire::kMaxDims || (shape == nullptr && rank_of_shape > 0)) {
    return PAWL_E_ARGUMENT;
  }
  const auto size = size_of(shape, rank_of_shape, element);
  if (!size || (data == nullptr && *size > 0)) return PAWL_E_ARGUMENT;
  return with_recorder(capture, [&](Recorder& recorder) {
    const std::string head = pawl::capture::safetensors_head(dtype, shape, rank_of_shape, *size);
    return recorder.values(series, head, data, *size);
  });
}

pawl_status pawl_capture_span(pawl_capture* capture, uint32_t series, uint64_t begin_ns, uint64_t end_ns) {
  if (end_ns < begin_ns) return PAWL_E_ARGUMENT;
  return with_recorder(capture, [&](Recorder& recorder) { return recorder.span(series, begin_ns, end_ns); });
}

pawl_status pawl_capture_batch(pawl_capture* capture, uint32_t series, uint64_t digest, uint64_t examples,
                               const uint64_t* label_counts, uint32_t classes) {
  if (classes > pawl::wire::kMaxClasses || (label_counts == nullptr && classes > 0)) return PAWL_E_ARGUMENT;
  return with_recorder(capture, [&](Recorder& recorder) {
    return recorder.batch(series, digest, examples, label_counts, classes);
  });
}

pawl_status pawl_capture_hash(pawl_capture* capture, uint32_t series, uint64_t digest) {
  return with_recorder(capture, [&](Recorder& recorder) { return recorder.hash(series, digest); });
}

pawl_status pawl_capture_fine_histogram(pawl_capture* capture, uint32_t series,
                                        const pawl_fine_histogram* histogram) {
  if (!is_whole(histogram)) return PAWL_E_ARGUMENT;
  return with_recorder(capture,
                       [&](Recorder& recorder) { return recorder.fine_histogram(series, *histogram); });
}

pawl_status pawl_capture_note_request(pawl_capture* capture, const char* text) {
  const std::string_view request(text != nullptr ? text : "");
  if (request.empty() || request.size() > pawl::wire::kMaxRequest) return PAWL_E_ARGUMENT;
  return with_recorder(capture, [&](Recorder& recorder) { return recorder.note_request(request); });
}

uint64_t pawl_digest(const void* data, uint64_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(data, size, seed);
}

pawl_status pawl_compute_stats(const void* data, pawl_dtype dtype, uint64_t count, pawl_stats* out) {
  if (!is_whole(out) || (data == nullptr && count > 0)) return PAWL_E_ARGUMENT;
  pawl::capture::Totals totals;
  if (!pawl::capture::accumulate(pawl::capture::best_simd(), data, dtype, count, totals)) {
    return PAWL_E_ARGUMENT;
  }
  put(totals, *out);
  return PAWL_OK;
}

pawl_status pawl_compute_strided(const void* data, pawl_dtype dtype, uint32_t dims, const int64_t* shape,
                                 const int64_t* strides, pawl_stats* out) {
  if (!is_whole(out) || (dims > 0 && (shape == nullptr || strides == nullptr))) return PAWL_E_ARGUMENT;
  const bool empty = std::find(shape, shape + dims, 0) != shape + dims;
  pawl::capture::Totals totals;
  if ((data == nullptr && !empty) ||
      !pawl::capture::accumulate_view(pawl::capture::best_simd(), {data, dims, shape, strides}, dtype,
                                      totals)) {
    return PAWL_E_ARGUMENT;
  }
  put(totals, *out);
  return PAWL_OK;
}

pawl_status pawl_compute_fine_histogram(const void* data, pawl_dtype dtype, uint64_t count,
                                        pawl_fine_histogram* out) {
  if (!is_whole(out) || (data == nullptr && count > 0)) return PAWL_E_ARGUMENT;
  uint64_t sampled = 0;
  uint32_t bins[pawl::capture::kFineBins] = {};
  if (!pawl::capture::sample_fine(data, dtype, count, bins, sampled)) return PAWL_E_ARGUMENT;
  out->reserved = 0;
  out->sampled = sampled;
  std::memcpy(out->bins, bins, sizeof out->bins);
  return PAWL_OK;
}

pawl_status pawl_capture_tensor(pawl_capture* capture, uint32_t series, const void* data, pawl_dtype dtype,
                                uint64_t count) {
  return record_stats(capture, series,
                      [&](pawl_stats& stats) { return pawl_compute_stats(data, dtype, count, &stats); });
}

pawl_status pawl_capture_tensors(pawl_capture* capture, const pawl_tensor* tensors, size_t count,
                                 size_t tensor_size) {
  if (tensor_size != sizeof *tensors || (tensors == nullptr && count > 0)) return PAWL_E_ARGUMENT;
  return record_each(tensors, count, [&](const pawl_tensor& tensor) {
    return pawl_capture_tensor(capture, tensor.series, tensor.data, static_cast<pawl_dtype>(tensor.dtype),
                               tensor.count);
  });
}

pawl_status pawl_capture_strided_tensors(pawl_capture* capture, const pawl_strided_tensor* tensors,
                                         size_t count, size_t tensor_size) {
  if (tensor_size != sizeof *tensors || (tensors == nullptr && count > 0)) return PAWL_E_ARGUMENT;
  return record_each(tensors, count, [&](const pawl_strided_tensor& tensor) {
    return record_stats(capture, tensor.series, [&](pawl_stats& stats) {
      return pawl_compute_strided(tensor.data, static_cast<pawl_dtype>(tensor.dtype), tensor.dims,
                                  tensor.shape, tensor.strides, &stats);
    });
  });
}

pawl_status pawl_capture_cuda_tensors(pawl_capture* capture, const pawl_tensor* tensors, size_t count,
                                      size_t tensor_size, int device, void* stream) {
  if (tensor_size != sizeof(pawl_tensor) || (tensors == nullptr && count > 0) || device < 0 ||
      !std::all_of(tensors, tensors + count, pawl::capture::cuda::is_readable)) {
    return PAWL_E_ARGUMENT;
  }
  return with_recorder(
      capture, [&](Recorder& recorder) { return recorder.cuda_tensors(tensors, count, device, stream); });
}

const char* pawl_capture_cuda_error(const pawl_capture* capture) {
  return capture == nullptr ? "" : capture->recorder->cuda_error();
}

int pawl_capture_stop_requested(pawl_capture* capture) {
  if (capture == nullptr || capture->recorder->in_forked_child()) return 0;
  return capture->recorder->stop_requested() ? 1 : 0;
}

pawl_status pawl_capture_flush(pawl_capture* capture) {
  return with_recorder(capture, [](Recorder& recorder) { return recorder.flush(); });
}

void pawl_capture_close(pawl_capture* capture) {
  // A child of fork() has no writer thread to join and locks in unknown states: it leaves the memory alone.
  if (capture == nullptr || capture->recorder->in_forked_child()) return;
  guarded([&] {
    Recorder::close(std::move(capture->recorder));
    return PAWL_OK;
  });
  delete capture;
}

uint64_t pawl_capture_dropped(const pawl_capture* capture) {
  return capture == nullptr ? 0 : capture->recorder->dropped();
}

const char* pawl_capture_last_error(const pawl_capture* capture) {
  return capture == nullptr ? open_error().c_str() : capture->recorder->last_error();
}

const char* pawl_capture_simd(void) {
  switch (pawl::capture::best_simd()) {
    case pawl::capture::Simd::avx512:
      return "avx512";
    case pawl::capture::Simd::avx2:
      return "avx2";
    case pawl::capture::Simd::neon:
      return "neon";
    case pawl::capture::Simd::baseline:
      break;
  }
  return "baseline";
}
