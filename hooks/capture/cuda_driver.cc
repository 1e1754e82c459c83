#include "hooks/capture/cuda_driver.h"

#include <dlfcn.h>

#include <cstdlib>

namespace pawl::capture::cuda {
namespace {

template <class Function>
bool find(void* library, const char* symbol, Function& into) {
  into = reinterpret_cast<Function>(::dlsym(library, symbol));
  return into != nullptr;
}

bool find_all(void* library, Driver& driver) {
  return find(library, "cuInit", driver.init) && find(library, "cuGetErrorString", driver.error_string) &&
         find(library, "cuDeviceGet", driver.device_get) &&
         find(library, "cuDevicePrimaryCtxRetain", driver.context_retain) &&
         find(library, "cuDevicePrimaryCtxRelease_v2", driver.context_release) &&
         find(library, "cuCtxPushCurrent_v2", driver.context_push) &&
         find(library, "cuCtxPopCurrent_v2", driver.context_pop) &&
         find(library, "cuThreadExchangeStreamCaptureMode", driver.exchange_capture_mode) &&
         find(library, "cuModuleLoadData", driver.module_load) &&
         find(library, "cuModuleUnload", driver.module_unload) &&
         find(library, "cuModuleGetFunction", driver.module_function) &&
         find(library, "cuMemAlloc_v2", driver.device_alloc) &&
         find(library, "cuMemFree_v2", driver.device_free) &&
         find(library, "cuMemHostAlloc", driver.host_alloc) &&
         find(library, "cuMemFreeHost", driver.host_free) &&
         find(library, "cuMemHostGetDevicePointer_v2", driver.host_device_pointer) &&
         find(library, "cuMemcpyHtoDAsync_v2", driver.copy_to_device) &&
         find(library, "cuLaunchKernel", driver.launch) &&
         find(library, "cuEventCreate", driver.event_create) &&
         find(library, "cuEventDestroy_v2", driver.event_destroy) &&
         find(library, "cuEventRecord", driver.event_record) &&
         find(library, "cuEventQuery", driver.event_query);
}

}  // namespace

bool Driver::load(ErrorText& error) {
  const char* given = std::getenv("PAWL_CUDA_LIB");
  const char* path = given != nullptr ? given : "libcuda.so.1";
  void* library = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    error.set("no NVIDIA driver: %s", ::dlerror());
    return false;
  }
  if (!find_all(library, *this)) {
    error.set("%s is no usable CUDA driver: it is older than CUDA 11", path);
    return false;
  }
  if (const Result result = init(0); result != kSuccess) {
    describe("the CUDA driver does not start", result, error);
    return false;
  }
  return true;
}

void Driver::describe(const char* what, Result result, ErrorText& error) const {
  const char* text = nullptr;
  if (error_string(result, &text) != kSuccess || text == nullptr) text = "unknown error";
  error.set("%s: %s (%d)", what, text, result);
}

}  // namespace pawl::capture::cuda
