// Writes segments of one rank from outside of a training: what `pawl log` is told and what event files say.
//
// Unlike the capture library it waits for the disk and loses nothing, and has no thread. Writers of the same
// producer share a segment: each goes on where the one before has closed it, so that thousands of short ones
// leave one file. The lock of the rank is held for the life of the object.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/trace/format.h"
#include "hooks/capture/rank_directory.h"

namespace pawl::trace {

struct LoggedValue {
  std::string name;  // 1 to kMaxSeriesName bytes
  Kind kind = Kind::scalar;
  double value = 0;
};
inline constexpr size_t kMaxSeriesName = 4096;

struct LoggedStep {
  uint64_t step = 0;
  bool eval = false;
  bool unordered = false;                // see StepBegin
  std::optional<double> wall_time = {};  // seconds since 1970 UTC; nothing: now
  std::vector<LoggedValue> values;
};

// Not thread-safe.
class SegmentWriter {
 public:
  // Error conflict when another process records the rank. `producer` names the program in the trace.
  static Result<SegmentWriter> open(const std::string& trace_dir, uint32_t rank, uint32_t world_size,
                                    std::string producer);

  // Whether the newest segment of the rank is of another producer: the hook of its training, most likely.
  bool follows_another() const { return follows_another_; }
  // The last training step that is on record of this rank, whoever recorded it.
  Result<std::optional<uint64_t>> last_training_step() const;

  // Reaches the file with flush() or close(), or when much has come together.
  Result<void> add(const LoggedStep& step);
  // After an error what was added since the last flush is lost; going on is fine.
  Result<void> flush();
  // Flushes and says that this process records nothing more. Nothing is written when nothing was added.
  Result<void> close();

 private:
  SegmentWriter(std::string folder, uint32_t rank, uint32_t world_size, std::string producer);
  uint32_t declare(const LoggedValue& value);
  void append_header(std::vector<uint8_t>& out) const;
  void look_at_newest();

  std::string folder_;  // of the rank
  uint32_t rank_;
  uint32_t world_size_;
  std::string producer_;
  uint64_t start_ns_;
  std::unique_ptr<capture::RankDirectory> directory_;
  bool follows_another_ = false;
  bool goes_on_ = false;  // the first flush appends to the newest segment
  std::map<std::pair<std::string, Kind>, uint32_t, std::less<>> series_;
  std::vector<uint8_t> declarations_;  // of all of them
  size_t declarations_written_ = 0;    // since the last header
  std::vector<uint8_t> buffer_;
  uint64_t last_wall_ns_ = 0;  // of the step before
};

}  // namespace pawl::trace
