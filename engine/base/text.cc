#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace pawl {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    size_t at = text.find(separator);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::string to_lower(std::string_view ascii) {
  std::string out(ascii);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool iequals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && to_lower(a) == to_lower(b);
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  PAWL_CHECK(!from.empty());
  std::string out;
  size_t at = 0;
  for (size_t hit; (hit = text.find(from, at)) != std::string_view::npos; at = hit + from.size()) {
    out.append(text.substr(at, hit - at)).append(to);
  }
  return out.append(text.substr(at));
}

size_t edit_distance(std::string_view a, std::string_view b, size_t limit) {
  if ((a.size() > b.size() ? a.size() - b.size() : b.size() - a.size()) > limit) return limit + 1;
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return std::min(last[b.size()], limit + 1);
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  size_t limit = std::max<size_t>(1, std::min<size_t>(3, word.size() / 2));
  size_t best = limit + 1;
  std::string found;
  for (const std::string& candidate : candidates) {
    size_t distance = edit_distance(to_lower(word), to_lower(candidate), limit);
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

Result<int64_t> parse_duration_ms(std::string_view text) {
  auto bad = [&] {
    return Error(ErrorCode::invalid,
                 fmt::format("'{}' is not a duration: write 90s, 10m, 1h30m or 500ms", text));
  };
  std::string_view rest = text;
  double total = 0;
  if (rest.empty()) return bad();
  while (!rest.empty()) {
    double number = 0;
    auto [end, error] =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (error != std::errc() || end == rest.data() || number < 0) return bad();
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    size_t unit_length = std::min(rest.find_first_of("0123456789"), rest.size());
    std::string_view unit = rest.substr(0, unit_length);
    double factor = unit == "ms"  ? 1
                    : unit == "s" ? 1e3
                    : unit == "m" ? 60e3
                    : unit == "h" ? 3600e3
                    : unit == "d" ? 86400e3
                                  : -1;
    if (factor < 0) return bad();
    total += number * factor;
    rest.remove_prefix(unit_length);
  }
  if (!(total <= 366.0 * 86400e3))
    return Error(ErrorCode::invalid, fmt::format("'{}' is longer than a year", text));
  return static_cast<int64_t>(std::llround(total));
}

std::string format_duration(int64_t ms) {
  if (ms < 1000) return fmt::format("{}ms", ms);
  if (ms < 60'000) return fmt::format("{:.1f}s", static_cast<double>(ms) / 1000);
  int64_t seconds = ms / 1000;
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
}

Result<int64_t> parse_bytes(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"", 1},      {"B", 1},        {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
      {"TB", 1e12}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
  const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  double number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  const std::string_view unit = trim(text.substr(digits));
  for (const auto& [name, factor] : kUnits) {
    const double bytes = number * factor;
    if (unit == name && error == std::errc() && end == text.data() + digits && bytes >= 0 && bytes < 0x1p62)
      return static_cast<int64_t>(bytes);
  }
  return Error(ErrorCode::invalid, fmt::format("'{}' is not a size: write 4096, 64KiB or 1.5 GiB", text));
}

std::string format_bytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit < 6) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

Result<int64_t> parse_int(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error(ErrorCode::invalid, fmt::format("'{}' is not a whole number", text));
  }
  return value;
}

Result<double> parse_double(std::string_view text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return Error(ErrorCode::invalid, fmt::format("'{}' is not a number", text));
  }
  return value;
}

namespace {

// Length of the valid UTF-8 sequence at the start of `text`, or 0.
size_t utf8_length(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  auto continues = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  unsigned char c = byte(0);
  if (c < 0x80) return 1;
  if (c >= 0xC2 && c <= 0xDF) return continues(1) ? 2 : 0;
  if (c >= 0xE0 && c <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if (c == 0xE0 && byte(1) < 0xA0) return 0;
    if (c == 0xED && byte(1) > 0x9F) return 0;  // surrogates
    return 3;
  }
  if (c >= 0xF0 && c <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (c == 0xF0 && byte(1) < 0x90) return 0;
    if (c == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Length of the escape sequence at the start of `text` (which begins with ESC). A CSI ends at its final byte,
// an OSC/DCS/PM/APC at BEL or ESC-backslash; a sequence cut off by the end of the text is swallowed to the
// end.
size_t escape_length(std::string_view text) {
  if (text.size() < 2) return 1;
  if (text[1] == '[') {
    for (size_t i = 2; i < text.size(); ++i) {
      if (text[i] >= 0x40 && text[i] <= 0x7E) return i + 1;
    }
    return text.size();
  }
  if (std::string_view("]PX^_").find(text[1]) != std::string_view::npos) {
    for (size_t i = 2; i < text.size(); ++i) {
      if (text[i] == '\a') return i + 1;
      if (text[i] == '\x1b' && i + 1 < text.size() && text[i + 1] == '\\') return i + 2;
    }
    return text.size();
  }
  return 2;
}

}  // namespace

std::string sanitize_for_terminal(std::string_view text, bool keep_colours) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    unsigned char c = static_cast<unsigned char>(text[0]);
    if (c == 0x1b) {
      size_t length = escape_length(text);
      std::string_view sequence = text.substr(0, length);
      if (keep_colours && length > 2 && sequence[1] == '[' && sequence.back() == 'm') out += sequence;
      text.remove_prefix(length);
      continue;
    }
    size_t length = utf8_length(text);
    if (length == 0) {
      out += kReplacement;
      text.remove_prefix(1);
      continue;
    }
    bool c1 = length == 2 && c == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    bool control = length == 1 && (c < 0x20 || c == 0x7f) && c != '\n' && c != '\t';
    if (!c1 && !control) out += text.substr(0, length);
    text.remove_prefix(length);
  }
  return out;
}

std::string to_valid_utf8(std::string_view text, size_t max_bytes) {
  std::string out;
  while (!text.empty()) {
    size_t length = utf8_length(text);
    std::string_view piece = length == 0 ? kReplacement : text.substr(0, length);
    if (piece.size() > max_bytes - out.size()) break;
    out += piece;
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string shell_quote(std::string_view text) {
  return "'" + replace_all(text, "'", "'\\''") + "'";
}

}  // namespace pawl
