// The name of a repository's project in the record.
#pragma once

#include <string>

#include "engine/trigger/git.h"

namespace pawl::cli {

// `wanted`, or when it is empty the name from the origin URL or the folder. Error usage: it cannot be one.
Result<std::string> project_name(const std::string& wanted, const trigger::Repository& repository);

}  // namespace pawl::cli
