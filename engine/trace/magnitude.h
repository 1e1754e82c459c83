// How trace.db holds the 16 counts of TensorStats::magnitude: most tensors fill a few neighbours. Those from
// the first to the last that is not 0, little-endian, each in as many bytes as the greatest needs. The view
// v1_tensors makes 16 64-bit counts of it.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace pawl::trace {

static_assert(std::endian::native == std::endian::little);

class PackedMagnitude {
 public:
  explicit PackedMagnitude(const std::array<uint64_t, 16>& counts) {
    uint64_t all = 0;
    int first = 16, last = -1;
    for (int k = 0; k < 16; ++k) {
      if (counts[static_cast<size_t>(k)] == 0) continue;
      all |= counts[static_cast<size_t>(k)];
      if (first == 16) first = k;
      last = k;
    }
    if (last < 0) return;
    const size_t width = static_cast<size_t>(std::bit_width(all) + 7) / 8;
    at_ = static_cast<uint8_t>(8 * static_cast<size_t>(first) + width - 1);
    for (int k = first; k <= last; ++k) {
      // What does not belong to it is overwritten by the next.
      std::memcpy(bytes_.data() + size_, &counts[static_cast<size_t>(k)], sizeof(uint64_t));
      size_ += width;
    }
  }

  uint8_t at() const { return at_; }  // 8 * first + bytes of a count - 1
  std::string_view bytes() const { return {bytes_.data(), size_}; }

 private:
  uint8_t at_ = 0;
  size_t size_ = 0;
  std::array<char, 16 * sizeof(uint64_t)> bytes_;
};

// What is beyond the 16 counts is left out.
inline std::array<uint64_t, 16> unpack_magnitude(int64_t at, std::string_view bytes) {
  std::array<uint64_t, 16> counts{};
  if (at < 0) return counts;
  const auto width = static_cast<size_t>(at % 8 + 1);
  for (auto k = static_cast<size_t>(at / 8); k < counts.size() && bytes.size() >= width; ++k) {
    std::memcpy(&counts[k], bytes.data(), width);
    bytes.remove_prefix(width);
  }
  return counts;
}

}  // namespace pawl::trace
