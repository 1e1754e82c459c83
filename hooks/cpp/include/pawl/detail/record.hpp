// The record of one rank, open. Every function throws when the capture library refuses.
#pragma once

#include <ATen/core/Tensor.h>
#include <pawl/capture.h>
#include <torch/version.h>
#include <pawl/detail/library.hpp>
#include <pawl/detail/request.hpp>
#include <pawl/detail/tensors.hpp>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace pawl {
namespace detail {

inline std::string env(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

class Record {
 public:
  Record(const CaptureLibrary& library, const std::string& trace_dir, uint64_t rank) : library_(library) {
    const std::string control = env("PAWL_CONTROL_FILE", "");
    pawl_capture_options options{};
    options.struct_size = sizeof options;
    options.rank = static_cast<uint32_t>(rank);
    options.world_size = static_cast<uint32_t>(std::stoul(env("WORLD_SIZE", "1")));
    options.trace_dir = trace_dir.c_str();
    options.control_path = control.empty() ? nullptr : control.c_str();
    options.producer = "c++ libtorch " TORCH_VERSION;
    check(library_.open(&options, &capture_));
  }
  ~Record() { library_.close(capture_); }
  Record(const Record&) = delete;
  Record& operator=(const Record&) = delete;

  const CaptureLibrary& library() const { return library_; }

  // What follows belongs to `step`, until end(). `mode`: 0 train, 1 evaluation.
  void begin(uint64_t step, uint32_t mode) { check(library_.step_begin(capture_, step, mode)); }
  void end() { check(library_.step_end(capture_)); }

  void available(const std::string& name, pawl_kind kind) {
    check(library_.available(capture_, name.c_str(), kind));
  }

  uint64_t request_generation() const { return library_.request_generation(capture_); }
  // nullopt while it is being changed.
  std::optional<std::string> request(uint64_t& generation) {
    std::vector<char> text(PAWL_REQUEST_CAPACITY);
    const pawl_status status = library_.request(capture_, text.data(), text.size(), &generation);
    if (status == PAWL_E_BUSY) return std::nullopt;
    check(status);
    return std::string(text.data());
  }

  // The id is the same for the same name and kind.
  uint32_t series(const std::string& name, pawl_kind kind, pawl_dtype dtype, at::IntArrayRef shape) {
    uint32_t id = 0;
    check(library_.series(capture_, name.c_str(), kind, dtype, shape.data(),
                          static_cast<uint32_t>(shape.size()), &id));
    return id;
  }

  void scalar(const std::string& name, pawl_kind kind, double value) {
    check(library_.scalar(capture_, series(name, kind, PAWL_F64, {}), value));
  }
  void stats(uint32_t series, const pawl_stats& stats) { check(library_.stats(capture_, series, &stats)); }
  void fine(uint32_t series, const pawl_fine_histogram& histogram) {
    check(library_.fine_histogram(capture_, series, &histogram));
  }
  void hash(uint32_t series, uint64_t digest) { check(library_.hash(capture_, series, digest)); }
  void batch(const std::string& name, uint64_t digest, uint64_t examples,
             const std::vector<uint64_t>& labels) {
    check(library_.batch(capture_, series(name, PAWL_BATCH, PAWL_F64, {}), digest, examples, labels.data(),
                         static_cast<uint32_t>(labels.size())));
  }

  // `host` in any layout; the elements are recorded in the order of their indices.
  void values(uint32_t series, const at::Tensor& host, pawl_dtype dtype) {
    const at::Tensor ordered = host.contiguous();
    check(library_.values(capture_, series, ordered.data_ptr(), dtype, ordered.sizes().data(),
                          static_cast<uint32_t>(ordered.dim())));
  }

  // Statistics of a tensor, and what else its rule asks for. They are complete after flush(): one call of the
  // library costs more than a small tensor, so it gets many at once. The tensor must not change until then.
  void tensor(const std::string& name, pawl_kind kind, const at::Tensor& tensor, const Rule& rule) {
    const auto dtype = dtype_of(tensor);
    if (!dtype || bytes_of(tensor) > rule.max_bytes || !rule.include->matches(name)) return;
    const uint32_t id = series(name, kind, *dtype, tensor.sizes());
    const at::Tensor host = dense_on_host(tensor);
    if (rule.wants_values(bytes_of(tensor))) values(id, host, *dtype);
    if (rule.fine) {
      if (const auto histogram = fine_histogram_of(host, *dtype)) fine(id, *histogram);
    }
    queue_.push_back({host.data_ptr(), elements_of(host), id, static_cast<uint32_t>(*dtype)});
    queued_.push_back(host);
    queued_bytes_ += bytes_of(host);
    if (queued_bytes_ > kQueueBytes) flush();
  }

  void flush() {
    if (!queue_.empty()) check(library_.tensors(capture_, queue_.data(), queue_.size(), sizeof(pawl_tensor)));
    queue_.clear();
    queued_.clear();
    queued_bytes_ = 0;
  }

  std::optional<pawl_fine_histogram> fine_histogram_of(const at::Tensor& host, pawl_dtype dtype) const {
    if (!library_.compute_fine_histogram) return std::nullopt;
    pawl_fine_histogram histogram{};
    histogram.struct_size = sizeof histogram;
    check(library_.compute_fine_histogram(host.data_ptr(), dtype, elements_of(host), &histogram));
    return histogram;
  }

 private:
  static constexpr uint64_t kQueueBytes = 16 << 20;  // of copies at a time, when they are copies

  // A full ring drops a record and counts it: that is no reason to stop recording.
  void check(pawl_status status) const {
    if (status == PAWL_OK || status == PAWL_E_FULL) return;
    throw std::runtime_error(library_.last_error(capture_));
  }

  const CaptureLibrary& library_;
  pawl_capture* capture_ = nullptr;
  std::vector<pawl_tensor> queue_;
  std::vector<at::Tensor> queued_;  // keeps its memory
  uint64_t queued_bytes_ = 0;
};

}  // namespace detail
}  // namespace pawl
