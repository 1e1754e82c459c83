// The text of one file, places in it, and how a mistake in it is shown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/diagnostic.h"

namespace pawl::pipeline {

// 1-based; the column counts bytes. {0, 0} is the file as a whole.
struct Span {
  int line = 0;
  int column = 0;
  bool operator==(const Span&) const = default;
};

class Source {
 public:
  // `text` must outlive the object.
  Source(std::string file, std::string_view text);

  const std::string& file() const { return file_; }
  std::string_view text() const { return text_; }
  std::string_view line(int number) const;  // 1-based, without its end; empty when there is none
  Span span_of(size_t offset) const;
  size_t offset_of(Span span) const;

  Diagnostic error(Span at, std::string message, std::string hint = {}) const;
  Diagnostic warning(Span at, std::string message, std::string hint = {}) const;

 private:
  std::string file_;
  std::string_view text_;            // without a byte order mark
  std::vector<size_t> line_starts_;  // offsets
};

}  // namespace pawl::pipeline
