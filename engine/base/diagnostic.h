// A mistake in a file the user wrote, with the place, the line, a caret and a suggestion.
#pragma once

#include <string>
#include <vector>

namespace pawl {

struct Diagnostic {
  enum class Level { error, warning };
  Level level = Level::error;
  std::string file;
  int line = 0;    // 1-based; 0 when the whole file is meant
  int column = 0;  // 1-based, in bytes
  std::string message;
  std::string source_line;  // the line as written, without its newline; may be empty
  std::string hint;         // "did you mean 'ranks'?"; may be empty

  bool operator==(const Diagnostic&) const = default;
};

// file:line:column: error: message
//     the line, cut to 100 columns around the caret
//        ^
//   hint: did you mean 'ranks'?
// Control characters of the source line are made visible or dropped; the text ends with a newline.
std::string render(const Diagnostic& diagnostic);
std::string render(const std::vector<Diagnostic>& diagnostics);

}  // namespace pawl
