// The attempt's control file, mapped read-only: asking for the stop flag is one load from memory.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hooks/capture/wire.h"

namespace pawl::capture {

class ControlMap {
 public:
  ControlMap() = default;
  ControlMap(const ControlMap&) = delete;
  ControlMap& operator=(const ControlMap&) = delete;
  ~ControlMap() {
    if (page_ != nullptr) ::munmap(const_cast<wire::ControlPage*>(page_), sizeof *page_);
  }

  // A missing, short or foreign file is fine: nobody will ask this attempt to stop.
  void open(const char* path) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return;
    struct stat status;
    // A mapping beyond the end of a file would raise SIGBUS when read.
    const bool usable = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                        status.st_size >= static_cast<off_t>(sizeof *page_);
    void* map = usable ? ::mmap(nullptr, sizeof *page_, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (map != MAP_FAILED) page_ = static_cast<const wire::ControlPage*>(map);
    ::close(fd);
  }

  bool stop_requested() const {
    return page_ != nullptr && __atomic_load_n(&page_->magic, __ATOMIC_RELAXED) == wire::kControlMagic &&
           __atomic_load_n(&page_->stop, __ATOMIC_RELAXED) != 0;
  }

 private:
  const wire::ControlPage* page_ = nullptr;
};

}  // namespace pawl::capture
