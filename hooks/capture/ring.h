// A bounded queue of bytes. Not thread-safe: its owner locks. What `readable` returned may be read without
// the lock until `consume`: writes never touch it.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace pawl::capture {

class Ring {
 public:
  struct Span {
    const uint8_t* data;
    size_t size;
  };

  // `capacity` is rounded up to a power of two. The memory is not touched before it is used.
  explicit Ring(size_t capacity) : mask_(std::bit_ceil(capacity) - 1), bytes_(new uint8_t[mask_ + 1]) {}

  size_t capacity() const { return mask_ + 1; }
  size_t used() const { return head_ - tail_; }
  size_t free() const { return capacity() - used(); }

  // REQUIRES: size <= free().
  void write(const uint8_t* data, size_t size) {
    const size_t at = head_ & mask_;
    const size_t first = std::min(size, capacity() - at);
    std::memcpy(bytes_.get() + at, data, first);
    std::memcpy(bytes_.get(), data + first, size - first);
    head_ += size;
  }

  // Everything written and not consumed, in order; the second part is empty unless the ring wraps.
  std::array<Span, 2> readable() const {
    const size_t at = tail_ & mask_;
    const size_t first = std::min(used(), capacity() - at);
    return {Span{bytes_.get() + at, first}, Span{bytes_.get(), used() - first}};
  }

  void consume(size_t size) { tail_ += size; }

 private:
  size_t mask_;
  std::unique_ptr<uint8_t[]> bytes_;
  size_t head_ = 0;  // both count up for ever
  size_t tail_ = 0;
};

}  // namespace pawl::capture
