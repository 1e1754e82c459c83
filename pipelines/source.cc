#include "pipelines/source.h"

#include <algorithm>

namespace pawl::pipeline {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

Source::Source(std::string file, std::string_view text) : file_(std::move(file)), text_(text) {
  if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  line_starts_.push_back(0);
  for (size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n') line_starts_.push_back(i + 1);
  }
}

std::string_view Source::line(int number) const {
  if (number < 1 || static_cast<size_t>(number) > line_starts_.size()) return {};
  size_t begin = line_starts_[static_cast<size_t>(number) - 1];
  std::string_view rest = text_.substr(begin);
  rest = rest.substr(0, rest.find('\n'));
  if (rest.ends_with('\r')) rest.remove_suffix(1);
  return rest;
}

Span Source::span_of(size_t offset) const {
  auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  size_t index = static_cast<size_t>(next - line_starts_.begin()) - 1;
  return {static_cast<int>(index) + 1, static_cast<int>(offset - line_starts_[index]) + 1};
}

size_t Source::offset_of(Span span) const {
  if (span.line < 1 || static_cast<size_t>(span.line) > line_starts_.size()) return text_.size();
  size_t column = static_cast<size_t>(std::max(span.column, 1)) - 1;
  return std::min(line_starts_[static_cast<size_t>(span.line) - 1] + column, text_.size());
}

Diagnostic Source::error(Span at, std::string message, std::string hint) const {
  return {Diagnostic::Level::error,   file_,          at.line, at.column, std::move(message),
          std::string(line(at.line)), std::move(hint)};
}

Diagnostic Source::warning(Span at, std::string message, std::string hint) const {
  Diagnostic diagnostic = error(at, std::move(message), std::move(hint));
  diagnostic.level = Diagnostic::Level::warning;
  return diagnostic;
}

}  // namespace pawl::pipeline
