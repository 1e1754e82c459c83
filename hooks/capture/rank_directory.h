// The folder <trace_dir>/rank-%05u of one rank: its lock, its segment files and the file of its ring.
//
// Threads: `lock` and `create_ring` before any other thread knows the object; then one thread at a time for
// the segments, and one for the ring; `forked_child` always.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstdint>

#include "hooks/capture/error_text.h"
#include "hooks/capture/include/pawl/capture.h"

namespace pawl::capture {

class RankDirectory {
 public:
  RankDirectory() = default;
  RankDirectory(const RankDirectory&) = delete;
  RankDirectory& operator=(const RankDirectory&) = delete;
  ~RankDirectory();

  // Creates the folder and takes its lock for the life of this object; what a process before left unwritten
  // is written (recovery.h). PAWL_E_BUSY when another process has the lock.
  pawl_status lock(const char* trace_dir, uint32_t rank, ErrorText& error);

  // The file of a ring (ring_file.h), `size` bytes of zeros that stay there however full the disk gets; its
  // descriptor, good until remove_ring, or -1 when there can be none. The trace goes on without.
  int create_ring(uint64_t size);
  bool write_ring(const uint8_t* data, size_t size, uint64_t offset);  // may grow it; false without one
  void remove_ring();

  // Starts the next segment file, numbered after the highest one there; the one before is closed.
  bool open_segment(ErrorText& error);
  // Goes on in the segment with the highest number. REQUIRES: there is one, which ends with a whole record.
  bool continue_segment(ErrorText& error);
  // Appends all bytes. On failure the segment is closed (its last record may be torn: nothing will follow it)
  // and a file in which nothing was written is deleted.
  bool append(const struct iovec* parts, int count, ErrorText& error);

  bool has_segment() const { return segment_fd_.load(std::memory_order_relaxed) >= 0; }
  uint32_t segment() const { return number_; }
  uint64_t segment_size() const { return size_; }

  // In a child of fork(): gives up the descriptors, so that the child does not keep the lock of a parent that
  // has gone. Async-signal-safe.
  void forked_child();

 private:
  pawl_status fail(ErrorText& error, const char* what, int errno_value) const;
  bool write_all(struct iovec* parts, int count, ErrorText& error);

  char path_[4096] = "";
  std::atomic<int> dir_fd_{-1};
  std::atomic<int> lock_fd_{-1};
  std::atomic<int> segment_fd_{-1};
  std::atomic<int> ring_fd_{-1};
  uint32_t number_ = 0;
  uint64_t size_ = 0;
};

}  // namespace pawl::capture
