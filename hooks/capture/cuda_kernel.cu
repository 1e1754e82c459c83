// The kernels, for clang without a CUDA toolkit: what its headers would define is here.
#define PAWL_KERNEL extern "C" __attribute__((global))

#pragma clang force_cuda_host_device begin
#include "hooks/capture/cuda_kernel.h"

namespace pawl::capture::cuda {

// One thread of the GPU.
struct ThisThread {
  Thread own;

  template <class Phase>
  void operator()(Phase phase) {
    phase(static_cast<uint32_t>(__nvvm_read_ptx_sreg_tid_x()), own);
    __syncthreads();
  }
};

}  // namespace pawl::capture::cuda
#pragma clang force_cuda_host_device end

using namespace pawl::capture::cuda;

// Four blocks at once on a multiprocessor are enough to keep its memory busy, and leave 64 registers a
// thread.
PAWL_KERNEL __attribute__((launch_bounds(kReduceThreads, 4))) void pawl_reduce(Work work) {
  static __attribute__((shared)) ReduceShared shared;
  ThisThread each;
  reduce_chunk(work, static_cast<uint32_t>(__nvvm_read_ptx_sreg_ctaid_x()), shared, each);
}

PAWL_KERNEL __attribute__((launch_bounds(kFoldThreads))) void pawl_fold(Work work) {
  static __attribute__((shared)) FoldShared shared;
  ThisThread each;
  fold_tensor(work, static_cast<uint32_t>(__nvvm_read_ptx_sreg_ctaid_x()), shared, each);
}
