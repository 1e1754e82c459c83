// The GPUs of this machine, through NVIDIA's management library loaded at run time: no build or run
// dependency.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pawl::runners {

struct Gpu {
  std::string
      uuid;  // "GPU-..." or, for a slice of a partitioned device, "MIG-...": goes to CUDA_VISIBLE_DEVICES
  std::string name;  // "NVIDIA H200"
  uint64_t memory_bytes = 0;
  int index = 0;  // the driver's number of the (parent) device; for people, it may change at a reboot
};

struct GpuInventory {
  std::vector<Gpu> gpus;
  std::string reason;  // why there are none ("libnvidia-ml.so.1: cannot open shared object file"), else empty
};

// Asks the driver; takes up to seconds when it has to wake the devices, so ask once. PAWL_NVML_LIB names
// another library file (tests). Never fails: a machine without a driver has no GPUs.
GpuInventory gpu_inventory();

// "1: NVIDIA H200 (GPU-5f2c...)", "none (no driver: ...)": for messages after "this machine has ".
std::string describe(const GpuInventory& inventory);

}  // namespace pawl::runners
