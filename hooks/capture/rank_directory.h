// The folder <trace_dir>/rank-%05u of one rank: its lock and its segment files.
//
// Threads: `lock` before any other thread knows the object; then one thread at a time, except `forked_child`.
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

  // Creates the folder and takes its lock for the life of this object. PAWL_E_BUSY when another process has
  // it.
  pawl_status lock(const char* trace_dir, uint32_t rank, ErrorText& error);

  // Starts the next segment file, numbered after the highest one there; the one before is closed.
  bool open_segment(ErrorText& error);
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
  uint32_t number_ = 0;
  uint64_t size_ = 0;
};

}  // namespace pawl::capture
