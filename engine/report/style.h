// The style sheet of the report page.
#pragma once

#include <string_view>

namespace pawl::report {

extern const std::string_view kStyle;

}  // namespace pawl::report
