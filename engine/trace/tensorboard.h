// From trace.db to event files for TensorBoard: a folder for each rank and mode (`rank0-train`), which
// TensorBoard shows as a run each. Losses and scalars are named as they were recorded; a scalar that
// has the name of a loss is <name>/scalar. Of a tensor there are
//   <name>/<kind>/rms, mean, min, max   of its finite elements; not a number when there is none
//   <name>/<kind>/zero_share            of all
//   <name>/<kind>/non_finite            how many
//   <name>/<kind>/log2_magnitude        a histogram of log2 |x| over the finite elements that are not zero
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/error.h"
#include "engine/trace/event_file.h"
#include "engine/trace/query.h"

namespace pawl::trace {

// Not thread-safe.
class TensorBoardExport {
 public:
  // `source` names what is exported, and so the files: those of an earlier export of the same are replaced.
  // `wanted` chooses series by their names.
  TensorBoardExport(std::string dir, std::string source, std::function<bool(std::string_view)> wanted)
      : dir_(std::move(dir)), source_(std::move(source)), wanted_(std::move(wanted)) {}

  // Adds what the trace has gained since the last call. When training has gone back, TensorBoard is told, and
  // the steps that were made again follow. `now` (seconds since 1970 UTC) stands for the time of a step that
  // was never completed, when the rank has completed none before.
  //
  // Error conflict when a folder has event files of something else: TensorBoard would mix them.
  Result<void> update(TraceReader& reader, double now);

  uint64_t steps() const { return steps_; }  // written so far, over all folders
  size_t folders() const { return lanes_.size(); }

 private:
  struct Written {
    EventFile file;
    uint64_t last_step = 0;
    double last_wall = 0;  // the latest
  };

  Result<EventFile> create_file(const Lane& lane, double wall_time);
  Result<void> update_lane(TraceReader& reader, const std::vector<SeriesInfo>& series, const Lane& lane,
                           double now);
  Result<void> write(const Lane& lane, const std::vector<SeriesInfo>& series, const LaneStep& step,
                     double now);

  std::string dir_;
  std::string source_;
  std::function<bool(std::string_view)> wanted_;
  std::set<std::string> losses_;  // their names
  std::map<std::pair<uint32_t, int>, Written> lanes_;
  uint64_t steps_ = 0;
};

}  // namespace pawl::trace
