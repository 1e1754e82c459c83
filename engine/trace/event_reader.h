// Reads the event files that trainings write for TensorBoard (event_file.h says what they are made of):
// scalars, whether as `simple_value` or as the tensors of TensorFlow 2. Pure: bytes in, values out; what is
// damaged is counted and never fatal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/trace/format.h"

namespace pawl::trace {

// Takes the frames out of a growing file. Feed bytes in chunks of any size. Holds at most one record of
// kMaxEventBytes beyond what was fed since.
class TfRecordDecoder {
 public:
  static constexpr uint64_t kMaxEventBytes = 1u << 20;  // longer ones are images and graphs: passed over

  void feed(std::string_view bytes);
  // The next message that is as it was written; nullopt when more bytes are needed.
  std::optional<std::string> next();

  // Bytes to come, at most `most`, of a message that is too long: the caller leaves them out instead of
  // feeding them. REQUIRES: next() gave nothing.
  uint64_t pass_over(uint64_t most);

  uint64_t damaged() const { return damaged_; }  // messages that are not as they were written
  // A length is not as it was written: nothing behind it can be found.
  bool lost() const { return lost_; }

 private:
  std::string buffer_;
  size_t at_ = 0;      // consumed
  uint64_t skip_ = 0;  // bytes to come of a frame that is passed over
  uint64_t damaged_ = 0;
  bool lost_ = false;
};

struct ScalarEvent {
  double wall_time = 0;  // seconds since 1970 UTC
  uint64_t step = 0;
  bool restart = false;  // training goes on from `step`: what was said of later ones does not count
  struct Value {
    std::string tag;
    double value = 0;
  };
  std::vector<Value> values;
};

// Error invalid when the message is no event. What is no scalar is left out; tags are valid UTF-8.
Result<ScalarEvent> parse_event(std::string_view message);

// What a tag becomes in the trace.
struct EventSeries {
  std::string name;  // "<run>/<tag>", or the tag
  Kind kind = Kind::scalar;
  bool eval = false;
};
// `run` is the folder of the file below that of all, or empty. Of the parts between '/', whatever their case:
// a loss is a tag with one that is `loss` or ends in `_loss`; evaluation is a run or tag with one that is, or
// begins with, `val`, `valid`, `validation`, `eval`, `evaluation` or `test` (`val_loss`).
EventSeries series_of_event(std::string_view run, std::string_view tag);

}  // namespace pawl::trace
