#include "engine/trace/collector.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace pawl::trace {
namespace {

constexpr const char* kSchema[] = {
#include "trace_db.inc"
};

constexpr int kBusyTimeoutMs = 100;  // nobody else writes, and rules come before readers
constexpr uint64_t kMaxRowsInTransaction = 50'000;

// SQLite has signed integers; a count beyond them is nonsense of a damaged trace.
int64_t signed_count(uint64_t value) {
  return value > INT64_MAX ? INT64_MAX : static_cast<int64_t>(value);
}

BlobView as_blob(const std::array<uint64_t, 16>& magnitude) {
  return {std::string_view(reinterpret_cast<const char*>(magnitude.data()), sizeof magnitude)};
}

}  // namespace

Collector::Collector(Db db) : db_(std::move(db)) {}

Result<Collector> Collector::create(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::string old = path + suffix;
    if (::unlink(old.c_str()) != 0 && errno != ENOENT) return errno_error("cannot replace", old, errno);
  }
  PAWL_ASSIGN(Db db, Db::open(path, Db::Access::create, kBusyTimeoutMs));
  PAWL_RETURN_IF_ERROR(
      db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-32768;"
              "PRAGMA journal_size_limit=67108864;"));
  PAWL_RETURN_IF_ERROR(db.exec("BEGIN"));
  PAWL_RETURN_IF_ERROR(db.exec(kSchema[0]));
  PAWL_RETURN_IF_ERROR(db.exec(fmt::format("PRAGMA user_version={}; COMMIT", kTraceDbVersion)));
  Collector collector(std::move(db));
  PAWL_RETURN_IF_ERROR(collector.prepare());
  return collector;
}

