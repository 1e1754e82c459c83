// Patterns for branches and paths. `*` is any run of characters within one segment, `?` one character of it,
// `**` crosses segments: `src/**` is everything below src, `**/*.py` every Python file, at the top too.
// Matching takes time in proportion to pattern times text, whatever the pattern.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace pawl::pipeline {

// Whether the pattern can match anything; the error says why not: empty, absolute, `.` or `..` segments,
// `[`, `{` or `\` (which other tools give a meaning), more than 512 bytes.
Result<void> check_glob(std::string_view pattern);

bool glob_matches(std::string_view pattern, std::string_view text);

// A list where `!pattern` takes out what an earlier pattern let in; the last one that matches decides. An
// empty list lets everything in.
bool any_glob_matches(const std::vector<std::string>& patterns, std::string_view text);

}  // namespace pawl::pipeline
