// What the YAML library says about broken text, in words that help whoever wrote it, at the place to mend.
#pragma once

#include <optional>
#include <string>

#include "engine/base/diagnostic.h"
#include "pipelines/source.h"

namespace pawl::pipeline {

// `complaint` is the library's message and `at` its mark; `innermost` is where the innermost list or map
// begins that was open then.
Diagnostic syntax_error(const Source& source, const std::string& complaint, Span at, Span innermost);

// The error for a quoted scalar at `at` without its closing quote: in some places the library takes the end
// of the file for it.
std::optional<Diagnostic> check_quote(const Source& source, Span at);

}  // namespace pawl::pipeline
