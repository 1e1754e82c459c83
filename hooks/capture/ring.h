// A bounded queue of bytes. In a file (ring_file.h) it survives the process: what `write` has returned from
// is there, however the process ends. Not thread-safe: its owner locks. What `readable` returned may be read
// without the lock until `consume`: writes never touch it.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "hooks/capture/boot_id.h"
#include "hooks/capture/ring_file.h"

namespace pawl::capture {

class Ring {
 public:
  struct Span {
    const uint8_t* data;
    size_t size;
  };

  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    if (page_ != nullptr) ::munmap(page_, file_size(capacity()));
  }

  // Of a file for a ring of `capacity` bytes, a power of two; declarations come behind it.
  static uint64_t file_size(size_t capacity) { return wire::kRingOffset + capacity; }

  // Before anything else. `file` has file_size(capacity) bytes of zeros, held ready by the file system; with
  // -1, or when it cannot be mapped, the ring is memory that dies with the process. May throw std::bad_alloc.
  void map(size_t capacity, int file) {
    void* memory = MAP_FAILED;
    if (file >= 0) memory = map_memory(capacity, MAP_SHARED, file);
    if (memory == MAP_FAILED) memory = map_memory(capacity, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    ::madvise(memory, file_size(capacity), MADV_DONTFORK);  // a child has no business here
    page_ = static_cast<wire::RingPage*>(memory);
    bytes_ = static_cast<uint8_t*>(memory) + wire::kRingOffset;
    mask_ = capacity - 1;
    page_->version = wire::kRingVersion;
    page_->capacity = capacity;
    const BootId boot = boot_id();
    std::memcpy(page_->boot, boot.data(), sizeof page_->boot);
  }

  size_t capacity() const { return mask_ + 1; }
  size_t used() const { return head_ - tail_; }
  size_t free() const { return capacity() - used(); }
  uint64_t head() const { return head_; }  // both count up for ever
  uint64_t tail() const { return tail_; }

  // REQUIRES: size <= free().
  void write(const uint8_t* data, size_t size) {
    const size_t at = head_ & mask_;
    const size_t first = std::min(size, capacity() - at);
    std::memcpy(bytes_ + at, data, first);
    std::memcpy(bytes_, data + first, size - first);
    head_ += size;
    __atomic_store_n(&page_->head, head_, __ATOMIC_RELEASE);
  }

  // Everything written and not consumed, in order; the second part is empty unless the ring wraps.
  std::array<Span, 2> readable() const {
    const size_t at = tail_ & mask_;
    const size_t first = std::min(used(), capacity() - at);
    return {Span{bytes_ + at, first}, Span{bytes_, used() - first}};
  }

  void consume(size_t size) { tail_ += size; }

  // Bytes of declarations that are in the file, behind the ring.
  uint64_t declared() const { return page_->declared; }
  void set_declared(uint64_t bytes) { __atomic_store_n(&page_->declared, bytes, __ATOMIC_RELEASE); }

  // Records that were dropped so far.
  void set_dropped(uint64_t records) { __atomic_store_n(&page_->dropped, records, __ATOMIC_RELEASE); }

  // By one thread, with or without the lock: the batch announced next is filled in place, then announced. It
  // holds until the next one, so whatever was announced before has to be written, or given up.
  wire::RingBatch& next_batch() { return page_->batches[(page_->announced + 1) % 2]; }
  void announce() {
    __atomic_store_n(&page_->announced, page_->announced + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&page_->magic, wire::kRingMagic, __ATOMIC_RELEASE);
  }

 private:
  static void* map_memory(size_t capacity, int flags, int file) {
    return ::mmap(nullptr, file_size(capacity), PROT_READ | PROT_WRITE, flags, file, 0);
  }

  size_t mask_ = 0;
  wire::RingPage* page_ = nullptr;
  uint8_t* bytes_ = nullptr;
  uint64_t head_ = 0;
  uint64_t tail_ = 0;
};

}  // namespace pawl::capture
