#include "hooks/capture/strided.h"

#include <algorithm>
#include <cstring>

#include "hooks/capture/element.h"
#include "hooks/capture/plain_arithmetic.h"

namespace pawl::capture {

namespace {

struct Dim {
  int64_t size;
  int64_t stride;
};

// The same elements in memory order, with as few dimensions as possible.
struct Layout {
  const char* data;
  uint64_t count = 1;   // elements of `dims`
  uint64_t repeat = 1;  // times that each of them counts
  uint32_t rank = 0;
  Dim dims[kMaxViewDims];  // from the largest stride to the smallest, all positive; sizes of at least 2
};

// Statistics do not depend on the order of elements, nor on the direction in which a dimension is walked.
bool lay_out(const View& view, size_t element, Layout& out) {
  if (view.dims > kMaxViewDims || element == 0) return false;
  out.data = static_cast<const char*>(view.data);
  const int64_t* end = view.shape + view.dims;
  if (std::any_of(view.shape, end, [](int64_t size) { return size < 0; })) return false;
  if (std::find(view.shape, end, 0) != end) {
    out.count = 0;
    return true;
  }
  int64_t total = 1, reach = 0;
  for (uint32_t d = 0; d < view.dims; ++d) {
    const int64_t size = view.shape[d], stride = view.strides[d];
    if (__builtin_mul_overflow(total, size, &total)) return false;
    (stride == 0 ? out.repeat : out.count) *= static_cast<uint64_t>(size);
    if (size == 1 || stride == 0) continue;
    // How far the elements reach, in bytes: what is within that does not overflow either.
    int64_t distance;
    if (__builtin_mul_overflow(size, stride, &distance) ||
        __builtin_mul_overflow(distance, static_cast<int64_t>(element), &distance) ||
        __builtin_add_overflow(reach, distance < 0 ? distance : -distance, &reach)) {
      return false;
    }
    if (stride < 0) out.data += (size - 1) * stride * static_cast<int64_t>(element);
    out.dims[out.rank++] = {size, stride < 0 ? -stride : stride};
  }
  std::sort(out.dims, out.dims + out.rank, [](const Dim& a, const Dim& b) { return a.stride > b.stride; });
  uint32_t kept = 0;
  for (uint32_t d = 0; d < out.rank; ++d) {
    const Dim dim = out.dims[d];
    Dim* outer = kept > 0 ? &out.dims[kept - 1] : nullptr;
    if (outer != nullptr && outer->stride == dim.size * dim.stride) {
      *outer = {outer->size * dim.size, dim.stride};
    } else {
      out.dims[kept++] = dim;
    }
  }
  out.rank = kept;
  return true;
}

// Calls `row(start)` for the start of each innermost row, in memory order.
template <class Row>
void for_each_row(const Layout& layout, size_t element, Row row) {
  const uint32_t outer = layout.rank - 1;
  int64_t index[kMaxViewDims] = {};
  const char* start = layout.data;
  for (;;) {
    row(start);
    uint32_t d = outer;
    for (; d > 0; --d) {
      const Dim& dim = layout.dims[d - 1];
      const int64_t step = dim.stride * static_cast<int64_t>(element);
      start += step;
      if (++index[d - 1] < dim.size) break;
      start -= step * dim.size;
      index[d - 1] = 0;
    }
    if (d == 0) return;
  }
}

// Elements on their way into blocks. T has their size; what they mean only the kernel knows.
template <class T>
class Gatherer {
 public:
  Gatherer(Simd simd, pawl_dtype dtype, Totals& totals) : simd_(simd), dtype_(dtype), totals_(totals) {}

  void row(const char* start, int64_t size, int64_t stride) {
    const T* in = reinterpret_cast<const T*>(start);
    if (stride == 1 && size >= kCapacity) {
      accumulate(simd_, in, dtype_, static_cast<uint64_t>(size), totals_);
      return;
    }
    while (size > 0) {
      const int64_t n = std::min(size, kCapacity - held_);
      copy(in, n, stride);
      in += n * stride;
      size -= n;
      held_ += n;
      if (held_ == kCapacity) flush();
    }
  }

  void flush() {
    accumulate(simd_, block_, dtype_, static_cast<uint64_t>(held_), totals_);
    held_ = 0;
  }

 private:
  static constexpr int64_t kCapacity = 4 * kBlock;
  static constexpr int64_t kShortRow = 16;  // elements; memcpy pays from there

  void copy(const T* in, int64_t n, int64_t stride) {
    T* out = block_ + held_;
    if (stride == 1 && n >= kShortRow) {
      std::memcpy(out, in, static_cast<size_t>(n) * sizeof(T));
    } else {
      for (int64_t i = 0; i < n; ++i) std::memcpy(out + i, in + i * stride, sizeof(T));
    }
  }

  Simd simd_;
  pawl_dtype dtype_;
  Totals& totals_;
  int64_t held_ = 0;
  alignas(64) T block_[kCapacity];
};

template <class T>
void gather(Simd simd, const Layout& layout, pawl_dtype dtype, Totals& totals) {
  Gatherer<T> gatherer(simd, dtype, totals);
  const Dim inner = layout.dims[layout.rank - 1];
  for_each_row(layout, sizeof(T), [&](const char* start) { gatherer.row(start, inner.size, inner.stride); });
  gatherer.flush();
}

void add_repeated(const Totals& part, uint64_t repeat, Totals& totals) {
  const auto times = static_cast<double>(repeat);
  totals.count += part.count * repeat;
  totals.nan += part.nan * repeat;
  totals.inf += part.inf * repeat;
  totals.zero += part.zero * repeat;
  totals.min = std::min(totals.min, part.min);
  totals.max = std::max(totals.max, part.max);
  totals.sum += part.sum * times;
  totals.abs_sum += part.abs_sum * times;
  totals.square_sum += part.square_sum * times;
  for (int k = 0; k < kBuckets; ++k) totals.magnitude[k] += part.magnitude[k] * repeat;
}

}  // namespace

bool accumulate_view(Simd simd, const View& view, pawl_dtype dtype, Totals& totals) {
  const PlainArithmetic plain;
  const size_t element = element_bytes(dtype);
  Layout layout;
  if (!lay_out(view, element, layout)) return false;
  Totals part;
  const bool dense = layout.rank == 0 || (layout.rank == 1 && layout.dims[0].stride == 1);
  if (dense) {
    accumulate(simd, layout.data, dtype, layout.count, part);
  } else if (element == 1) {
    gather<uint8_t>(simd, layout, dtype, part);
  } else if (element == 2) {
    gather<uint16_t>(simd, layout, dtype, part);
  } else if (element == 4) {
    gather<uint32_t>(simd, layout, dtype, part);
  } else {
    gather<uint64_t>(simd, layout, dtype, part);
  }
  add_repeated(part, layout.repeat, totals);
  return true;
}

}  // namespace pawl::capture
