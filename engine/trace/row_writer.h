// Writes what one rank recorded into the tables of trace.db, a row for each observation.
//
// Threads: confined to one.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/sqlite.h"
#include "engine/trace/steps.h"

namespace pawl::trace {

class RowWriter {
 public:
  // `db` has to live as long, and longer.
  static Result<RowWriter> create(Db& db);

  Result<void> add(const Step& step, const Observation& observation);

 private:
  struct Place {
    int64_t step;
    uint32_t rank;
    uint32_t series;
    int mode;
  };
  explicit RowWriter(Db& db) : db_(&db) {}
  Result<void> write(const Place& place, double value);
  Result<void> write(const Place& place, const TensorStats& stats);
  Result<void> write(const Place& place, const RawTensor& raw);
  Result<void> write(const Place& place, const Span& span);
  Result<void> write(const Place& place, const Batch& batch);
  Result<void> write(const Place& place, const Digest& digest);
  Result<void> write(const Place& place, const FineHistogram& histogram);

  Db* db_;
  std::optional<Stmt> insert_scalar_, insert_statistics_;
};

// SQLite has signed integers; a count beyond them is nonsense of a damaged trace.
inline int64_t signed_count(uint64_t value) {
  return value > INT64_MAX ? INT64_MAX : static_cast<int64_t>(value);
}

}  // namespace pawl::trace
