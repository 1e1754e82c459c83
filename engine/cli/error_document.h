// What --json prints when a command fails. Of the one thread of the command line.
#pragma once

#include <string_view>

namespace pawl::cli {

// From now on print_error_document() prints: the command was called with --json.
void want_error_document();

// Something went to standard output: the command's own document, or what it asked for as bytes.
void note_output();

// {"error": {"code", "message"}} to standard output. Nothing unless it is wanted and nothing was printed
// before: standard output has one document or none.
void print_error_document(std::string_view code, std::string_view message);

}  // namespace pawl::cli
