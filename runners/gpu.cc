#include "runners/gpu.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "engine/base/text.h"

namespace pawl::runners {
namespace {

// The few entry points used, declared by hand from NVIDIA's documented, versioned C ABI (NVML API reference).
struct NvmlDeviceOpaque;
using NvmlDevice = NvmlDeviceOpaque*;
using NvmlReturn = int;
constexpr NvmlReturn kNvmlSuccess = 0;
constexpr unsigned kMigEnabled = 1;
constexpr unsigned kTextSize = 96;  // NVML_DEVICE_UUID_V2_BUFFER_SIZE, NVML_DEVICE_NAME_V2_BUFFER_SIZE

struct NvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

struct Nvml {
  NvmlReturn (*init)() = nullptr;
  NvmlReturn (*shutdown)() = nullptr;
  const char* (*error_string)(NvmlReturn) = nullptr;
  NvmlReturn (*count)(unsigned*) = nullptr;
  NvmlReturn (*by_index)(unsigned, NvmlDevice*) = nullptr;
  NvmlReturn (*uuid)(NvmlDevice, char*, unsigned) = nullptr;
  NvmlReturn (*name)(NvmlDevice, char*, unsigned) = nullptr;
  NvmlReturn (*memory)(NvmlDevice, NvmlMemory*) = nullptr;
  // Absent in drivers from before MIG.
  NvmlReturn (*mig_mode)(NvmlDevice, unsigned* current, unsigned* pending) = nullptr;
  NvmlReturn (*mig_count)(NvmlDevice, unsigned*) = nullptr;
  NvmlReturn (*mig_by_index)(NvmlDevice, unsigned, NvmlDevice*) = nullptr;
};

template <class Function>
bool load(void* library, const char* symbol, Function& into) {
  into = reinterpret_cast<Function>(dlsym(library, symbol));
  return into != nullptr;
}

bool load_all(void* library, Nvml& nvml) {
  load(library, "nvmlDeviceGetMigMode", nvml.mig_mode);
  load(library, "nvmlDeviceGetMaxMigDeviceCount", nvml.mig_count);
  load(library, "nvmlDeviceGetMigDeviceHandleByIndex", nvml.mig_by_index);
  return load(library, "nvmlInit_v2", nvml.init) && load(library, "nvmlShutdown", nvml.shutdown) &&
         load(library, "nvmlErrorString", nvml.error_string) &&
         load(library, "nvmlDeviceGetCount_v2", nvml.count) &&
         load(library, "nvmlDeviceGetHandleByIndex_v2", nvml.by_index) &&
         load(library, "nvmlDeviceGetUUID", nvml.uuid) && load(library, "nvmlDeviceGetName", nvml.name) &&
         load(library, "nvmlDeviceGetMemoryInfo", nvml.memory);
}

// A device that does not answer (fallen off the bus) is left out.
bool add_device(const Nvml& nvml, NvmlDevice device, unsigned index, GpuInventory& inventory) {
  char uuid[kTextSize] = {};
  char name[kTextSize] = {};
  NvmlMemory memory{};
  if (nvml.uuid(device, uuid, sizeof uuid) != kNvmlSuccess ||
      nvml.name(device, name, sizeof name) != kNvmlSuccess || nvml.memory(device, &memory) != kNvmlSuccess) {
    inventory.reason = fmt::format("GPU {} does not answer", index);
    return false;
  }
  inventory.gpus.push_back({uuid, name, memory.total, static_cast<int>(index)});
  return true;
}

// CUDA cannot use a partitioned device as a whole: its slices are the devices then.
void add_slices(const Nvml& nvml, NvmlDevice device, unsigned index, GpuInventory& inventory) {
  unsigned count = 0;
  if (nvml.mig_count(device, &count) != kNvmlSuccess) return;
  for (unsigned i = 0; i < count; ++i) {
    NvmlDevice slice = nullptr;
    if (nvml.mig_by_index(device, i, &slice) == kNvmlSuccess) add_device(nvml, slice, index, inventory);
  }
}

bool is_partitioned(const Nvml& nvml, NvmlDevice device) {
  if (nvml.mig_mode == nullptr || nvml.mig_count == nullptr || nvml.mig_by_index == nullptr) return false;
  unsigned current = 0;
  unsigned pending = 0;
  return nvml.mig_mode(device, &current, &pending) == kNvmlSuccess && current == kMigEnabled;
}

GpuInventory ask(const Nvml& nvml) {
  GpuInventory inventory;
  unsigned count = 0;
  if (NvmlReturn code = nvml.count(&count); code != kNvmlSuccess) {
    inventory.reason = fmt::format("the driver does not count its devices: {}", nvml.error_string(code));
    return inventory;
  }
  for (unsigned index = 0; index < count; ++index) {
    NvmlDevice device = nullptr;
    if (nvml.by_index(index, &device) != kNvmlSuccess) {
      inventory.reason = fmt::format("GPU {} does not answer", index);
    } else if (is_partitioned(nvml, device)) {
      add_slices(nvml, device, index, inventory);
    } else {
      add_device(nvml, device, index, inventory);
    }
  }
  if (!inventory.gpus.empty()) {
    inventory.reason.clear();
  } else if (inventory.reason.empty()) {
    inventory.reason = "the driver knows no device";
  }
  return inventory;
}

}  // namespace

GpuInventory gpu_inventory() {
  const char* override_path = std::getenv("PAWL_NVML_LIB");
  const char* path = override_path != nullptr && *override_path != '\0' ? override_path : "libnvidia-ml.so.1";
  std::unique_ptr<void, int (*)(void*)> library(dlopen(path, RTLD_NOW | RTLD_LOCAL), dlclose);
  if (!library) return {{}, fmt::format("no NVIDIA driver: {}", dlerror())};
  Nvml nvml;
  if (!load_all(library.get(), nvml)) return {{}, fmt::format("{} is no usable NVML: {}", path, dlerror())};
  if (NvmlReturn code = nvml.init(); code != kNvmlSuccess) {
    return {{}, fmt::format("the NVIDIA driver does not start: {}", nvml.error_string(code))};
  }
  GpuInventory inventory = ask(nvml);
  nvml.shutdown();
  return inventory;
}

std::string describe(const GpuInventory& inventory) {
  if (inventory.gpus.empty()) return fmt::format("none ({})", inventory.reason);
  std::vector<std::string> names;
  for (const Gpu& gpu : inventory.gpus) names.push_back(fmt::format("{} ({})", gpu.name, gpu.uuid));
  return fmt::format("{}: {}", inventory.gpus.size(), join(names, ", "));
}

}  // namespace pawl::runners
