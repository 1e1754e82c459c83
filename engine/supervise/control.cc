#include "engine/supervise/control.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "hooks/capture/wire.h"

namespace pawl::supervise {
namespace {

Result<void> write_at(int fd, const void* bytes, size_t size, size_t offset) {
  if (pwrite(fd, bytes, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size)) return {};
  return errno_error("cannot write", "control", errno);
}

}  // namespace

Result<ControlFile> ControlFile::create(const std::string& path, std::string_view request) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return errno_error("cannot create", path, errno);
  // The whole of it exists from the start: ranks map it once.
  if (int failed = posix_fallocate(fd.get(), 0, wire::kControlBytes); failed != 0)
    return errno_error("cannot create", path, failed);
  wire::ControlPage page{wire::kControlMagic, wire::kControlVersion, 0, 0, 0};
  PAWL_RETURN_IF_ERROR(write_at(fd.get(), &page, sizeof page, 0));
  ControlFile control(std::move(fd));
  PAWL_RETURN_IF_ERROR(control.set_request(request));
  return control;
}

Result<void> ControlFile::set_request(std::string_view request) {
  if (request.size() > wire::kMaxRequest) {
    return Error(ErrorCode::invalid,
                 fmt::format("a capture request of {}, at most {} are possible", format_bytes(request.size()),
                             format_bytes(wire::kMaxRequest)));
  }
  wire::ControlRequest head{static_cast<uint32_t>(request.size()),
                            wire::crc32c(reinterpret_cast<const uint8_t*>(request.data()), request.size())};
  PAWL_RETURN_IF_ERROR(write_at(fd_.get(), &head, sizeof head, sizeof(wire::ControlPage)));
  PAWL_RETURN_IF_ERROR(write_at(fd_.get(), request.data(), request.size(), wire::kControlTextOffset));
  const uint64_t next = generation_ + 1;
  PAWL_RETURN_IF_ERROR(write_at(fd_.get(), &next, sizeof next, wire::kControlGenerationOffset));
  generation_ = next;
  return {};
}

Result<void> ControlFile::request_stop() {
  uint32_t stop = 1;
  return write_at(fd_.get(), &stop, sizeof stop, wire::kControlStopOffset);
}

}  // namespace pawl::supervise
