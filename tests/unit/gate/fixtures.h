#pragma once

#include <string>

namespace pawl::gate {

// A file of fixtures/.
std::string fixture_text(const std::string& file);

}  // namespace pawl::gate
