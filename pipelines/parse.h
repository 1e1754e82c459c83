// .pawl.yml: text to values. The one door for pipeline files, whoever brings them; pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/diagnostic.h"
#include "pipelines/pipeline.h"

namespace pawl::pipeline {

struct ParseResult {
  std::optional<Pipeline> pipeline;     // exactly when no diagnostic is an error
  std::vector<Diagnostic> diagnostics;  // errors and warnings in the order of the file

  bool ok() const { return pipeline.has_value(); }
};

// `file` is the name that diagnostics carry. Hostile text gives errors, never a crash; see
// pipelines/document.h for the caps.
ParseResult parse_pipeline(std::string_view text, std::string file);

}  // namespace pawl::pipeline
