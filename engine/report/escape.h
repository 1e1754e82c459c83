// Outside text made inert in each format. All of these first take out what no report needs: control
// characters (newlines and tabs stay), terminal escapes, invalid UTF-8 and marks that change the direction of
// writing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pawl::report {

std::string clean(std::string_view text);

// At most `max_bytes` of clean text on one line; a cut is shown by an ellipsis (not counted).
std::string clean_line(std::string_view text, std::size_t max_bytes = 400);

// For the text and the quoted attribute values of HTML and XML. XML 1.0 has no way to write some characters;
// they become U+FFFD.
std::string escape_markup(std::string_view text);

// One line of Markdown prose: nothing in it formats, links, mentions anybody or refers to an issue.
std::string escape_markdown(std::string_view text, std::size_t max_bytes = 1000);

// One line as a Markdown code span. Within a table a pipe needs a backslash, elsewhere it must not have one.
std::string markdown_code(std::string_view text, bool in_table, std::size_t max_bytes = 200);

// A Markdown code block that no line of the text can close.
std::string markdown_block(std::string_view text);

// A log as a terminal would show it in the end: of what a carriage return overwrites only the last stays.
// Keeps the last `max_bytes`, from the start of a line.
std::string log_text(std::string_view text, std::size_t max_bytes);

}  // namespace pawl::report
