#include "engine/gate/csv.h"

#include <fmt/format.h>

namespace pawl::gate {
namespace {

// How many bytes at the start are nothing but part of a field: most of a file is.
std::size_t plain_bytes(std::string_view bytes) {
  std::size_t i = 0;
  while (i < bytes.size() && bytes[i] != ',' && bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '"') ++i;
  return i;
}

}  // namespace

CsvReader::CsvReader(std::string where, RowHandler on_row)
    : where_(std::move(where)), on_row_(std::move(on_row)) {}

Result<void> CsvReader::feed(std::string_view chunk) {
  while (!chunk.empty()) {
    if (state_ == State::unquoted || state_ == State::quoted) {
      const std::string_view run = chunk.substr(0, plain_bytes(chunk));
      PAWL_RETURN_IF_ERROR(append(run));
      column_ += run.size();
      chunk.remove_prefix(run.size());
      if (chunk.empty()) break;
    }
    const char c = chunk.front();
    PAWL_RETURN_IF_ERROR(take(c));
    chunk.remove_prefix(1);
    ++column_;
    if (c == '\n') {
      ++line_;
      column_ = 1;
    }
  }
  return {};
}

Result<void> CsvReader::finish() {
  switch (state_) {
    case State::quoted:
      return Error(ErrorCode::invalid, "a quoted field is not closed",
                   fmt::format("{}:{}", where_, row_line_));
    case State::carriage_return:
      return error("a carriage return without a line feed");
    case State::field_start:
      if (count_ == 0) return {};
      [[fallthrough]];
    case State::unquoted:
    case State::quote_in_quoted:
      break;
  }
  PAWL_RETURN_IF_ERROR(end_field());
  return end_row();
}

Result<void> CsvReader::take(char c) {
  switch (state_) {
    case State::field_start:
      return take_at_field_start(c);
    case State::unquoted:
      if (c == '"') return error("a quote inside a field that does not start with one");
      [[fallthrough]];
    case State::quote_in_quoted:
      if (c == ',') return end_field();
      if (c == '\r') {
        state_ = State::carriage_return;
        return {};
      }
      if (c == '\n') {
        PAWL_RETURN_IF_ERROR(end_field());
        return end_row();
      }
      if (state_ == State::unquoted) return append({&c, 1});
      if (c != '"') return error("text after a closing quote");
      state_ = State::quoted;
      return append({&c, 1});
    case State::quoted:
      if (c != '"') return append({&c, 1});
      state_ = State::quote_in_quoted;
      return {};
    case State::carriage_return:
      if (c != '\n') return error("a carriage return without a line feed");
      PAWL_RETURN_IF_ERROR(end_field());
      return end_row();
  }
  return {};
}

Result<void> CsvReader::take_at_field_start(char c) {
  if (count_ == 0) {
    row_line_ = line_;
    if (c == '\n') return {};  // a blank line
  }
  if (count_ == fields_.size()) fields_.emplace_back();
  fields_[count_].clear();
  state_ = c == '"' ? State::quoted : State::unquoted;
  return c == '"' ? Result<void>() : take(c);
}

Result<void> CsvReader::append(std::string_view bytes) {
  const std::size_t room = kMaxRowBytes - row_bytes_;
  if (bytes.size() > room) {
    column_ += room;
    return error(fmt::format("a row of more than {} bytes", kMaxRowBytes));
  }
  row_bytes_ += bytes.size();
  fields_[count_].append(bytes);
  return {};
}

Result<void> CsvReader::end_field() {
  if (count_ == fields_.size()) fields_.emplace_back();
  if (state_ == State::field_start) fields_[count_].clear();
  if (++count_ > kMaxFields) return error(fmt::format("a row of more than {} fields", kMaxFields));
  state_ = State::field_start;
  return {};
}

Result<void> CsvReader::end_row() {
  const std::size_t count = count_;
  count_ = 0;
  row_bytes_ = 0;
  if (count == 1 && fields_[0].empty()) return {};  // a blank line that ended in CRLF
  return on_row_(std::span(fields_).first(count), row_line_);
}

Error CsvReader::error(std::string message) const {
  return {ErrorCode::invalid, std::move(message), fmt::format("{}:{}:{}", where_, line_, column_)};
}

}  // namespace pawl::gate
