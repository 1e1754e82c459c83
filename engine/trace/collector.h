// Writes trace.db, the SQLite summary of an attempt's trace (schema/trace_db.sql). It can always be made
// again from the segments, so it is written for speed: WAL without fsync, many steps a transaction.
//
// Threads: confined to one. Readers in other processes (TraceReader, sqlite3) see what has been committed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/sqlite.h"
#include "engine/rules/evaluator.h"
#include "engine/trace/format.h"
#include "engine/trace/steps.h"

namespace pawl::trace {

class Collector {
 public:
  // A new database; one that is already at `path` is replaced.
  static Result<Collector> create(const std::string& path);
  Collector(Collector&& other) noexcept;
  Collector& operator=(Collector&&) = delete;
  ~Collector();  // commits and leaves a single file

  // The steps of one assembler, in its order. Writes are collected until commit(), or until there are many.
  // After an error (a full disk) some of the step may be missing; going on is fine.
  Result<void> add(const Step& step);

  // All findings so far, Evaluator::findings().
  Result<void> set_findings(std::span<const rules::Finding> findings);

  // What could not be used of the trace; counts of zero are left out.
  Result<void> set_anomalies(const Anomalies& decoding, const AssemblyAnomalies& assembly,
                             std::span<const RankProgress> progress);

  Result<void> set_meta(std::string_view key, std::string_view value);

  // Makes everything visible to readers.
  Result<void> commit();

 private:
  explicit Collector(Db db);
  Result<void> prepare();
  Result<void> begin();
  Result<void> go_back(uint64_t step);
  Result<void> add_series(const SeriesTable& table);
  Result<void> add_observation(const Step& step, const Observation& observation);
  Result<void> set_anomaly(std::string_view kind, int64_t rank, uint64_t count);

  Db db_;
  std::optional<Stmt> insert_step_, insert_scalar_, insert_statistics_;
  uint32_t series_written_ = 0;
  size_t available_written_ = 0;
  uint64_t incarnation_ = 0;
  bool in_transaction_ = false;
  uint64_t rows_in_transaction_ = 0;
};

// The version of the schema, `PRAGMA user_version`.
inline constexpr int kTraceDbVersion = 1;

}  // namespace pawl::trace
