// The memory of a tensor, for the capture library.
#pragma once

#include <ATen/core/Tensor.h>
#include <pawl/capture.h>

#include <cstdint>
#include <optional>

namespace pawl {
namespace detail {

// nullopt for what has no one-pass statistics: complex, quantised and sparse tensors.
inline std::optional<pawl_dtype> dtype_of(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.layout() != at::kStrided) return std::nullopt;
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return PAWL_F32;
    case at::kDouble:
      return PAWL_F64;
    case at::kHalf:
      return PAWL_F16;
    case at::kBFloat16:
      return PAWL_BF16;
    case at::kChar:
      return PAWL_I8;
    case at::kShort:
      return PAWL_I16;
    case at::kInt:
      return PAWL_I32;
    case at::kLong:
      return PAWL_I64;
    case at::kByte:
      return PAWL_U8;
    case at::kBool:
      return PAWL_BOOL;
    default:
      return std::nullopt;
  }
}

inline uint64_t elements_of(const at::Tensor& tensor) {
  return static_cast<uint64_t>(tensor.numel());
}
inline uint64_t bytes_of(const at::Tensor& tensor) {
  return elements_of(tensor) * tensor.element_size();
}

// Its elements in host memory without gaps, in any order. No copy of one that is (transposed, channels last).
inline at::Tensor dense_on_host(const at::Tensor& tensor) {
  const at::Tensor host = tensor.detach().cpu();
  return host.is_non_overlapping_and_dense() ? host : host.contiguous();
}

// Its elements in host memory, in the order of its indices.
inline at::Tensor ordered_on_host(const at::Tensor& tensor) {
  return tensor.detach().cpu().contiguous();
}

}  // namespace detail
}  // namespace pawl
