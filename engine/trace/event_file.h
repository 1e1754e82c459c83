// Writes files that TensorBoard reads: TFRecord frames, each with an Event message in it.
//
// A frame is u64 length, u32 masked CRC-32C of the length, the message, u32 masked CRC-32C of the message,
// all little-endian; masked is ((crc >> 15) | (crc << 17)) + 0xa282ead8
// (tensorflow/core/lib/io/record_writer.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/files.h"

namespace pawl::trace {

struct EventHistogram {
  double min = 0;
  double max = 0;
  std::vector<double> limits;  // upper edges, ascending
  std::vector<double> counts;  // one for each limit
};

struct EventValue {
  std::string tag;
  std::variant<double, EventHistogram> value;  // numbers are stored as floats
};

// Not thread-safe.
class EventFile {
 public:
  // A new file; one that is already there is replaced, and who has it open keeps the old one. Times are
  // seconds since 1970 UTC.
  static Result<EventFile> create(const std::string& path, double wall_time);

  // The values of one step. What was added reaches the file with flush(), or when it has become much.
  Result<void> add(double wall_time, uint64_t step, std::span<const EventValue> values);
  // Training has gone back to `step`: readers drop what the file says of later ones.
  Result<void> restart(double wall_time, uint64_t step);
  Result<void> flush();

 private:
  explicit EventFile(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> append(std::string_view message);

  UniqueFd fd_;
  std::string buffer_;
};

// `message` in its frame, at the end of `out`.
void append_tfrecord(std::string& out, std::string_view message);

}  // namespace pawl::trace
