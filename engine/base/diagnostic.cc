#include "engine/base/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/text.h"

namespace pawl {
namespace {

constexpr size_t kWidth = 100;

// Counts characters, not bytes, so that the caret stands under the right place.
size_t display_width(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string render(const Diagnostic& d) {
  std::string out = sanitize_for_terminal(d.file);
  if (d.line > 0) out += fmt::format(":{}:{}", d.line, d.column);
  out += fmt::format(": {}: {}\n", d.level == Diagnostic::Level::error ? "error" : "warning",
                     sanitize_for_terminal(d.message));
  if (!d.source_line.empty()) {
    size_t at = std::min(d.source_line.size(), static_cast<size_t>(std::max(d.column - 1, 0)));
    size_t start = at > kWidth - 20 ? at - (kWidth - 20) : 0;
    auto visible = [](std::string_view s) { return replace_all(sanitize_for_terminal(s), "\t", " "); };
    std::string before = visible(std::string_view(d.source_line).substr(start, at - start));
    std::string after =
        visible(std::string_view(d.source_line).substr(at, kWidth - std::min(kWidth, at - start)));
    out += fmt::format("    {}{}\n    {:>{}}\n", before, after, "^", display_width(before) + 1);
  }
  if (!d.hint.empty()) out += fmt::format("  hint: {}\n", sanitize_for_terminal(d.hint));
  return out;
}

std::string render(const std::vector<Diagnostic>& diagnostics) {
  std::string out;
  for (const Diagnostic& d : diagnostics) out += render(d);
  return out;
}

}  // namespace pawl
