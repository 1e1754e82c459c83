#include "engine/report/escape.h"

#include <algorithm>

#include "engine/base/text.h"

namespace pawl::report {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr std::string_view kZeroWidthSpace = "\xe2\x80\x8b";
constexpr std::string_view kEllipsis = "\xe2\x80\xa6";

// U+202A..U+202E and U+2066..U+2069 reorder what stands next to them; U+FFFE and U+FFFF are no characters
// (and XML refuses them). Takes three bytes of valid UTF-8.
bool is_unwanted(std::string_view three) {
  if (three.starts_with("\xe2\x80")) return three[2] >= '\xaa' && three[2] <= '\xae';
  if (three.starts_with("\xe2\x81")) return three[2] >= '\xa6' && three[2] <= '\xa9';
  return three == "\xef\xbf\xbe" || three == "\xef\xbf\xbf";
}

std::size_t longest_run(std::string_view text, char c) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char other : text) {
    run = other == c ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

// What a line shows after the carriage returns in it.
std::string_view last_overwrite(std::string_view line) {
  while (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t at = line.rfind('\r');
  return at == std::string_view::npos ? line : line.substr(at + 1);
}

}  // namespace

std::string clean(std::string_view text) {
  std::string out = sanitize_for_terminal(text);
  for (std::size_t i = 0; i + 2 < out.size(); ++i) {
    if ((out[i] & '\xf0') == '\xe0' && is_unwanted(std::string_view(out).substr(i, 3))) {
      out.replace(i, 3, kReplacement);
    }
  }
  return out;
}

std::string clean_line(std::string_view text, std::size_t max_bytes) {
  // Cleaning may lengthen the text threefold, never more.
  std::string line = clean(text.substr(0, 4 * max_bytes));
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::replace(line.begin(), line.end(), '\t', ' ');
  std::string cut = to_valid_utf8(line, max_bytes);
  if (cut.size() < line.size() || text.size() > 4 * max_bytes) cut += kEllipsis;
  return cut;
}

std::string escape_markup(std::string_view text) {
  std::string out;
  for (const char c : clean(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string escape_markdown(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kSpecial = "\\`*_[]|~$";
  const std::string line = clean_line(text, max_bytes);
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    switch (c) {
      case '<':
        out += "&lt;";
        continue;
      case '>':
        out += "&gt;";
        continue;
      case '&':
        out += "&amp;";
        continue;
      default:
        break;
    }
    if (kSpecial.find(c) != std::string_view::npos) out += '\\';
    out += c;
    // Forges look for @name, #12, ://host and www.host after the Markdown is rendered.
    const bool scheme = c == ':' && line.compare(i, 3, "://") == 0;
    const bool host = c == 'w' && i >= 2 && line.compare(i - 2, 4, "www.") == 0;
    if (c == '@' || c == '#' || scheme || host) out += kZeroWidthSpace;
  }
  return out;
}

std::string markdown_code(std::string_view text, bool in_table, std::size_t max_bytes) {
  std::string line = clean_line(text, max_bytes);
  if (trim(line).empty()) return in_table ? "" : "` `";
  const std::string fence(longest_run(line, '`') + 1, '`');
  if (in_table) line = replace_all(line, "|", "\\|");
  const std::string_view pad = line.front() == '`' || line.back() == '`' ? " " : "";
  return fence + std::string(pad) + line + std::string(pad) + fence;
}

std::string markdown_block(std::string_view text) {
  const std::string body = clean(text);
  const std::string fence(std::max<std::size_t>(3, longest_run(body, '`') + 1), '`');
  return fence + "text\n" + body + (body.ends_with('\n') ? "" : "\n") + fence + "\n";
}

std::string log_text(std::string_view text, std::size_t max_bytes) {
  std::string out;
  std::string_view rest = text;
  if (rest.size() > max_bytes) {
    rest.remove_prefix(rest.size() - max_bytes);
    const std::size_t line = rest.find('\n');
    if (line != std::string_view::npos) rest.remove_prefix(line + 1);
  }
  for (const std::string_view line : split(rest, '\n')) {
    out += clean(last_overwrite(line));
    out += '\n';
  }
  if (out.ends_with("\n\n") || out == "\n") out.pop_back();
  return out;
}

}  // namespace pawl::report
