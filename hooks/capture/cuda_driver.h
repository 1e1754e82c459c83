// NVIDIA's driver library, loaded when a tensor on a GPU is first captured: the few entry points that are
// used, declared by hand from its documented, versioned C ABI (CUDA Driver API). None of them waits for a
// GPU, but those that allocate and free may.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hooks/capture/error_text.h"

namespace pawl::capture::cuda {

using Result = int;
inline constexpr Result kSuccess = 0;
inline constexpr Result kNotReady = 600;

using DeviceId = int;
using DevicePointer = unsigned long long;
struct ContextOpaque;
struct EventOpaque;
struct FunctionOpaque;
struct ModuleOpaque;
struct StreamOpaque;
using Context = ContextOpaque*;
using Event = EventOpaque*;
using Function = FunctionOpaque*;
using Module = ModuleOpaque*;
using Stream = StreamOpaque*;

struct Driver {
  Result (*init)(unsigned flags);
  Result (*error_string)(Result, const char** text);
  Result (*device_get)(DeviceId*, int ordinal);
  Result (*context_retain)(Context*, DeviceId);
  Result (*context_release)(DeviceId);
  Result (*context_push)(Context);
  Result (*context_pop)(Context*);
  Result (*exchange_capture_mode)(int* mode);
  Result (*module_load)(Module*, const void* image);
  Result (*module_unload)(Module);
  Result (*module_function)(Function*, Module, const char* name);
  Result (*device_alloc)(DevicePointer*, size_t bytes);
  Result (*device_free)(DevicePointer);
  Result (*host_alloc)(void**, size_t bytes, unsigned flags);
  Result (*host_free)(void*);
  Result (*host_device_pointer)(DevicePointer*, void*, unsigned flags);
  Result (*copy_to_device)(DevicePointer, const void*, size_t bytes, Stream);
  Result (*launch)(Function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared_bytes, Stream, void** arguments,
                   void** extra);
  Result (*event_create)(Event*, unsigned flags);
  Result (*event_destroy)(Event);
  Result (*event_record)(Event, Stream);
  Result (*event_query)(Event);

  // libcuda.so.1, or what $PAWL_CUDA_LIB names; initialised. False with the reason when there is none. The
  // library stays loaded.
  bool load(ErrorText& error);

  // "<what>: <the driver's text>"
  void describe(const char* what, Result, ErrorText& error) const;
};

}  // namespace pawl::capture::cuda
