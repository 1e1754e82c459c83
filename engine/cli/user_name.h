// Who runs this process, for the record.
#pragma once

#include <string>

namespace pawl::cli {

// The login name, or the number of a user who has none.
std::string user_name();

}  // namespace pawl::cli
