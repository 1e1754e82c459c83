#include "pipelines/syntax.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace pawl::pipeline {
namespace {

// What the library says, and what we say instead.
struct Translation {
  std::string_view library;
  const char* message;
  const char* hint;
};

constexpr const char* kOpenQuote = "a quote that is never closed";

constexpr std::string_view kEndInQuote = "illegal EOF in scalar";
constexpr std::string_view kOpenBrace = "end of map flow not found";
constexpr std::string_view kOpenBracket = "end of sequence flow not found";
constexpr std::string_view kLoneStar = "alias not found after *";

constexpr Translation kTranslations[] = {
    {kEndInQuote, kOpenQuote, ""},
    {"end of map not found", "this map does not end well", "is the indentation the same in all its lines?"},
    {kOpenBrace, "'{' without its '}'", "is a comma or a quote missing?"},
    {"end of sequence not found", "this list does not end well",
     "is the indentation the same in all its lines?"},
    {kOpenBracket, "'[' without its ']'", "is a comma or a quote missing?"},
    {"unknown token", "a value cannot start with this character", "put the value in quotes"},
    {"illegal map value", "':' is not allowed here",
     "is the indentation right? a text that holds ': ' must be in quotes"},
    {"illegal map key", "a key is not allowed here", "is the indentation right?"},
    {"illegal block entry", "'-' is not allowed here", "is the indentation right?"},
    {"illegal flow end", "a bracket that was never opened", ""},
    {kLoneStar, "a value that starts with '*' must be in quotes", "write \"*\" or \"**\""},
    {"illegal character found while scanning alias", "a value that starts with '*' must be in quotes", ""},
    {"the referenced anchor is not defined",
     "a value that starts with '*' is an alias, and there is no anchor of this name",
     "a pattern must be in quotes"},
    {"anchor not found after &", "a value that starts with '&' must be in quotes", ""},
    {"tag handle with no suffix", "a value that starts with '!' must be in quotes", ""},
    {"illegal character found while scanning tag handle", "a value that starts with '!' must be in quotes",
     ""},
};

// The offset behind the quoted text that begins at `at`; nothing when the file ends before it does.
std::optional<size_t> end_of_quote(std::string_view text, size_t at) {
  char quote = text[at];
  for (++at; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      bool doubled = quote == '\'' && at + 1 < text.size() && text[at + 1] == '\'';
      if (!doubled) return at + 1;
      ++at;
    }
  }
  return std::nullopt;
}

// Where a quote begins that the file does not close. Looks at what can begin a quoted text only, so that the
// apostrophe of "don't" is none.
std::optional<size_t> find_open_quote(std::string_view text) {
  for (size_t at = 0; at < text.size(); ++at) {
    bool quote = text[at] == '"' || text[at] == '\'';
    bool begins = at == 0 || std::string_view(" \t\n[{,:").find(text[at - 1]) != std::string_view::npos;
    if (!quote || !begins) continue;
    auto end = end_of_quote(text, at);
    if (!end) return at;
    at = *end - 1;
  }
  return std::nullopt;
}

bool quote_is_closed(std::string_view text, size_t at) {
  if (at < text.size() && text[at] == '&') at = std::min(text.find_first_of("\"'|>", at), text.size());
  bool block = at >= text.size() || (text[at] != '"' && text[at] != '\'');
  return block || end_of_quote(text, at).has_value();
}

}  // namespace

std::optional<Diagnostic> check_quote(const Source& source, Span at) {
  if (quote_is_closed(source.text(), source.offset_of(at))) return std::nullopt;
  return source.error(at, kOpenQuote);
}

Diagnostic syntax_error(const Source& source, const std::string& complaint, Span at, Span innermost) {
  std::string_view line = source.line(at.line);
  size_t indent = std::min(line.find_first_not_of(" \t"), line.size());
  if (size_t tab = line.substr(0, indent).find('\t'); tab != std::string_view::npos)
    return source.error({at.line, static_cast<int>(tab) + 1}, "a tab cannot indent YAML", "use spaces");
  // The library's marks: of an open bracket where it gave up looking, of a lone '*' the place behind it.
  if (complaint == kOpenBrace || complaint == kOpenBracket) at = innermost;
  if (complaint == kLoneStar && at.column > 1) --at.column;
  if (complaint == kEndInQuote) {
    if (auto quote = find_open_quote(source.text())) at = source.span_of(*quote);
  }
  for (const Translation& translation : kTranslations) {
    if (complaint == translation.library) return source.error(at, translation.message, translation.hint);
  }
  return source.error(at, complaint);
}

}  // namespace pawl::pipeline
