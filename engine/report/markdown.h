// The run for a pull request's comment or a CI job's summary.
#pragma once

#include <cstddef>
#include <string>

#include "engine/report/run_report.h"

namespace pawl::report {

// Forges refuse comments of more than 65,536 characters and drop a larger summary silently.
inline constexpr std::size_t kMaxMarkdownBytes = 60'000;

// GitHub's Markdown, at most kMaxMarkdownBytes: the verdict and its sentence first, then what explains it;
// what does not fit is left out with a note. Nothing in the report's strings formats, links or mentions
// anybody.
std::string to_markdown(const RunReport& report);

}  // namespace pawl::report
