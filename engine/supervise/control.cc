#include "engine/supervise/control.h"

#include <fcntl.h>
#include <unistd.h>

#include "hooks/capture/wire.h"

namespace pawl::supervise {
namespace {

Result<void> write_at(int fd, const void* bytes, size_t size, size_t offset) {
  if (pwrite(fd, bytes, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size)) return {};
  return errno_error("cannot write", "control", errno);
}

}  // namespace

Result<ControlFile> ControlFile::create(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return errno_error("cannot create", path, errno);
  wire::ControlPage page{wire::kControlMagic, wire::kControlVersion, 1, 0, 0};
  PAWL_RETURN_IF_ERROR(write_at(fd.get(), &page, sizeof page, 0));
  return ControlFile(std::move(fd));
}

Result<void> ControlFile::request_stop() {
  uint32_t stop = 1;
  return write_at(fd_.get(), &stop, sizeof stop, wire::kControlStopOffset);
}

}  // namespace pawl::supervise
