#include "engine/trace/collector.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "engine/base/sqlite.h"
#include "engine/trace/curve_writer.h"
#include "engine/trace/row_writer.h"

namespace pawl::trace {
namespace {

constexpr const char* kSchema[] = {
#include "trace_db.inc"
};

constexpr int kBusyTimeoutMs = 100;  // nobody else writes, and rules come before readers
constexpr uint64_t kMaxRowsInTransaction = 50'000;

Result<Db> create_database(const std::string& path) {
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
  return db;
}

}  // namespace

// Stays where it is: the writers refer to the connection.
class Collector::Database {
 public:
  Database(Db db, uint64_t limit_bytes) : db_(std::move(db)), retention_(limit_bytes) {}
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  Result<void> prepare();
  Result<void> add(const Step& step);
  Result<void> set_findings(std::span<const rules::Finding> findings);
  Result<void> set_anomaly(std::string_view kind, int64_t rank, uint64_t count);
  Result<void> begin();
  Result<void> commit();
  Db& db() { return db_; }

 private:
  Result<void> close_transaction();
  Result<void> go_back(uint64_t step);
  Result<void> add_series(const SeriesTable& table);
  Result<void> add_ranks(const Step& step);
  Result<void> add_request(const Step& step, const RequestChange& change);

  Db db_;
  Retention retention_;
  std::optional<Stmt> insert_step_;
  std::optional<RowWriter> rows_;
  std::optional<CurveWriter> curves_;
  uint32_t series_written_ = 0;
  size_t available_written_ = 0;
  uint64_t incarnation_ = 0;
  bool in_transaction_ = false;
  uint64_t rows_in_transaction_ = 0;
};

Collector::Collector(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Collector::Collector(Collector&&) noexcept = default;
Collector::~Collector() = default;

Result<Collector> Collector::create(const std::string& path, uint64_t limit_bytes) {
  PAWL_ASSIGN(Db db, create_database(path));
  auto database = std::make_unique<Database>(std::move(db), limit_bytes);
  PAWL_RETURN_IF_ERROR(database->prepare());
  return Collector(std::move(database));
}

Result<void> Collector::add(const Step& step) {
  return database_->add(step);
}
Result<void> Collector::set_findings(std::span<const rules::Finding> findings) {
  return database_->set_findings(findings);
}
Result<void> Collector::commit() {
  return database_->commit();
}

Result<void> Collector::Database::prepare() {
  PAWL_ASSIGN(insert_step_, db_.prepare("INSERT OR REPLACE INTO steps VALUES(?,?,?,?,?,?)"));
  PAWL_ASSIGN(rows_, RowWriter::create(db_));
  PAWL_ASSIGN(curves_, CurveWriter::create(db_));
  return {};
}

Collector::Database::~Database() {
  (void)commit();  // what is lost can be made again from the segments
  insert_step_.reset();
  rows_.reset();
  curves_.reset();
  // One file, that can be read where nothing may be written. Somebody who is reading now keeps it in WAL
  // mode.
  (void)db_.exec("PRAGMA journal_mode=DELETE");
}

Result<void> Collector::Database::begin() {
  if (in_transaction_) return {};
  PAWL_RETURN_IF_ERROR(db_.run("BEGIN"));
  in_transaction_ = true;
  rows_in_transaction_ = 0;
  return {};
}

Result<void> Collector::Database::commit() {
  if (!in_transaction_) return {};
  auto flushed = curves_->flush();
  auto closed = close_transaction();
  return flushed.ok() ? std::move(closed) : std::move(flushed);
}

Result<void> Collector::Database::close_transaction() {
  auto trimmed = retention_.trim(db_, rows_in_transaction_);
  in_transaction_ = false;
  Result<void> committed = db_.run("COMMIT");
  if (!committed.ok()) {
    (void)db_.run("ROLLBACK");  // SQLite may have done so itself
    series_written_ = 0;
    available_written_ = 0;
  }
  return committed.ok() ? std::move(trimmed) : std::move(committed);
}

Result<void> Collector::Database::add(const Step& step) {
  PAWL_RETURN_IF_ERROR(begin());
  if (step.mode == 0 && step.incarnation != incarnation_) PAWL_RETURN_IF_ERROR(go_back(step.step));
  if (step.mode == 0) incarnation_ = step.incarnation;
  PAWL_RETURN_IF_ERROR(add_series(*step.series));
  PAWL_RETURN_IF_ERROR(add_ranks(step));
  for (const Observation& observation : step.observations) {
    PAWL_RETURN_IF_ERROR(rows_->add(step, observation));
  }
  if (step.mode == 0) PAWL_RETURN_IF_ERROR(curves_->add(step));
  for (const RequestChange& change : step.requests) PAWL_RETURN_IF_ERROR(add_request(step, change));
  rows_in_transaction_ += step.ranks.size() + step.observations.size();
  if (rows_in_transaction_ >= kMaxRowsInTransaction) return close_transaction();
  return {};
}

// Those who ended the step, and those of whom there is something in it though they did not.
Result<void> Collector::Database::add_ranks(const Step& step) {
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
  std::optional<uint32_t> seen;
  for (const Observation& observation : step.observations) {
    if (std::exchange(seen, observation.rank) == observation.rank) continue;
    if (std::ranges::binary_search(step.ranks, observation.rank, {}, &RankTime::rank)) continue;
    insert_step_->bind_all(signed_count(step.step), observation.rank, step.mode, nullptr, nullptr, nullptr);
    PAWL_RETURN_IF_ERROR(insert_step_->run());
  }
  return {};
}

Result<void> Collector::Database::add_request(const Step& step, const RequestChange& change) {
  return db_.run("INSERT OR REPLACE INTO requests VALUES(?,?,?,?,?)", change.rank,
                 signed_count(change.request.generation), change.request.own_decision,
                 signed_count(step.step), change.request.text);
}

Result<void> Collector::Database::add_series(const SeriesTable& table) {
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
Result<void> Collector::Database::go_back(uint64_t step) {
  for (const char* table :
       {"steps", "scalars", "statistics", "raw_tensors", "spans", "batches", "hashes", "fine_histograms"}) {
    PAWL_RETURN_IF_ERROR(
        db_.run(fmt::format("DELETE FROM {} WHERE mode = 0 AND step >= ?", table), signed_count(step)));
  }
  retention_.go_back(step);
  return curves_->go_back(step);
}

Result<void> Collector::Database::set_findings(std::span<const rules::Finding> findings) {
  PAWL_RETURN_IF_ERROR(begin());
  retention_.protect(findings);
  for (const rules::Finding& f : findings) {
    PAWL_RETURN_IF_ERROR(db_.run("INSERT OR REPLACE INTO findings VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", f.rule,
                                 rules::to_string(f.severity), rules::to_string(f.action),
                                 signed_count(f.first_step), signed_count(f.last_step), signed_count(f.count),
                                 f.rank, f.tensor, f.kind, f.value, f.limit, f.message));
  }
  return {};
}

Result<void> Collector::Database::set_anomaly(std::string_view kind, int64_t rank, uint64_t count) {
  if (count == 0) return {};
  return db_.run("INSERT OR REPLACE INTO anomalies VALUES(?,?,?)", kind, rank, signed_count(count));
}

Result<void> Collector::set_anomalies(const Anomalies& decoding, const AssemblyAnomalies& assembly,
                                      std::span<const RankProgress> progress) {
  PAWL_RETURN_IF_ERROR(database_->begin());
  constexpr int64_t kWhole = -1;
  PAWL_RETURN_IF_ERROR(database_->set_anomaly("skipped_bytes", kWhole, decoding.skipped_bytes));
  PAWL_RETURN_IF_ERROR(database_->set_anomaly("damaged_frames", kWhole, decoding.damaged_frames));
  PAWL_RETURN_IF_ERROR(database_->set_anomaly("malformed_records", kWhole, decoding.malformed_records));
  PAWL_RETURN_IF_ERROR(database_->set_anomaly("unknown_records", kWhole, decoding.unknown_records));
  PAWL_RETURN_IF_ERROR(database_->set_anomaly("unrecovered_rings", kWhole, decoding.unrecovered_rings));
  PAWL_RETURN_IF_ERROR(database_->set_anomaly("unsupported_records", kWhole, decoding.unsupported_records));
  PAWL_RETURN_IF_ERROR(database_->set_anomaly("late_steps", kWhole, assembly.late_steps));
  PAWL_RETURN_IF_ERROR(database_->set_anomaly("unknown_series", kWhole, assembly.unknown_series));
  PAWL_RETURN_IF_ERROR(database_->set_anomaly("excess_observations", kWhole, assembly.excess_observations));
  PAWL_RETURN_IF_ERROR(database_->set_anomaly("ignored_records", kWhole, assembly.ignored_records));
  PAWL_RETURN_IF_ERROR(database_->set_anomaly("broken_tensors", kWhole, assembly.broken_tensors));
  for (const RankProgress& rank : progress) {
    PAWL_RETURN_IF_ERROR(database_->set_anomaly("dropped_records", rank.rank, rank.dropped));
  }
  return {};
}

Result<void> Collector::set_meta(std::string_view key, std::string_view value) {
  PAWL_RETURN_IF_ERROR(database_->begin());
  return database_->db().run("INSERT OR REPLACE INTO meta VALUES(?,?)", key, value);
}

}  // namespace pawl::trace
