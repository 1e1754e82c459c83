// The names of segment files, "000001.seg": at least six digits, no number twice.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pawl::capture {

inline constexpr size_t kSegmentName = 32;

inline void segment_name(char (&name)[kSegmentName], uint32_t number) {
  std::snprintf(name, sizeof name, "%06u.seg", number);
}

// The number in a segment's name, 0 if it is none.
inline uint32_t segment_number(const char* name) {
  char* end = nullptr;
  const unsigned long number = std::strtoul(name, &end, 10);
  if (number == 0 || number >= UINT32_MAX) return 0;
  char canonical[kSegmentName];
  segment_name(canonical, static_cast<uint32_t>(number));
  return std::strcmp(canonical, name) == 0 ? static_cast<uint32_t>(number) : 0;
}

// Highest segment number in the folder; -1 when it cannot be read.
inline int64_t highest_segment(int dir_fd) {
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

}  // namespace pawl::capture
