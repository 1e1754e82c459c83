// From the records of single ranks to completed training steps. Pure: the time is handed in.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/trace/format.h"

namespace pawl::trace {

struct SeriesInfo {
  std::string name;
  Kind kind = Kind::scalar;
  Dtype dtype = Dtype::f32;
  std::vector<int64_t> shape;
};

// All series of a trace, interned by (name, kind): the same index on every rank and after a restart. Grows
// only; references stay valid as long as the table.
class SeriesTable {
 public:
  // nullopt when the table is full.
  std::optional<uint32_t> intern(const SeriesDeclaration& declaration);
  std::optional<uint32_t> find(std::string_view name, Kind kind) const;
  const SeriesInfo& operator[](uint32_t index) const { return series_[index]; }

  // What could be recorded on some rank, recorded or not, in the order it was first said.
  void offer(const Available& available);
  const std::deque<Available>& available() const { return available_; }
  uint32_t size() const { return static_cast<uint32_t>(series_.size()); }

 private:
  std::deque<SeriesInfo> series_;
  struct Less {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return std::pair<std::string_view, Kind>(a) < std::pair<std::string_view, Kind>(b);
    }
  };
  std::map<std::pair<std::string, Kind>, uint32_t, Less> index_;
  std::deque<Available> available_;
  std::set<std::pair<std::string, Kind>> available_index_;
};

// The values of a tensor: a safetensors document with one tensor, "value". Not looked into: it came from a
// rank.
struct RawTensor {
  std::vector<uint8_t> safetensors;
};

struct Observation {
  using Value = std::variant<double, TensorStats, RawTensor, Span, Batch, Digest, FineHistogram>;

  uint32_t rank = 0;
  uint32_t series = 0;  // index into the SeriesTable
  Value value;

  const double* scalar() const { return std::get_if<double>(&value); }
  const TensorStats* stats() const { return std::get_if<TensorStats>(&value); }
};

// When one rank worked on a step, in seconds of its own monotonic clock.
struct RankTime {
  uint32_t rank = 0;
  double begin_s = 0;
  double end_s = 0;
};

// What a rank records has been changed while it trains.
struct RequestChange {
  uint32_t rank = 0;
  Request request;
};

struct Step {
  uint64_t step = 0;
  uint64_t incarnation = 0;               // how often training has gone back to an earlier step
  int mode = 0;                           // 0 train, 1 eval
  double wall_time = 0;                   // seconds since 1970 UTC when the last of its ranks ended it
  std::vector<RankTime> ranks;            // who ended it, ascending
  std::vector<uint32_t> missing_ranks;    // who should have, ascending
  std::vector<Observation> observations;  // by rank, then as recorded
  std::vector<RequestChange> requests;    // that hold from this step on
  const SeriesTable* series = nullptr;    // of the assembler, and valid as long as it
  bool more = false;                      // from one rank alone: more of a step that it has passed
};

// How far a rank has come. Times are those handed to `add`.
struct RankProgress {
  uint32_t rank = 0;
  bool ended = false;                 // it closed its trace, or rank_exited was called
  uint64_t completed = 0;             // training steps it ended, each once, over all restarts
  std::optional<uint64_t> last_step;  // the training step it ended last
  int64_t last_activity_ms = 0;       // its last record of any kind
  int64_t last_step_ms = 0;           // its last end of a step of any mode; until then, its first record
  uint64_t dropped = 0;               // records its present process has dropped
};

// What was not put into any step.
struct AssemblyAnomalies {
  uint64_t late_steps = 0;           // a rank ended a step after it had been emitted without it
  uint64_t unknown_series = 0;       // values of a series that was never declared
  uint64_t excess_observations = 0;  // more of one step than kMaxObservations or kMaxBytes, or before any
  uint64_t ignored_records = 0;      // of a rank or mode out of range
  uint64_t broken_tensors = 0;       // values of a tensor of which a piece is missing
};

struct AssemblerOptions {
  uint32_t expected_ranks = 0;      // 0: the world size in the newest header
  uint64_t max_step_lag = 64;       // steps that may wait for a rank
  uint64_t max_bytes = 512u << 20;  // of tensors and the like, in all steps that wait
  int64_t max_wait_ms = 10'000;
};

// A training step is complete when every expected rank has
//   - ended it, or a later one (a rank need not record every step), or
//   - closed its trace or left, or
//   - been given up: it let a step wait for max_wait_ms since the first rank ended it, or for max_step_lag
//     newer steps, or with max_bytes in all that wait. It is waited for again as soon as it ends a step that
//     has not been emitted.
// Complete steps leave in order. A rank's values for a step already emitted are counted and lost.
//
// Training may go back (a restart resumes from a checkpoint, or a second training runs in the same stage):
// when a rank ends a training step that is not beyond its last one, it has entered its next incarnation.
// Ranks meet by (incarnation, step), and steps are emitted again. A rank that is an incarnation behind all
// others joins them when its steps are ahead of what was emitted there.
//
// A step that is told in no order (StepBegin::unordered) never means that training went back. It is put to
// its step while that waits, and leaves alone (Step::more) when it has been passed: as soon as the
// incarnation of its rank is there, and not at all when a later one has begun at that step or before.
//
// Steps in evaluation mode are not assembled: ranks evaluate at different times or not at all. Each leaves at
// once, alone, with one rank and no missing ones.
//
// Not thread-safe.
class StepAssembler {
 public:
  static constexpr uint32_t kMaxRanks = 65536;
  static constexpr size_t kMaxObservations = 1u << 20;
  static constexpr uint64_t kMaxBytes = 64u << 20;  // of tensors and the like, in a rank's step

