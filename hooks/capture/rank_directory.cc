#include "hooks/capture/rank_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pawl::capture {

namespace {

void close_fd(std::atomic<int>& fd) {
  // Exchanged first: a child forked at any moment sees a descriptor that is still ours, or none.
  const int old = fd.exchange(-1);
  if (old >= 0) ::close(old);
}

constexpr size_t kSegmentName = 32;

void segment_name(char (&name)[kSegmentName], uint32_t number) {
  std::snprintf(name, sizeof name, "%06u.seg", number);
}

// The number in a segment's name, 0 if it is none.
uint32_t segment_number(const char* name) {
  char* end = nullptr;
  const unsigned long number = std::strtoul(name, &end, 10);
  if (number == 0 || number >= UINT32_MAX) return 0;
  char canonical[kSegmentName];
  segment_name(canonical, static_cast<uint32_t>(number));
  return std::strcmp(canonical, name) == 0 ? static_cast<uint32_t>(number) : 0;
}

// Highest segment number in the folder; -1 when it cannot be read.
int64_t highest_segment(int dir_fd) {
  const int fd = ::openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  DIR* dir = ::fdopendir(fd);
  if (dir == nullptr) {
    ::close(fd);
    return -1;
  }
  int64_t highest = 0;
  while (const dirent* entry = ::readdir(dir)) {
    highest = std::max<int64_t>(highest, segment_number(entry->d_name));
  }
  ::closedir(dir);
  return highest;
}

}  // namespace

RankDirectory::~RankDirectory() {
  // Explicitly: a child that is just being forked may still have its copy of the descriptor.
  if (lock_fd_ >= 0) ::flock(lock_fd_, LOCK_UN);
  close_fd(segment_fd_);
  close_fd(dir_fd_);
  close_fd(lock_fd_);
}

void RankDirectory::forked_child() {
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
  const int64_t highest = highest_segment(dir_fd_);
  if (highest < 0) return fail(error, "cannot list", errno);
  number_ = static_cast<uint32_t>(highest);
  return PAWL_OK;
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
