#include "engine/cli/project_name.h"

#include <fmt/format.h>

#include "engine/core/config.h"

namespace pawl::cli {

Result<std::string> project_name(const std::string& wanted, const trigger::Repository& repository) {
  if (!wanted.empty()) {
    if (core::valid_project_name(wanted)) return wanted;
    return Error(ErrorCode::usage, fmt::format("'{}' cannot be a project's name", wanted));
  }
  PAWL_ASSIGN(std::string origin, repository.origin_url());
  PAWL_ASSIGN(std::string folder, repository.work_dir());
  return core::project_name_from_url(origin.empty() ? folder : origin);
}

}  // namespace pawl::cli
