// The pipeline file of a folder on disk.
#pragma once

#include <string>
#include <string_view>

#include "pipelines/parse.h"

namespace pawl::pipeline {

// A repository has one of these at its root, never both. The same holds for a commit in a git mirror.
inline constexpr std::string_view kPipelineFiles[] = {".pawl.yml", ".pawl.yaml"};

// Diagnostics carry the path as a user would write it from here. No file, two files, a symbolic link, a
// folder or a file larger than kMaxTextBytes (which is not read) are errors like those of the text.
ParseResult load_pipeline(const std::string& folder);

}  // namespace pawl::pipeline