  explicit StepAssembler(AssemblerOptions options = {}) : options_(options) {}
  StepAssembler(const StepAssembler&) = delete;
  StepAssembler& operator=(const StepAssembler&) = delete;

  // `now_ms`: any clock that does not go back.
  void add(uint32_t rank, const Record& record, int64_t now_ms);

  // The process of the rank is gone: nothing waits for it any more (unless a new one appears).
  void rank_exited(uint32_t rank);

  // Steps completed since the last call.
  std::vector<Step> take(int64_t now_ms);

  // The trace is over: everything that is left, training steps that were begun and never ended
  // too (their rank is then listed as missing, though it has observations).
  std::vector<Step> finish();

  // When `take` would give up waiting for a rank; nullopt while nothing waits.
  std::optional<int64_t> next_deadline_ms() const;

  uint32_t expected_ranks() const;  // how many a step waits for; 0 before the first header

  const SeriesTable& series() const { return series_; }
  std::vector<RankProgress> progress() const;  // by rank
  const AssemblyAnomalies& anomalies() const { return anomalies_; }

 private:
  using Key = std::pair<uint64_t, uint64_t>;  // incarnation, step

  struct Rank {
    RankProgress progress;
    std::vector<std::optional<uint32_t>> series;  // local id -> index in the table
    std::optional<StepBegin> open;
    std::vector<Observation> observations;  // of the open step
    uint64_t bytes = 0;                     // of them
    std::optional<StepBegin> interrupted;   // the training step that the open step, an evaluation, stands in
    std::vector<Observation> observations_before;  // of that one
    uint64_t bytes_before = 0;
    RawPiece raw;                         // the tensor whose pieces are coming; total 0: none
    std::vector<RequestChange> requests;  // since the last step that ended
    std::optional<Key> position;          // the training step it ended last
    uint64_t start_ns = 0;                // with pid: which process
    uint32_t pid = 0;
  };
  struct Pending {
    Step step;
    int64_t first_ms = 0;  // when the first rank ended it
  };

  void on(Rank& rank, const Header& header, int64_t now_ms);
  void on(Rank& rank, const SeriesDeclaration& declaration, int64_t now_ms);
  void on(Rank& rank, const StepBegin& begin, int64_t now_ms);
  void on(Rank& rank, const ScalarValue& value, int64_t now_ms);
  void on(Rank& rank, const StatsValue& value, int64_t now_ms);
  void on(Rank& rank, const StepEnd& end, int64_t now_ms);
  void on(Rank& rank, const Dropped& dropped, int64_t now_ms);
  void on(Rank& rank, const End& end, int64_t now_ms);
  void on(Rank& rank, const Request& request, int64_t now_ms);
  void on(Rank& rank, const Available& available, int64_t now_ms);
  void on(Rank& rank, const RawPiece& piece, int64_t now_ms);
  template <class Value>
  void on(Rank& rank, const Of<Value>& record, int64_t) {
    observe(rank, record.series, record.value);
  }
  void break_raw(Rank& rank);
  void observe(Rank& rank, uint32_t local_series, Observation::Value value);
  void end_open(Rank& rank, uint64_t wall_ns, uint64_t mono_ns, int64_t now_ms);
  void close_step(Rank& rank, uint64_t wall_ns, uint64_t mono_ns, int64_t now_ms);
  Key key_of(const Rank& rank, const StepBegin& begin) const;
  Step& step_at(const Key& key, int64_t now_ms);
  bool is_emitted(const Key& key) const { return emitted_ && key <= *emitted_; }
  std::vector<uint32_t> ranks_awaited(const Key& key) const;
  Step emit_first();
  void emit_lone(std::vector<Step>& out);

  AssemblerOptions options_;
  SeriesTable series_;
  std::map<uint32_t, Rank> ranks_;  // those that have recorded something
  std::set<uint32_t> given_up_;
  std::map<Key, Pending> pending_;
  uint64_t pending_bytes_ = 0;
  std::optional<Key> emitted_;  // the last
  std::map<uint64_t, uint64_t>
      began_;                // the step that an incarnation began with, when no later one was lower
  std::vector<Step> lone_;   // that wait for no other rank
  uint32_t world_size_ = 0;  // in the newest header
  AssemblyAnomalies anomalies_;
};

}  // namespace pawl::trace
