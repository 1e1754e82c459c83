// The attempt's `control` page as the supervisor writes it (layout: hooks/capture/wire.h).
#pragma once

#include <string>

#include "engine/base/error.h"
#include "engine/base/files.h"

namespace pawl::supervise {

class ControlFile {
 public:
  // Creates the file, or resets the one of an earlier start in place: it may be mapped.
  static Result<ControlFile> create(const std::string& path);
  // Asks the ranks to leave at the end of their step.
  Result<void> request_stop();

 private:
  explicit ControlFile(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace pawl::supervise
