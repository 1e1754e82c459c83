// Keeps trace.db within a size: the oldest details go: raw tensors of the older half of the steps, then
// statistics, fine histograms and digests. Curves, losses, scalars, steps, spans and batches stay, and so
// does what is around the steps in which rules fired.
//
// `details_from` in `meta` is the first step from which on all is there.
//
// Threads: confined to one.
#pragma once

#include <cstdint>
#include <set>
#include <span>

#include "engine/base/error.h"
#include "engine/base/sqlite.h"
#include "engine/rules/evaluator.h"

namespace pawl::trace {

inline constexpr uint64_t kTraceDbLimit = 1u << 30;
inline constexpr const char* kDetailsFrom = "details_from";

class Retention {
 public:
  explicit Retention(uint64_t limit_bytes) : limit_(limit_bytes) {}

  // What is around their first steps is kept.
  void protect(std::span<const rules::Finding> findings);

  // Training was taken up again at `step`.
  void go_back(uint64_t step);

  // Deletes some when the database is too large: not much more than has come since, `rows`, so that it takes
  // no longer. Inside of a transaction.
  Result<void> trim(Db& db, uint64_t rows);

 private:
  Result<uint64_t> excess(Db& db) const;
  Result<void> trim_raw(Db& db, uint64_t bytes);
  Result<void> trim_details(Db& db, uint64_t rows);
  Result<void> erase(Db& db, const char* table, uint64_t from, uint64_t to) const;
  Result<void> note(Db& db, uint64_t step);

  uint64_t limit_;
  uint64_t raw_from_ = 0;      // raw tensors are there from this step on
  uint64_t details_from_ = 0;  // and everything else from this one
  std::set<uint64_t> fired_;   // steps in which rules fired first
};

}  // namespace pawl::trace
