#include "engine/cli/user_name.h"

#include <pwd.h>
#include <unistd.h>

namespace pawl::cli {

std::string user_name() {
  passwd* entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : std::to_string(getuid());
}

}  // namespace pawl::cli
