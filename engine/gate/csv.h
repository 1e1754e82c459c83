// CSV as RFC 4180 has it, from chunks: fields between commas, rows ended by LF or CRLF (the last one may lack
// it), quoted fields with "" for a quote and any bytes inside. Blank lines are skipped. What the RFC leaves
// undefined (a quote inside an unquoted field, text after a closing quote, a lone CR) is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace pawl::gate {

class CsvReader {
 public:
  // Called for each row with the line it starts on, counted from 1. The fields live until it returns; its
  // error ends the reading.
  using RowHandler = std::function<Result<void>(std::span<const std::string> fields, std::uint64_t line)>;

  static constexpr std::size_t kMaxRowBytes = 1 << 20;
  static constexpr std::size_t kMaxFields = 4096;

  // `where` names the file in errors, which end in ":line:column" (bytes, from 1).
  CsvReader(std::string where, RowHandler on_row);

  // Bytes in order, cut anywhere. After an error the reader must not be used again.
  Result<void> feed(std::string_view chunk);
  Result<void> finish();

 private:
  enum class State { field_start, unquoted, quoted, quote_in_quoted, carriage_return };

  Result<void> take(char c);
  Result<void> take_at_field_start(char c);
  Result<void> append(std::string_view bytes);
  Result<void> end_field();
  Result<void> end_row();
  Error error(std::string message) const;

  std::string where_;
  RowHandler on_row_;
  State state_ = State::field_start;
  std::vector<std::string> fields_;  // strings are kept from row to row for their memory
  std::size_t count_ = 0;            // finished fields of the current row
  std::uint64_t line_ = 1;
  std::uint64_t column_ = 1;
  std::uint64_t row_line_ = 1;
  std::size_t row_bytes_ = 0;
};

}  // namespace pawl::gate
