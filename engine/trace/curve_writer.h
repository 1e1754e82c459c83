// Fills `buckets` of trace.db: the curves, at several resolutions, while the steps come.
//
// Memory: of each series at most 16 values and an open bucket of each wider width. Threads: confined to one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/sqlite.h"
#include "engine/trace/curve_bucket.h"
#include "engine/trace/steps.h"

namespace pawl::trace {

class CurveWriter {
 public:
  // `db` has to live as long, and longer.
  static Result<CurveWriter> create(Db& db);

  // A training step, of the same assembler and in its order. Writes the buckets that it fills. A value that
  // is told late (Step::more) takes its place in the bucket that is being filled; one that comes behind full
  // buckets is in no curve.
  Result<void> add(const Step& step);

  // Training was taken up again at `step`: what was added from there on did not happen. Call it when `steps`
  // says so.
  Result<void> go_back(uint64_t step);

  // Writes what is there of buckets that are not full.
  Result<void> flush();

 private:
  struct Curve {
    // Of the step that is being added.
    double sum = 0;
    uint64_t finite = 0;
    uint64_t non_finite = 0;
    std::optional<uint64_t> digest;  // of the first rank
    bool noted = false;
    // The buckets that are open.
    std::vector<CurveValue> values;   // ascending by step
    std::optional<uint64_t> full_to;  // the last step of the last full bucket
    std::array<Bucket, kBucketWidths.size() - 1> wider;
    bool changed = false;  // since its values were written
  };
  struct Pace {
    uint32_t rank = 0;
    uint64_t step = 0;
    double end_s = 0;
  };

  explicit CurveWriter(Db& db) : db_(&db) {}
  Curve& curve(int64_t series);
  Curve& note(int64_t series);
  void note(int64_t series, double value, uint64_t non_finite);
  void note(const Observation& observation);
  void note_pace(const Step& step);
  Result<void> end_step(int64_t series, uint64_t step);
  Result<void> write(int64_t series, uint64_t width, const Bucket& bucket,
                     std::optional<std::string_view> values);
  Result<void> write_values(int64_t series, Curve& curve);
  Result<void> reopen_values(uint64_t step);
  Result<void> reopen_wider(size_t level);
  Result<void> reopen_pace();

  Db* db_;
  std::optional<Stmt> insert_;
  std::vector<Curve> curves_;     // by series + 1
  std::vector<int64_t> noted_;    // in the step that is being added
  std::vector<int64_t> changed_;  // since the last flush
  std::optional<Pace> pace_;      // the end of the last step of the lowest rank
};

// A row of `buckets`, from the column `first_step` on to `non_finite`.
Bucket read_bucket(const Stmt& row, int column);
inline constexpr const char* kBucketColumns =
    "first_step, last_step, count, finite, min, max, sum, last, non_finite";

}  // namespace pawl::trace
