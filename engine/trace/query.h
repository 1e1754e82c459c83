// Reads trace.db for people: the CLI, the API, the report, the record. Works while the supervisor writes.
//
// Threads: confined to one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/sqlite.h"
#include "engine/rules/evaluator.h"
#include "engine/trace/curve_bucket.h"
#include "engine/trace/format.h"
#include "engine/trace/steps.h"

namespace pawl::trace {

// A stretch of a curve. NaN and infinities are counted, not summed; the values are NaN when there is nothing
// else.
struct CurvePoint {
  uint64_t step = 0;  // the last of the stretch
  double min = 0;
  double max = 0;
  double mean = 0;
  double last = 0;
  uint64_t non_finite = 0;
};

// All of a curve.
struct SeriesExtent {
  uint64_t steps = 0;  // that have a value
  double first = 0;
  double last = 0;  // finite, or not a number when none is
  uint64_t non_finite = 0;
};

struct StatisticsRow {
  uint64_t step = 0;
  uint32_t rank = 0;
  TensorStats stats;
};

struct TraceProgress {
  std::optional<uint64_t> last_step;  // of training
  double steps_per_s = 0;             // over the last steps; 0 when unknown
  std::optional<double>
      loss;  // the first loss in the last step that has one, mean over the ranks; may be NaN
};

struct AnomalyRow {
  std::string kind;
  int64_t rank = -1;  // -1: of the whole trace
  uint64_t count = 0;
};

// A series that could be recorded, or was.
struct AvailableSeries {
  std::string name;
  Kind kind = Kind::scalar;
  std::optional<uint64_t> last_step;  // of training, in which it was recorded last
};

// What one rank recorded in one mode.
struct Lane {
  uint32_t rank = 0;
  int mode = 0;            // 0 train, 1 eval
  uint64_t last_step = 0;  // of which anything is there
  double last_wall = 0;    // when the latest of its steps was completed, seconds since 1970 UTC; 0: none was
};

struct LaneStep {
  uint64_t step = 0;
  std::optional<double> wall_time;  // nullopt: it was begun and never completed
  std::vector<Observation> observations;
};

struct LaneSteps {
  std::vector<LaneStep> steps;   // those with any observation, ascending
  std::optional<uint64_t> next;  // where to go on reading
};

class TraceReader {
 public:
  // Error not_found: there is none. Error invalid: no trace.db, or of another version.
  static Result<TraceReader> open(const std::string& path);

  // Findings of a trace.db of any version.
  static Result<std::vector<rules::Finding>> findings_in(const std::string& path);

  Result<std::vector<SeriesInfo>> series();  // in the order in which they were first recorded

  Result<std::vector<AvailableSeries>> available();  // by kind, then name
  // The newest request of a rank that was changed while it trained.
  Result<std::optional<std::string>> last_request();

  // The number that stands for a series (schema/trace_db.sql, buckets: the value of a loss, the L2 norm of a
  // tensor, ...) over the training steps, the mean of its ranks, in at most `max_points` stretches of equal
  // width. Up to 65536 values are read themselves; of more, buckets at least as fine as the points. Unknown
  // series: empty.
  Result<std::vector<CurvePoint>> curve(std::string_view name, Kind kind, size_t max_points);

  // Completed training steps per second, by the lowest rank's ends of steps.
  Result<std::vector<CurvePoint>> throughput(size_t max_points);

  // The same curve in short.
  Result<SeriesExtent> extent(std::string_view name, Kind kind);

  // Statistics of one tensor, by step and rank, in training steps [from, to].
  Result<std::vector<StatisticsRow>> tensor(std::string_view name, Kind kind, uint64_t from_step,
                                            uint64_t to_step);

  // While one of these lives, everything that is read is of one moment, whatever is written meanwhile.
  class Moment {
   public:
    Moment(Moment&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
    Moment& operator=(Moment&&) = delete;
    ~Moment();

   private:
    friend class TraceReader;
    explicit Moment(Db* db) : db_(db) {}
    Db* db_;
  };
  Result<Moment> hold();

  Result<std::vector<Lane>> lanes();  // by rank, then mode

  // The first step that lies beyond `step`, or was completed after `wall_time`: training has gone back to it.
  Result<std::optional<uint64_t>> first_step_after(const Lane& lane, uint64_t step, double wall_time);

  // What was recorded of `series` in at most about `max_steps` steps from `from` on. Observation::series is
  // an index of `series`.
  Result<LaneSteps> lane_steps(const Lane& lane, const std::vector<SeriesInfo>& series, uint64_t from,
                               size_t max_steps);

  Result<std::vector<rules::Finding>> findings();  // by first step
  Result<std::vector<AnomalyRow>> anomalies();
  Result<TraceProgress> progress();
  Result<std::optional<std::string>> meta(std::string_view key);

 private:
  explicit TraceReader(Db db) : db_(std::move(db)) {}
  Result<std::optional<int64_t>> series_id(std::string_view name, Kind kind);
  Result<std::vector<Bucket>> buckets(int64_t series, uint64_t widest);
  Result<std::vector<CurvePoint>> curve(int64_t series, size_t max_points);
  Result<void> add_observations(const Lane& lane, const std::vector<SeriesInfo>& series,
                                std::map<uint64_t, LaneStep>& steps);
  Db db_;
};

}  // namespace pawl::trace
