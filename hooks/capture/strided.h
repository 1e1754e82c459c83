// Statistics of a view of memory in which the elements of a tensor need not lie side by side.
#pragma once

#include <cstdint>

#include "hooks/capture/stats.h"

namespace pawl::capture {

inline constexpr uint32_t kMaxViewDims = 64;  // as many as a tensor of torch can have

// Where the elements are: those of index i, j, ... at data[i * strides[0] + j * strides[1] + ...], in
// elements. Strides may be 0 (an expanded dimension: its elements count as often as the view has them) or
// negative, and elements may be shared.
struct View {
  const void* data;
  uint32_t dims;
  const int64_t* shape;
  const int64_t* strides;
};

// As accumulate() of the elements of `view`. Dense memory is read where it is, in the order in which it lies,
// whatever the order of the dimensions; rows that are too short for that, and single elements, are gathered
// into blocks. False, and nothing is added, for an unknown dtype, too many dimensions, a negative size, or
// more than 2^63-1 elements, or strides that reach beyond 2^63-1 bytes.
bool accumulate_view(Simd simd, const View& view, pawl_dtype dtype, Totals& totals);

}  // namespace pawl::capture
