// How large the elements of a tensor are.
#pragma once

#include <cstdint>

namespace pawl::capture {

// In bytes, of a pawl_dtype; 0 for an unknown one.
inline uint64_t element_bytes(uint32_t dtype) {
  constexpr uint8_t kBytes[] = {4, 8, 2, 2, 1, 2, 4, 8, 1, 1};
  return dtype < sizeof kBytes ? kBytes[dtype] : 0;
}

}  // namespace pawl::capture
