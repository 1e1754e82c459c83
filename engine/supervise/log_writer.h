// Writes `log` and `log.idx` of an attempt (see log_index.h) from the pipes of its ranks.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/supervise/log_index.h"

namespace pawl::supervise {

// Memory: at most kMaxPiece per rank and stream. A line goes out when its newline (or the carriage return of
// a progress bar) has come, when it is kMaxPiece long, or at finish(). Whatever cannot be written, because
// the log has reached its cap or the disk is full, is counted and dropped; the ranks never notice. One
// thread.
class LogWriter {
 public:
  // Appends to a log that an earlier start of the attempt left.
  static Result<LogWriter> open(const std::string& attempt_dir, uint64_t max_bytes);

  void append(int rank, int stream, std::string_view bytes, int64_t unix_ms);
  // The end of one stream: its unterminated last line goes out.
  void finish(int rank, int stream, int64_t unix_ms);
  void sync();  // to the disk

  uint64_t size() const { return size_; }  // of `log`
  uint64_t lost_bytes() const { return lost_bytes_; }
  const std::string& first_error() const { return first_error_; }  // of writing; the cap is none

 private:
  LogWriter(UniqueFd log, UniqueFd index, uint64_t size, uint64_t index_size, uint64_t max_bytes);

  void write_pieces(int rank, int stream, std::string_view bytes, int64_t unix_ms);
  void write_piece(int rank, int stream, std::string_view bytes, int64_t unix_ms);
  void fail(std::string_view file);

  UniqueFd log_;
  UniqueFd index_;
  uint64_t size_;
  uint64_t index_size_;
  uint64_t max_bytes_;
  uint64_t lost_bytes_ = 0;
  std::string first_error_;
  std::map<std::pair<int, int>, std::string> unfinished_;  // (rank, stream) -> a line without its end
};

}  // namespace pawl::supervise
