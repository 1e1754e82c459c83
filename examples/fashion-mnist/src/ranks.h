// The ranks that train together: one process each, gradients averaged by c10d (NCCL on GPUs, else Gloo).
// The heavy c10d headers stay in ranks.cc.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

class Ranks {
 public:
  // Joins the group described by RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, as set by Pawl or
  // torchrun; without them this process trains alone. Blocks until all ranks are there, throws when they do
  // not come.
  Ranks();

  int rank() const { return rank_; }
  int size() const { return size_; }
  at::Device device() const { return device_; }

  // Replaces every tensor by its mean over the ranks. All ranks must call it with tensors of the same shapes.
  void average(const std::vector<at::Tensor>& tensors) const;

 private:
  int rank_, size_;
  at::Device device_ = at::kCPU;
  std::function<void(at::Tensor&)> sum_;  // adds up one flat tensor over the ranks
};