Result<void> Collector::prepare() {
  PAWL_ASSIGN(insert_step_, db_.prepare("INSERT OR REPLACE INTO steps VALUES(?,?,?,?,?,?)"));
  PAWL_ASSIGN(insert_scalar_, db_.prepare("INSERT OR REPLACE INTO scalars VALUES(?,?,?,?,?)"));
  PAWL_ASSIGN(insert_statistics_,
              db_.prepare("INSERT OR REPLACE INTO statistics VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
  return {};
}

Collector::Collector(Collector&& other) noexcept
    : db_(std::move(other.db_)),
      insert_step_(std::exchange(other.insert_step_, std::nullopt)),
      insert_scalar_(std::exchange(other.insert_scalar_, std::nullopt)),
      insert_statistics_(std::exchange(other.insert_statistics_, std::nullopt)),
      series_written_(other.series_written_),
      available_written_(other.available_written_),
      incarnation_(other.incarnation_),
      in_transaction_(std::exchange(other.in_transaction_, false)),
      rows_in_transaction_(other.rows_in_transaction_) {}

Collector::~Collector() {
  if (!insert_step_) return;  // moved from
  (void)commit();             // what is lost can be made again from the segments
  insert_step_.reset();
  insert_scalar_.reset();
  insert_statistics_.reset();
  // One file, that can be read where nothing may be written. Somebody who is reading now keeps it in WAL
  // mode.
  (void)db_.exec("PRAGMA journal_mode=DELETE");
}

Result<void> Collector::begin() {
  if (in_transaction_) return {};
  PAWL_RETURN_IF_ERROR(db_.run("BEGIN"));
  in_transaction_ = true;
  rows_in_transaction_ = 0;
  return {};
}

Result<void> Collector::commit() {
  if (!in_transaction_) return {};
  in_transaction_ = false;
  Result<void> committed = db_.run("COMMIT");
  if (!committed.ok()) {
    (void)db_.run("ROLLBACK");  // SQLite may have done so itself
    series_written_ = 0;
    available_written_ = 0;
  }
  return committed;
}

Result<void> Collector::add(const Step& step) {
  PAWL_RETURN_IF_ERROR(begin());
  if (step.mode == 0 && step.incarnation != incarnation_) PAWL_RETURN_IF_ERROR(go_back(step.step));
  if (step.mode == 0) incarnation_ = step.incarnation;
  PAWL_RETURN_IF_ERROR(add_series(*step.series));
  for (const RankTime& rank : step.ranks) {
    if (step.more) {
      PAWL_RETURN_IF_ERROR(db_.run("INSERT OR IGNORE INTO steps VALUES(?,?,?,?,?,?)", signed_count(step.step),
                                   rank.rank, step.mode, rank.begin_s, rank.end_s, step.wall_time));
      continue;
    }
    insert_step_->bind_all(signed_count(step.step), rank.rank, step.mode, rank.begin_s, rank.end_s,
                           step.wall_time);
    PAWL_RETURN_IF_ERROR(insert_step_->run());
  }
  for (const Observation& observation : step.observations) {
    PAWL_RETURN_IF_ERROR(add_observation(step, observation));
  }
  for (const RequestChange& change : step.requests) {
    PAWL_RETURN_IF_ERROR(db_.run("INSERT OR REPLACE INTO requests VALUES(?,?,?,?)", change.rank,
                                 signed_count(change.request.generation), signed_count(step.step),
                                 change.request.text));
  }
  rows_in_transaction_ += step.ranks.size() + step.observations.size();
  if (rows_in_transaction_ >= kMaxRowsInTransaction) return commit();
  return {};
}

Result<void> Collector::add_observation(const Step& step, const Observation& observation) {
  if (const double* value = observation.scalar()) {
    insert_scalar_->bind_all(observation.series, signed_count(step.step), observation.rank, step.mode,
                             *value);
    return insert_scalar_->run();
  }
  if (observation.stats() == nullptr) return {};
  const TensorStats& s = *observation.stats();
  insert_statistics_->bind_all(observation.series, signed_count(step.step), observation.rank, step.mode,
                               signed_count(s.count), signed_count(s.nan), signed_count(s.inf),
                               signed_count(s.zero), s.min, s.max, s.sum, s.abs_sum, s.square_sum,
                               as_blob(s.magnitude));
  return insert_statistics_->run();
}

Result<void> Collector::add_series(const SeriesTable& table) {
  for (; series_written_ < table.size(); ++series_written_) {
    const SeriesInfo& info = table[series_written_];
    PAWL_RETURN_IF_ERROR(db_.run("INSERT OR IGNORE INTO series VALUES(?,?,?,?,?)", series_written_, info.name,
                                 to_string(info.kind), to_string(info.dtype),
                                 fmt::format("[{}]", fmt::join(info.shape, ","))));
  }
  for (; available_written_ < table.available().size(); ++available_written_) {
    const Available& series = table.available()[available_written_];
    PAWL_RETURN_IF_ERROR(
        db_.run("INSERT OR IGNORE INTO available VALUES(?,?)", series.name, to_string(series.kind)));
  }
  return {};
}

// Training has been taken up again at `step`: what was recorded from there on did not happen.
Result<void> Collector::go_back(uint64_t step) {
  for (const char* table : {"steps", "scalars", "statistics"}) {
    PAWL_RETURN_IF_ERROR(
        db_.run(fmt::format("DELETE FROM {} WHERE mode = 0 AND step >= ?", table), signed_count(step)));
  }
  return {};
}

Result<void> Collector::set_findings(std::span<const rules::Finding> findings) {
  PAWL_RETURN_IF_ERROR(begin());
  for (const rules::Finding& f : findings) {
    PAWL_RETURN_IF_ERROR(db_.run("INSERT OR REPLACE INTO findings VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", f.rule,
                                 rules::to_string(f.severity), rules::to_string(f.action),
                                 signed_count(f.first_step), signed_count(f.last_step), signed_count(f.count),
                                 f.rank, f.tensor, f.kind, f.value, f.limit, f.message));
  }
  return {};
}

Result<void> Collector::set_anomalies(const Anomalies& decoding, const AssemblyAnomalies& assembly,
                                      std::span<const RankProgress> progress) {
  PAWL_RETURN_IF_ERROR(begin());
  constexpr int64_t kWhole = -1;
  PAWL_RETURN_IF_ERROR(set_anomaly("skipped_bytes", kWhole, decoding.skipped_bytes));
  PAWL_RETURN_IF_ERROR(set_anomaly("damaged_frames", kWhole, decoding.damaged_frames));
  PAWL_RETURN_IF_ERROR(set_anomaly("malformed_records", kWhole, decoding.malformed_records));
  PAWL_RETURN_IF_ERROR(set_anomaly("unknown_records", kWhole, decoding.unknown_records));
  PAWL_RETURN_IF_ERROR(set_anomaly("unsupported_records", kWhole, decoding.unsupported_records));
  PAWL_RETURN_IF_ERROR(set_anomaly("unrecovered_rings", kWhole, decoding.unrecovered_rings));
  PAWL_RETURN_IF_ERROR(set_anomaly("late_steps", kWhole, assembly.late_steps));
  PAWL_RETURN_IF_ERROR(set_anomaly("unknown_series", kWhole, assembly.unknown_series));
  PAWL_RETURN_IF_ERROR(set_anomaly("excess_observations", kWhole, assembly.excess_observations));
  PAWL_RETURN_IF_ERROR(set_anomaly("ignored_records", kWhole, assembly.ignored_records));
  PAWL_RETURN_IF_ERROR(set_anomaly("broken_tensors", kWhole, assembly.broken_tensors));
  for (const RankProgress& rank : progress) {
    PAWL_RETURN_IF_ERROR(set_anomaly("dropped_records", rank.rank, rank.dropped));
  }
  return {};
}

Result<void> Collector::set_anomaly(std::string_view kind, int64_t rank, uint64_t count) {
  if (count == 0) return {};
  return db_.run("INSERT OR REPLACE INTO anomalies VALUES(?,?,?)", kind, rank, signed_count(count));
}

Result<void> Collector::set_meta(std::string_view key, std::string_view value) {
  PAWL_RETURN_IF_ERROR(begin());
  return db_.run("INSERT OR REPLACE INTO meta VALUES(?,?)", key, value);
}

}  // namespace pawl::trace
