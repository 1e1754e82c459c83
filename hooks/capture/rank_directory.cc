#include "hooks/capture/rank_directory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "hooks/capture/file_limit.h"
#include "hooks/capture/recovery.h"
#include "hooks/capture/ring_file.h"
#include "hooks/capture/segment_name.h"

namespace pawl::capture {

namespace {

void close_fd(std::atomic<int>& fd) {
  // Exchanged first: a child forked at any moment sees a descriptor that is still ours, or none.
  const int old = fd.exchange(-1);
  if (old >= 0) ::close(old);
}

// Whether space that was allocated to a file stays its own: where a full disk can refuse a page of a mapping
// later, writing to it would end the program (SIGBUS).
bool keeps_space(int fd) {
  struct statfs file_system;
  if (::fstatfs(fd, &file_system) != 0) return false;
  switch (file_system.f_type) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
      return true;
    default:
      return false;
  }
}

}  // namespace

RankDirectory::~RankDirectory() {
  // Explicitly: a child that is just being forked may still have its copy of the descriptor.
  if (lock_fd_ >= 0) ::flock(lock_fd_, LOCK_UN);
  close_fd(ring_fd_);
  close_fd(segment_fd_);
  close_fd(dir_fd_);
  close_fd(lock_fd_);
}

void RankDirectory::forked_child() {
  close_fd(ring_fd_);
  close_fd(segment_fd_);
  close_fd(dir_fd_);
  close_fd(lock_fd_);  // the lock stays: it belongs to the open file, which the parent still has
}

pawl_status RankDirectory::fail(ErrorText& error, const char* what, int errno_value) const {
  char buffer[128];
  error.set("%s %s: %s", what, path_, ::strerror_r(errno_value, buffer, sizeof buffer));
  return PAWL_E_IO;
}

pawl_status RankDirectory::lock(const char* trace_dir, uint32_t rank, ErrorText& error) {
  const int length = std::snprintf(path_, sizeof path_, "%s/rank-%05u", trace_dir, rank);
  if (length < 0 || static_cast<size_t>(length) >= sizeof path_) {
    error.set("the path of the trace directory is too long");
    return PAWL_E_ARGUMENT;
  }
  if (::mkdir(trace_dir, 0777) != 0 && errno != EEXIST) return fail(error, "cannot create", errno);
  if (::mkdir(path_, 0777) != 0 && errno != EEXIST) return fail(error, "cannot create", errno);
  dir_fd_ = ::open(path_, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (dir_fd_ < 0) return fail(error, "cannot open", errno);
  lock_fd_ = ::openat(dir_fd_, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (lock_fd_ < 0) return fail(error, "cannot create the lock in", errno);
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(error, "cannot lock", errno);
    error.set("another process records %s", path_);
    return PAWL_E_BUSY;
  }
  complete_locked_rank(dir_fd_);
  const int64_t highest = highest_segment(dir_fd_);
  if (highest < 0) return fail(error, "cannot list", errno);
  number_ = static_cast<uint32_t>(highest);
  return PAWL_OK;
}

int RankDirectory::create_ring(uint64_t size) {
  if (!within_file_limit(size)) return -1;
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  ring_fd_ = ::openat(dir_fd_, wire::kRingName, flags, 0666);
  if (ring_fd_ < 0) return -1;
  // Not posix_fallocate: where the file system cannot, that of glibc writes zeros, which promises nothing.
  const auto allocate = [&] { return ::fallocate(ring_fd_, 0, 0, static_cast<off_t>(size)) == 0; };
  bool kept = false;
  while (keeps_space(ring_fd_) && !(kept = allocate()) && errno == EINTR) {
  }
  if (!kept) remove_ring();
  return ring_fd_;
}

bool RankDirectory::write_ring(const uint8_t* data, size_t size, uint64_t offset) {
  if (ring_fd_ < 0 || !within_file_limit(offset + size)) return false;
  return ::pwrite(ring_fd_, data, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

void RankDirectory::remove_ring() {
  if (ring_fd_ < 0) return;
  ::unlinkat(dir_fd_, wire::kRingName, 0);
  close_fd(ring_fd_);
}

bool RankDirectory::open_segment(ErrorText& error) {
  close_fd(segment_fd_);
  char name[kSegmentName];
  segment_name(name, ++number_);
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
  const int fd = ::openat(dir_fd_, name, flags, 0666);
  if (fd < 0) {
    const int cause = errno;
    if (cause != EEXIST) --number_;
    fail(error, "cannot create a segment in", cause);
    return false;
  }
  size_ = 0;
  segment_fd_ = fd;
  return true;
}

bool RankDirectory::continue_segment(ErrorText& error) {
  close_fd(segment_fd_);
  char name[kSegmentName];
  segment_name(name, number_);
  const int fd = ::openat(dir_fd_, name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat status;
  if (fd < 0 || ::fstat(fd, &status) != 0) {
    fail(error, "cannot go on in a segment in", errno);
    if (fd >= 0) ::close(fd);
    return false;
  }
  size_ = static_cast<uint64_t>(status.st_size);
  segment_fd_ = fd;
  return true;
}

bool RankDirectory::append(const struct iovec* parts, int count, ErrorText& error) {
  constexpr int kMaxParts = 8;
  struct iovec rest[kMaxParts];
  count = std::min(count, kMaxParts);
  std::copy(parts, parts + count, rest);
  if (write_all(rest, count, error)) return true;
  close_fd(segment_fd_);
  if (size_ == 0) {
    char name[kSegmentName];
    segment_name(name, number_--);
    ::unlinkat(dir_fd_, name, 0);
  }
  return false;
}

bool RankDirectory::write_all(struct iovec* parts, int count, ErrorText& error) {
  while (count > 0) {
    if (parts->iov_len == 0) {
      ++parts, --count;
      continue;
    }
    const ssize_t written = ::writev(segment_fd_, parts, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      fail(error, "cannot write to", written == 0 ? ENOSPC : errno);
      return false;
    }
    size_ += static_cast<uint64_t>(written);
    auto left = static_cast<size_t>(written);
    while (count > 0 && left >= parts->iov_len) left -= parts->iov_len, ++parts, --count;
    if (count > 0 && left > 0) {
      parts->iov_base = static_cast<char*>(parts->iov_base) + left;
      parts->iov_len -= left;
    }
  }
  return true;
}

}  // namespace pawl::capture
