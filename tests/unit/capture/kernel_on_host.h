// The GPU's kernels on the CPU: the same functions, all threads of a block one after the other in each phase.
#pragma once

#include <memory>
#include <vector>

#include "hooks/capture/cuda_kernel.h"

namespace pawl::capture::cuda {

struct AllThreads {
  std::vector<Thread> own;

  template <class Phase>
  void operator()(Phase phase) {
    for (uint32_t thread = 0; thread < own.size(); ++thread) phase(thread, own[thread]);
  }
};

inline void reduce_on_host(const Work& work, uint32_t blocks) {
  const auto shared = std::make_unique<ReduceShared>();
  for (uint32_t block = 0; block < blocks; ++block) {
    AllThreads each{std::vector<Thread>(kReduceThreads)};
    reduce_chunk(work, block, *shared, each);
  }
}

inline void fold_on_host(const Work& work, uint32_t blocks) {
  const auto shared = std::make_unique<FoldShared>();
  for (uint32_t block = 0; block < blocks; ++block) {
    AllThreads each{std::vector<Thread>(kFoldThreads)};
    fold_tensor(work, block, *shared, each);
  }
}

}  // namespace pawl::capture::cuda
