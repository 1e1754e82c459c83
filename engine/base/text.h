// Text without surprises: splitting, suggestions, durations and sizes, and making outside text safe to print.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace pawl {

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string to_lower(std::string_view ascii);
bool iequals(std::string_view a, std::string_view b);  // ASCII only
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

// Levenshtein distance with transpositions, cut off at `limit` + 1.
size_t edit_distance(std::string_view a, std::string_view b, size_t limit);

// The candidate a mistyped word most likely meant; empty when none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

// "90s", "10m", "1h30m", "500ms", "2d" -> milliseconds. A bare number is refused: its unit would be a guess.
Result<int64_t> parse_duration_ms(std::string_view text);
std::string format_duration(int64_t ms);   // "1h02m", "3m07s", "12.4s", "87ms"
std::string format_bytes(uint64_t bytes);  // "1.5 GiB"
// "4096", "64KiB", "1.5 MiB", "2GB": at least 0 and less than 2^62.
Result<int64_t> parse_bytes(std::string_view text);

// Whole text is a base-10 integer in range.
Result<int64_t> parse_int(std::string_view text);
Result<double> parse_double(std::string_view text);  // finite, locale-independent

// For a terminal or a log: control characters and escape sequences removed (SGR colours too unless
// `keep_colours`), invalid UTF-8 replaced by U+FFFD. Newlines and tabs stay.
std::string sanitize_for_terminal(std::string_view text, bool keep_colours = false);

// Valid UTF-8 of at most `max_bytes`, cut at a character boundary, invalid bytes replaced.
std::string to_valid_utf8(std::string_view text, size_t max_bytes = SIZE_MAX);

// 'it'\''s' : one word for a POSIX shell.
std::string shell_quote(std::string_view text);

}  // namespace pawl
