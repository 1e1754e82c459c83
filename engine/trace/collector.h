// Writes trace.db, the SQLite summary of an attempt's trace (schema/trace_db.sql). It can always be made
// again from the segments, so it is written for speed: WAL without fsync, many steps a transaction.
//
// Threads: confined to one. Readers in other processes (TraceReader, sqlite3) see what has been committed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/rules/evaluator.h"
#include "engine/trace/format.h"
#include "engine/trace/retention.h"
#include "engine/trace/steps.h"

namespace pawl::trace {

class Collector {
 public:
  // A new database; one that is already at `path` is replaced. When it has grown beyond about `limit_bytes`
  // the oldest details are deleted (retention.h).
  static Result<Collector> create(const std::string& path, uint64_t limit_bytes = kTraceDbLimit);
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
  class Database;
  explicit Collector(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

// The version of the schema, `PRAGMA user_version`. Files of version 1 are made anew by `pawl trace rebuild`.
inline constexpr int kTraceDbVersion = 2;

}  // namespace pawl::trace
