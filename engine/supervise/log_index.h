// The two log files of an attempt, and their reader.
//
// `log` holds what the ranks wrote to standard output and error, byte for byte; pieces of different ranks
// follow each other as they came. `log.idx` is an array of LogEntry, little-endian: each describes one piece
// of `log`, one or more whole lines of one rank and stream. The piece is written before its entry, so every
// entry is good; bytes of `log` behind the last entry (a crash between the two writes) belong to nobody.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/files.h"

namespace pawl::supervise {

struct LogEntry {
  uint64_t offset = 0;   // in `log`
  uint64_t unix_ms = 0;  // when the supervisor read it
  uint32_t length = 0;   // at most kMaxPiece
  uint16_t rank = 0;
  uint8_t stream = 1;  // 1 standard output, 2 standard error
  uint8_t flags = 0;

  // The piece ends inside a line: it was too long, or the last one without a newline. The rest, if any, is
  // the beginning of the next entry of the same rank and stream.
  static constexpr uint8_t kOpenEnd = 1;
  // Bytes of this rank and stream are missing behind this piece: the log was full, or could not be written.
  static constexpr uint8_t kLossAfter = 2;

  bool operator==(const LogEntry&) const = default;
};
static_assert(sizeof(LogEntry) == 24);

constexpr size_t kMaxPiece = 64 << 10;

// Reads a log that may still grow. Cheap to keep open; any thread, one at a time.
class LogReader {
 public:
  // Error not_found while the attempt has not started.
  static Result<LogReader> open(const std::string& attempt_dir);

  Result<uint64_t> count() const;  // entries there now
  // Entries first, first+1, ... at most `limit`, fewer at the end.
  Result<std::vector<LogEntry>> entries(uint64_t first, uint64_t limit) const;
  Result<std::string> bytes(const LogEntry& entry) const;
  // The first entry that ends behind `offset` of `log`: where a reader that has seen `offset` bytes goes on.
  Result<uint64_t> find_offset(uint64_t offset) const;
  // The entry from which on at least `lines` newlines follow; 0 when there are fewer in all.
  Result<uint64_t> find_tail(uint64_t lines) const;

 private:
  LogReader(UniqueFd log, UniqueFd index) : log_(std::move(log)), index_(std::move(index)) {}
  UniqueFd log_;
  UniqueFd index_;
};

}  // namespace pawl::supervise
