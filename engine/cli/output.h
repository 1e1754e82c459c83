// What commands print: tables, colours where a terminal wants them, text from outside made safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/diagnostic.h"
#include "engine/base/json.h"

namespace pawl::cli {

// Standard output is a terminal and neither NO_COLOR nor TERM=dumb says otherwise.
bool use_colour();
bool is_terminal();
int terminal_width();  // 100 when it is none

enum class Tone { plain, good, bad, warn, dim, bold };
std::string paint(std::string_view text, Tone tone);
Tone verdict_tone(std::string_view verdict);

// Columns aligned by their widest cell; the last one is cut at the terminal's width. Cells are sanitised,
// their tone is kept. The header is omitted when empty.
struct Cell {
  std::string text;
  Tone tone = Tone::plain;
};
std::string render_table(const std::vector<std::string>& header, const std::vector<std::vector<Cell>>& rows);

void print(std::string_view text);      // to standard output, flushed
void print_json(const Json& document);  // pretty, with a newline
Json diagnostic_json(const Diagnostic& diagnostic);

std::string age(int64_t unix_ms, int64_t now_ms);  // "3m ago"

}  // namespace pawl::cli
