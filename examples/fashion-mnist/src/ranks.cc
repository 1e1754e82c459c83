#include "ranks.h"

#include <ATen/Context.h>
#include <ATen/ops/cat.h>
#include <torch/cuda.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef USE_C10D_NCCL
#include <c10/cuda/CUDAFunctions.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace {

int env_int(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text ? std::stoi(text) : otherwise;
}

// Rank 0 serves the store, unless torchrun's agent does; that one keeps it for all restarts.
c10::intrusive_ptr<c10d::Store> meet(const std::string& address, int rank, int size) {
  const char* of_agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  const bool of_torchrun = of_agent && std::string(of_agent) == "True";
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(env_int("MASTER_PORT", 29500));
  options.isServer = rank == 0 && !of_torchrun;
  options.numWorkers = static_cast<size_t>(size);
  auto store = c10::make_intrusive<c10d::TCPStore>(address, options);
  if (!of_torchrun) return store;
  const int restart = env_int("TORCHELASTIC_RESTART_COUNT", 0);
  return c10::make_intrusive<c10d::PrefixStore>("/worker/attempt_" + std::to_string(restart), store);
}

std::function<void(at::Tensor&)> sum_with_gloo(const c10::intrusive_ptr<c10d::Store>& store,
                                               const std::string& address, int rank, int size) {
  auto options = c10d::ProcessGroupGloo::Options::create();
  const bool one_machine = address == "127.0.0.1" || address == "localhost";
  options->devices.push_back(one_machine ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                         : c10d::ProcessGroupGloo::createDefaultDevice());
  auto group = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
  return [group](at::Tensor& flat) {
    std::vector<at::Tensor> tensors{flat.cpu()};
    group->allreduce(tensors)->wait();
    flat.copy_(tensors[0]);
  };
}

#ifdef USE_C10D_NCCL
std::function<void(at::Tensor&)> sum_with_nccl(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                               int size) {
  auto group = c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size);
  return [group](at::Tensor& flat) {
    std::vector<at::Tensor> tensors{flat};
    group->allreduce(tensors)->wait();
  };
}
#endif

}  // namespace

Ranks::Ranks() : rank_(env_int("RANK", 0)), size_(env_int("WORLD_SIZE", 1)) {
  if (rank_ < 0 || rank_ >= size_) throw std::runtime_error("RANK must be below WORLD_SIZE");
  at::globalContext().setDeterministicCuDNN(true);
  const int local_rank = env_int("LOCAL_RANK", 0);
  if (torch::cuda::is_available()) {
    device_ = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(local_rank % torch::cuda::device_count()));
  }
  if (size_ == 1) return;

  const char* address = std::getenv("MASTER_ADDR");
  const std::string host = address ? address : "127.0.0.1";
  const auto store = meet(host, rank_, size_);
#ifdef USE_C10D_NCCL
  // NCCL refuses ranks that share a GPU. Where CUDA_VISIBLE_DEVICES is set, whoever started the ranks gave
  // each its own.
  const bool own_gpu = static_cast<int>(torch::cuda::device_count()) >= env_int("LOCAL_WORLD_SIZE", size_) ||
                       std::getenv("CUDA_VISIBLE_DEVICES") != nullptr;
  if (device_.is_cuda() && own_gpu) {
    c10::cuda::set_device(device_.index());
    sum_ = sum_with_nccl(store, rank_, size_);
    return;
  }
#endif
  sum_ = sum_with_gloo(store, host, rank_, size_);
}

void Ranks::average(const std::vector<at::Tensor>& tensors) const {
  if (!sum_) return;
  // One collective for all of them: small messages cost latency, not bandwidth.
  std::vector<at::Tensor> parts;
  for (const at::Tensor& tensor : tensors) parts.push_back(tensor.flatten());
  at::Tensor flat = at::cat(parts);
  sum_(flat);
  flat.div_(size_);
  int64_t offset = 0;
  for (const at::Tensor& tensor : tensors) {
    tensor.copy_(flat.narrow(0, offset, tensor.numel()).view_as(tensor));
    offset += tensor.numel();
  }
}
