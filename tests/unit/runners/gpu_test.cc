#include "runners/gpu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace pawl::runners {
namespace {

using testing::HasSubstr;

GpuInventory with_machine(const char* gpus) {
  setenv("PAWL_NVML_LIB", PAWL_FAKE_NVML_PATH, 1);
  setenv("PAWL_FAKE_GPUS", gpus, 1);
  return gpu_inventory();
}

TEST(Gpu, ReadsEveryDevice) {
  GpuInventory inventory = with_machine("GPU-aaaa|NVIDIA H200|150000000000;GPU-bbbb|NVIDIA A100|80000000000");
  ASSERT_EQ(inventory.gpus.size(), 2u);
  EXPECT_EQ(inventory.gpus[0].uuid, "GPU-aaaa");
  EXPECT_EQ(inventory.gpus[0].name, "NVIDIA H200");
  EXPECT_EQ(inventory.gpus[0].memory_bytes, 150000000000u);
  EXPECT_EQ(inventory.gpus[1].uuid, "GPU-bbbb");
  EXPECT_EQ(inventory.gpus[1].index, 1);
  EXPECT_EQ(inventory.reason, "");
  EXPECT_EQ(describe(inventory), "2: NVIDIA H200 (GPU-aaaa), NVIDIA A100 (GPU-bbbb)");
}

TEST(Gpu, PartitionedDeviceIsItsSlices) {
  GpuInventory inventory =
      with_machine("mig:MIG-1|H200 MIG 1g|1000,MIG-2|H200 MIG 1g|1000;GPU-b|NVIDIA H200|9000");
  ASSERT_EQ(inventory.gpus.size(), 3u);
  EXPECT_EQ(inventory.gpus[0].uuid, "MIG-1");
  EXPECT_EQ(inventory.gpus[1].uuid, "MIG-2");
  EXPECT_EQ(inventory.gpus[1].index, 0);
  EXPECT_EQ(inventory.gpus[2].uuid, "GPU-b");
}

TEST(Gpu, LostDeviceIsLeftOut) {
  GpuInventory inventory = with_machine("dead;GPU-b|NVIDIA H200|9000");
  ASSERT_EQ(inventory.gpus.size(), 1u);
  EXPECT_EQ(inventory.gpus[0].uuid, "GPU-b");

  inventory = with_machine("dead");
  EXPECT_TRUE(inventory.gpus.empty());
  EXPECT_EQ(inventory.reason, "GPU 0 does not answer");
}

TEST(Gpu, NoneWithTheReason) {
  EXPECT_EQ(describe(with_machine("")), "none (the driver knows no device)");
  EXPECT_THAT(with_machine("broken").reason, HasSubstr("Driver Not Loaded"));

  setenv("PAWL_NVML_LIB", "/nonexistent/libnvidia-ml.so.1", 1);
  GpuInventory inventory = gpu_inventory();
  EXPECT_TRUE(inventory.gpus.empty());
  EXPECT_THAT(inventory.reason, HasSubstr("no NVIDIA driver"));

  setenv("PAWL_NVML_LIB", "libm.so.6", 1);
  EXPECT_THAT(gpu_inventory().reason, HasSubstr("is no usable NVML"));
}

}  // namespace
}  // namespace pawl::runners
