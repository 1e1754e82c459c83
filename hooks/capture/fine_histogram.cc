#include "hooks/capture/fine_histogram.h"

#include "hooks/capture/plain_arithmetic.h"
#include "hooks/capture/stats_element.h"

namespace pawl::capture {

namespace {

constexpr uint64_t kBlocks = 16;
constexpr uint64_t kSampleBlock = 2048;

template <class T>
void add(const T* data, uint64_t count, uint32_t* bins) {
  for (uint64_t i = 0; i < count; ++i) ++bins[fine_bin(to_double(data[i]))];
}

// The first block begins with the first element, the last one ends with the last.
template <class T>
void add_sample(const T* data, uint64_t count, uint32_t* bins) {
  const uint64_t room = count - kSampleBlock, gaps = kBlocks - 1;
  for (uint64_t b = 0; b < kBlocks; ++b) {
    add(data + b * (room / gaps) + b * (room % gaps) / gaps, kSampleBlock, bins);
  }
}

}  // namespace

bool sample_fine(const void* data, pawl_dtype dtype, uint64_t count, uint32_t* bins, uint64_t& sampled) {
  const PlainArithmetic plain;
  const bool all = count <= kBlocks * kSampleBlock;
  sampled += all ? count : kBlocks * kSampleBlock;
  return visit_elements(data, dtype, [&](const auto* elements) {
    all ? add(elements, count, bins) : add_sample(elements, count, bins);
  });
}

}  // namespace pawl::capture
