// The attempt's `control` file as the supervisor writes it (layout: hooks/capture/wire.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/files.h"

namespace pawl::supervise {

class ControlFile {
 public:
  // Creates the file, or resets the one of an earlier start in place: it may be mapped. `request` is what the
  // ranks are started with; it gets generation 1.
  static Result<ControlFile> create(const std::string& path, std::string_view request);
  // Asks the ranks to record something else from their next step on. Error invalid when it is too long.
  Result<void> set_request(std::string_view request);
  uint64_t generation() const { return generation_; }
  // Asks the ranks to leave at the end of their step.
  Result<void> request_stop();

 private:
  explicit ControlFile(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  uint64_t generation_ = 0;
};

}  // namespace pawl::supervise
