// The attempt's control file, mapped read-only: asking for the stop flag, or whether the capture request has
// changed, is one load from memory.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "hooks/capture/wire.h"

namespace pawl::capture {

class ControlMap {
 public:
  ControlMap() = default;
  ControlMap(const ControlMap&) = delete;
  ControlMap& operator=(const ControlMap&) = delete;
  ~ControlMap() {
    if (bytes_ != nullptr) ::munmap(const_cast<uint8_t*>(bytes_), wire::kControlBytes);
  }

  // A missing, short or foreign file is fine: nobody will ask this attempt for anything.
  void open(const char* path) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return;
    struct stat status;
    // A mapping beyond the end of a file would raise SIGBUS when read.
    const bool usable = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                        status.st_size >= static_cast<off_t>(wire::kControlBytes);
    void* map = usable ? ::mmap(nullptr, wire::kControlBytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (map != MAP_FAILED) bytes_ = static_cast<const uint8_t*>(map);
    ::close(fd);
  }

  bool stop_requested() const {
    return is_written() && __atomic_load_n(&page()->stop, __ATOMIC_RELAXED) != 0;
  }

  // 0 without a control file.
  uint64_t generation() const {
    return is_written() ? __atomic_load_n(&page()->generation, __ATOMIC_ACQUIRE) : 0;
  }

  // The request of generation(). False while it is being changed.
  bool read_request(std::string& text) const {
    if (!is_written()) return false;
    wire::ControlRequest request;
    std::memcpy(&request, bytes_ + sizeof(wire::ControlPage), sizeof request);
    if (request.text_bytes > wire::kMaxRequest) return false;
    text.assign(reinterpret_cast<const char*>(bytes_ + wire::kControlTextOffset), request.text_bytes);
    return wire::crc32c(reinterpret_cast<const uint8_t*>(text.data()), text.size()) == request.crc;
  }

 private:
  const wire::ControlPage* page() const { return reinterpret_cast<const wire::ControlPage*>(bytes_); }
  bool is_written() const {
    return bytes_ != nullptr && __atomic_load_n(&page()->magic, __ATOMIC_RELAXED) == wire::kControlMagic;
  }

  const uint8_t* bytes_ = nullptr;
};

}  // namespace pawl::capture
