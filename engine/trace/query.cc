#include "engine/trace/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "engine/base/text.h"
#include "engine/trace/collector.h"
#include "engine/trace/curve_bucket.h"

namespace pawl::trace {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kRecentSteps = 50;

std::vector<int64_t> parse_shape(std::string_view json) {
  std::vector<int64_t> shape;
  if (json.size() < 3) return shape;
  for (std::string_view part : split(json.substr(1, json.size() - 2), ',')) {
    auto value = parse_int(part);
    if (value.ok()) shape.push_back(*value);
  }
  return shape;
}

Dtype parse_dtype(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Dtype::boolean); ++i) {
    if (to_string(static_cast<Dtype>(i)) == name) return static_cast<Dtype>(i);
  }
  return Dtype::f32;
}

}  // namespace

Result<TraceReader> TraceReader::open(const std::string& path) {
  PAWL_ASSIGN(Db db, Db::open(path, Db::Access::read_only));
  PAWL_ASSIGN(auto version, db.query_int("PRAGMA user_version"));
  if (version == kTraceDbVersion) return TraceReader(std::move(db));
  if (version.value_or(0) > 0 && *version < kTraceDbVersion) {
    return Error(
        ErrorCode::invalid,
        fmt::format("is of an older Pawl (version {}): `pawl trace rebuild RUN` makes it anew", *version),
        path);
  }
  return Error(ErrorCode::invalid,
               fmt::format("is no trace.db that this program knows (version {})", version.value_or(0)), path);
}

Result<std::vector<rules::Finding>> TraceReader::findings_in(const std::string& path) {
  PAWL_ASSIGN(Db db, Db::open(path, Db::Access::read_only));
  return TraceReader(std::move(db)).findings();
}

Result<std::vector<SeriesInfo>> TraceReader::series() {
  PAWL_ASSIGN(Stmt row, db_.prepare("SELECT name, kind, dtype, shape FROM series ORDER BY id"));
  std::vector<SeriesInfo> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    std::optional<Kind> kind = parse_kind(row.text(1));
    if (kind) out.push_back({row.string(0), *kind, parse_dtype(row.text(2)), parse_shape(row.text(3))});
  }
}

Result<std::optional<int64_t>> TraceReader::series_id(std::string_view name, Kind kind) {
  return db_.query_int("SELECT id FROM series WHERE name = ? AND kind = ?", name, to_string(kind));
}

Result<std::vector<AvailableSeries>> TraceReader::available() {
  PAWL_ASSIGN(Stmt row,
              db_.prepare("SELECT a.name, a.kind, (SELECT last_step FROM buckets"
                          "  WHERE series = s.id AND width = ? ORDER BY first_step DESC LIMIT 1)"
                          " FROM (SELECT name, kind FROM available UNION SELECT name, kind FROM series) a"
                          " LEFT JOIN series s ON s.name = a.name AND s.kind = a.kind"
                          " ORDER BY a.name"));
  row.bind(1, kBucketWidths.front());
  std::vector<AvailableSeries> out;
  while (true) {
    PAWL_ASSIGN(bool found, row.step());
    if (!found) break;
    auto kind = parse_kind(row.string(1));
    if (!kind) continue;
    AvailableSeries series{row.string(0), *kind, std::nullopt};
    if (!row.is_null(2)) series.last_step = static_cast<uint64_t>(row.integer(2));
    out.push_back(std::move(series));
  }
  std::ranges::stable_sort(out, {}, &AvailableSeries::kind);
  return out;
}

Result<std::optional<std::string>> TraceReader::last_request() {
  PAWL_ASSIGN(Stmt row, db_.prepare("SELECT request FROM requests"
                                    " ORDER BY generation DESC, own_decision DESC, step DESC LIMIT 1"));
  PAWL_ASSIGN(bool found, row.step());
  if (!found) return std::optional<std::string>();
  return std::optional<std::string>(row.string(0));
}

TraceReader::Moment::~Moment() {
  if (db_ != nullptr) (void)db_->exec("COMMIT");
}

Result<TraceReader::Moment> TraceReader::hold() {
  PAWL_RETURN_IF_ERROR(db_.exec("BEGIN"));
  return Moment(&db_);
}

Result<std::vector<rules::Finding>> TraceReader::findings() {
  PAWL_ASSIGN(Stmt row,
              db_.prepare("SELECT rule, action, first_step, last_step, count, rank, tensor, kind, value,"
                          " threshold, message FROM findings ORDER BY first_step, rule"));
  std::vector<rules::Finding> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    rules::Finding f;
    f.rule = row.string(0);
    f.action = rules::parse_action(row.text(1)).value_or(rules::Action::fail);
    f.severity = rules::severity_of(f.action);
    f.first_step = static_cast<uint64_t>(row.integer(2));
    f.last_step = static_cast<uint64_t>(row.integer(3));
    f.count = static_cast<uint64_t>(row.integer(4));
    f.rank = static_cast<uint32_t>(row.integer(5));
    f.tensor = row.string(6);
    f.kind = row.string(7);
    f.value = row.real(8);
    f.limit = row.real(9);
    f.message = row.string(10);
    out.push_back(std::move(f));
  }
}

Result<std::vector<AnomalyRow>> TraceReader::anomalies() {
  PAWL_ASSIGN(Stmt row, db_.prepare("SELECT kind, rank, count FROM anomalies ORDER BY kind, rank"));
  std::vector<AnomalyRow> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back({row.string(0), row.integer(1), static_cast<uint64_t>(row.integer(2))});
  }
}

Result<TraceProgress> TraceReader::progress() {
  TraceProgress progress;
  PAWL_ASSIGN(auto last, db_.query_int("SELECT step FROM steps WHERE mode = 0 AND end_s IS NOT NULL"
                                       " ORDER BY step DESC LIMIT 1"));
  if (!last) return progress;
  progress.last_step = static_cast<uint64_t>(*last);
  PAWL_ASSIGN(Stmt speed, db_.prepare("SELECT count(*) - 1, max(wall_s) - min(wall_s) FROM"
                                      " (SELECT step, max(wall_s) AS wall_s FROM steps"
                                      "  WHERE mode = 0 AND end_s IS NOT NULL AND step > ? GROUP BY step)"));
  speed.bind(1, *last - kRecentSteps);
  PAWL_ASSIGN(bool row, speed.step());
  if (row && speed.real(1) > 0) progress.steps_per_s = static_cast<double>(speed.integer(0)) / speed.real(1);
  PAWL_ASSIGN(Stmt loss, db_.prepare("SELECT avg(value), count(*), count(value) FROM scalars v,"
                                     " (SELECT min(id) AS id FROM series WHERE kind = 'loss') s"
                                     " WHERE v.series = s.id AND v.mode = 0 AND v.step ="
                                     " (SELECT last_step FROM buckets WHERE series = s.id AND width = ?"
                                     "  ORDER BY first_step DESC LIMIT 1)"));
  loss.bind(1, kBucketWidths.front());
  PAWL_ASSIGN(bool found, loss.step());
  if (found && loss.integer(1) > 0) progress.loss = loss.integer(1) == loss.integer(2) ? loss.real(0) : kNan;
  return progress;
}

Result<std::optional<std::string>> TraceReader::meta(std::string_view key) {
  PAWL_ASSIGN(Stmt row, db_.prepare("SELECT value FROM meta WHERE key = ?"));
  row.bind(1, key);
  PAWL_ASSIGN(bool found, row.step());
  if (!found) return std::optional<std::string>();
  return std::optional<std::string>(row.string(0));
}

}  // namespace pawl::trace
