// Which boot of the machine this is; all zeros where the kernel does not tell.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>

namespace pawl::capture {

using BootId = std::array<char, 40>;

inline BootId boot_id() {
  BootId id{};
  const int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return id;
  if (::read(fd, id.data(), id.size() - 1) < 0) id.fill('\0');
  ::close(fd);
  return id;
}

}  // namespace pawl::capture
