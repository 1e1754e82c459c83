#include "engine/trace/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace pawl::trace {
namespace {

constexpr uint64_t kStepsAround = 64;  // of a finding: what the report shows, and a little more
constexpr uint64_t kMaxRowsAtOnce = 100'000;

int64_t bound(uint64_t step) {
  return static_cast<int64_t>(std::min<uint64_t>(step, INT64_MAX));
}

}  // namespace

void Retention::protect(std::span<const rules::Finding> findings) {
  for (const rules::Finding& finding : findings) fired_.insert(finding.first_step);
}

void Retention::go_back(uint64_t step) {
  raw_from_ = std::min(raw_from_, step);
  details_from_ = std::min(details_from_, step);
}

Result<uint64_t> Retention::excess(Db& db) const {
  PAWL_ASSIGN(auto pages, db.query_int("PRAGMA page_count"));
  PAWL_ASSIGN(auto unused, db.query_int("PRAGMA freelist_count"));
  PAWL_ASSIGN(auto page_bytes, db.query_int("PRAGMA page_size"));
  const auto used = static_cast<uint64_t>((pages.value_or(0) - unused.value_or(0)) * page_bytes.value_or(0));
  return used > limit_ ? used - limit_ : 0;
}

Result<void> Retention::trim(Db& db, uint64_t rows) {
  PAWL_ASSIGN(uint64_t bytes, excess(db));
  if (bytes == 0) return {};
  PAWL_RETURN_IF_ERROR(trim_raw(db, bytes));
  PAWL_ASSIGN(bytes, excess(db));
  if (bytes == 0) return {};
  return trim_details(db, std::clamp<uint64_t>(2 * rows, 1, kMaxRowsAtOnce));
}

Result<void> Retention::trim_raw(Db& db, uint64_t bytes) {
  PAWL_ASSIGN(auto newest, db.query_int("SELECT step FROM steps ORDER BY step DESC LIMIT 1"));
  const auto last = std::max(static_cast<uint64_t>(newest.value_or(0)), details_from_);
  const uint64_t end = details_from_ + (last - details_from_) / 2;
  uint64_t to = raw_from_;
  {
    PAWL_ASSIGN(Stmt row, db.prepare("SELECT step, length(data) FROM raw_tensors WHERE step >= ? AND step < ?"
                                     " ORDER BY step"));
    row.bind_all(bound(raw_from_), bound(end));
    for (uint64_t freed = 0; freed < bytes;) {
      PAWL_ASSIGN(bool more, row.step());
      if (!more) break;
      to = static_cast<uint64_t>(row.integer(0)) + 1;
      freed += static_cast<uint64_t>(row.integer(1));
    }
  }
  if (to == raw_from_) return {};
  PAWL_RETURN_IF_ERROR(erase(db, "raw_tensors", raw_from_, to));
  raw_from_ = to;
  return note(db, std::max(raw_from_, details_from_));
}

Result<void> Retention::trim_details(Db& db, uint64_t rows) {
  PAWL_ASSIGN(auto step,
              db.query_int("SELECT step FROM statistics WHERE step >= ? ORDER BY step, rank, series, mode"
                           " LIMIT 1 OFFSET ?",
                           bound(details_from_), rows));
  if (!step) return {};  // what is left is of the last steps
  const uint64_t to = std::max(static_cast<uint64_t>(*step), details_from_ + 1);
  for (const char* table : {"statistics", "fine_histograms", "hashes"}) {
    PAWL_RETURN_IF_ERROR(erase(db, table, details_from_, to));
  }
  details_from_ = to;
  return note(db, std::max(raw_from_, details_from_));
}

// The steps [from, to), but for those around findings.
Result<void> Retention::erase(Db& db, const char* table, uint64_t from, uint64_t to) const {
  const std::string sql = fmt::format("DELETE FROM {} WHERE step >= ? AND step < ?", table);
  for (uint64_t fired : fired_) {
    const uint64_t first = fired > kStepsAround ? fired - kStepsAround : 0;
    if (from < first && from < to) PAWL_RETURN_IF_ERROR(db.run(sql, bound(from), bound(std::min(first, to))));
    from = std::max(from, fired + kStepsAround + 1);
  }
  return from < to ? db.run(sql, bound(from), bound(to)) : Result<void>();
}

Result<void> Retention::note(Db& db, uint64_t step) {
  return db.run("INSERT OR REPLACE INTO meta VALUES(?,?)", kDetailsFrom, std::to_string(step));
}

}  // namespace pawl::trace
