// The functions of libpawl_capture.so that the hook calls, found at run time.
#pragma once

#include <dlfcn.h>
#include <pawl/capture.h>

#include <stdexcept>
#include <string>

namespace pawl {
namespace detail {

// Throws when the library, or a function that the hook cannot do without, is missing. Never unloaded: its
// writer thread may outlive any object.
class CaptureLibrary {
 public:
  explicit CaptureLibrary(const char* path) : handle_(::dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_) throw std::runtime_error(::dlerror());
    find(open, "pawl_capture_open");
    find(series, "pawl_capture_series");
    find(available, "pawl_capture_available");
    find(request_generation, "pawl_capture_request_generation");
    find(request, "pawl_capture_request");
    find(step_begin, "pawl_capture_step_begin");
    find(step_end, "pawl_capture_step_end");
    find(scalar, "pawl_capture_scalar");
    find(stats, "pawl_capture_stats");
    find(tensors, "pawl_capture_tensors");
    find(values, "pawl_capture_values");
    find(batch, "pawl_capture_batch");
    find(hash, "pawl_capture_hash");
    find(fine_histogram, "pawl_capture_fine_histogram");
    find(close, "pawl_capture_close");
    find(last_error, "pawl_capture_last_error");
    find(digest, "pawl_digest");
    find(compute_stats, "pawl_compute_stats");
    find_optional(compute_fine_histogram, "pawl_compute_fine_histogram");
  }

  decltype(&::pawl_capture_open) open;
  decltype(&::pawl_capture_series) series;
  decltype(&::pawl_capture_available) available;
  decltype(&::pawl_capture_request_generation) request_generation;
  decltype(&::pawl_capture_request) request;
  decltype(&::pawl_capture_step_begin) step_begin;
  decltype(&::pawl_capture_step_end) step_end;
  decltype(&::pawl_capture_scalar) scalar;
  decltype(&::pawl_capture_stats) stats;
  decltype(&::pawl_capture_tensors) tensors;
  decltype(&::pawl_capture_values) values;
  decltype(&::pawl_capture_batch) batch;
  decltype(&::pawl_capture_hash) hash;
  decltype(&::pawl_capture_fine_histogram) fine_histogram;
  decltype(&::pawl_capture_close) close;
  decltype(&::pawl_capture_last_error) last_error;
  decltype(&::pawl_digest) digest;
  decltype(&::pawl_compute_stats) compute_stats;

  // Of dense host memory; null in a library that has no finer histograms.
  pawl_status (*compute_fine_histogram)(const void* data, pawl_dtype dtype, uint64_t count,
                                        pawl_fine_histogram* out);

 private:
  template <class Function>
  void find_optional(Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(handle_, name));
  }
  template <class Function>
  void find(Function& function, const char* name) {
    find_optional(function, name);
    if (!function) throw std::runtime_error(std::string("no ") + name + " in the capture library");
  }

  void* handle_;
};

}  // namespace detail
}  // namespace pawl
