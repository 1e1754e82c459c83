// The run as one HTML page that needs nothing else: no script, no request, no font. For a reviewer with half
// a minute, so the verdict and its sentence come first, then what explains them, then the rest.
#pragma once

#include <cstddef>
#include <string>

#include "engine/report/run_report.h"

namespace pawl::report {

inline constexpr std::size_t kMaxHtmlLogBytes = 64 * 1024;  // shown of each log

// A content security policy in the page forbids whatever is not inline style; every string of the report is
// escaped. Works in light and dark, on a phone and on paper.
std::string to_html(const RunReport& report);

}  // namespace pawl::report
