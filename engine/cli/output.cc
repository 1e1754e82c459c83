#include "engine/cli/output.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/error_document.h"

namespace pawl::cli {

bool is_terminal() {
  return isatty(STDOUT_FILENO) == 1;
}

bool use_colour() {
  static const bool wanted = [] {
    const char* term = std::getenv("TERM");
    bool dumb = term == nullptr || std::string_view(term) == "dumb";
    return is_terminal() && std::getenv("NO_COLOR") == nullptr && !dumb;
  }();
  return wanted;
}

int terminal_width() {
  winsize size{};
  if (is_terminal() && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
  return 100;
}

std::string paint(std::string_view text, Tone tone) {
  const char* code = tone == Tone::good   ? "32"
                     : tone == Tone::bad  ? "31"
                     : tone == Tone::warn ? "33"
                     : tone == Tone::dim  ? "2"
                     : tone == Tone::bold ? "1"
                                          : nullptr;
  if (code == nullptr || !use_colour()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

Tone verdict_tone(std::string_view verdict) {
  if (verdict == "PASS") return Tone::good;
  if (verdict == "CANCELLED" || verdict == "INCONCLUSIVE") return Tone::warn;
  return verdict.empty() ? Tone::dim : Tone::bad;
}

namespace {

size_t width_of(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// The first `columns` characters.
std::string_view cut(std::string_view utf8, size_t columns) {
  size_t seen = 0;
  for (size_t i = 0; i < utf8.size(); ++i) {
    if ((static_cast<unsigned char>(utf8[i]) & 0xC0) == 0x80) continue;
    if (seen++ == columns) return utf8.substr(0, i);
  }
  return utf8;
}

}  // namespace

std::string render_table(const std::vector<std::string>& header, const std::vector<std::vector<Cell>>& rows) {
  std::vector<std::vector<Cell>> all;
  if (!header.empty()) {
    std::vector<Cell> titles;
    for (const std::string& title : header) titles.push_back({title, Tone::dim});
    all.push_back(std::move(titles));
  }
  for (const auto& row : rows) {
    std::vector<Cell> clean;
    for (const Cell& cell : row) {
      clean.push_back({replace_all(sanitize_for_terminal(cell.text), "\n", " "), cell.tone});
    }
    all.push_back(std::move(clean));
  }
  std::vector<size_t> widths;
  for (const auto& row : all) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i].text));
  }
  std::string out;
  for (const auto& row : all) {
    size_t used = 0;
    for (size_t i = 0; i < row.size(); ++i) {
      bool last = i + 1 == row.size();
      size_t room = static_cast<size_t>(std::max(terminal_width() - static_cast<int>(used), 10));
      std::string_view text = last && is_terminal() ? cut(row[i].text, room) : std::string_view(row[i].text);
      out += paint(text, row[i].tone);
      if (!last) out += std::string(widths[i] - width_of(row[i].text) + 2, ' ');
      used += widths[i] + 2;
    }
    out += '\n';
  }
  return out;
}

void print(std::string_view text) {
  note_output();
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_json(const Json& document) {
  print(dump_json_pretty(document) + "\n");
}

Json diagnostic_json(const Diagnostic& d) {
  return {{"level", d.level == Diagnostic::Level::error ? "error" : "warning"},
          {"file", d.file},
          {"line", d.line},
          {"column", d.column},
          {"message", d.message},
          {"hint", d.hint}};
}

std::string age(int64_t unix_ms, int64_t now_ms) {
  int64_t seconds = std::max<int64_t>(now_ms - unix_ms, 0) / 1000;
  if (seconds < 60) return fmt::format("{}s ago", seconds);
  if (seconds < 3600) return fmt::format("{}m ago", seconds / 60);
  if (seconds < 86400) return fmt::format("{}h ago", seconds / 3600);
  return fmt::format("{}d ago", seconds / 86400);
}

int fail(const Error& error) {
  std::string text = sanitize_for_terminal(error.to_string());
  // Diagnostics bring their own lines and name the file themselves.
  bool rendered = text.find(": error: ") != std::string::npos && text.ends_with("\n");
  std::fprintf(stderr, rendered ? "%s" : "pawl: %s\n", text.c_str());
  print_error_document(to_string(error.code()), text);
  switch (error.code()) {
    case ErrorCode::usage:
    case ErrorCode::invalid:
    case ErrorCode::not_found:
    case ErrorCode::conflict:
    case ErrorCode::denied:
      return 2;
    case ErrorCode::cancelled:
      return 130;
    default:
      return 3;
  }
}

}  // namespace pawl::cli
