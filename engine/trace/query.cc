#include "engine/trace/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "engine/base/text.h"
#include "engine/trace/collector.h"

namespace pawl::trace {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kRecentSteps = 50;

// Cuts the steps [first, last] into stretches of equal width and follows the values of each. Bounded: an
// unlucky trace with one step 0 and one step 2^62 is two stretches.
class Downsampler {
 public:
  Downsampler(int64_t first, int64_t last, size_t max_points)
      : first_(first),
        width_(std::max(1.0, (static_cast<double>(last - first) + 1) / static_cast<double>(max_points))) {}

  void add(int64_t step, double value, uint64_t non_finite) {
    auto stretch = static_cast<int64_t>(static_cast<double>(step - first_) / width_);
    if (points_.empty() || stretch != stretch_) {
      finish();
      points_.push_back({0, kNan, kNan, kNan, kNan, 0});
      stretch_ = stretch;
    }
    CurvePoint& point = points_.back();
    point.step = static_cast<uint64_t>(step);
    point.non_finite += non_finite;
    if (!std::isfinite(value)) return;
    point.min = std::isnan(point.min) ? value : std::min(point.min, value);
    point.max = std::isnan(point.max) ? value : std::max(point.max, value);
    point.last = value;
    sum_ += value;
    ++count_;
  }

  std::vector<CurvePoint> take() {
    finish();
    return std::move(points_);
  }

 private:
  void finish() {
    if (!points_.empty() && count_ > 0) points_.back().mean = sum_ / static_cast<double>(count_);
    sum_ = 0;
    count_ = 0;
  }

  int64_t first_;
  double width_;
  int64_t stretch_ = 0;
  double sum_ = 0;
  uint64_t count_ = 0;
  std::vector<CurvePoint> points_;
};

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

// SQLite has signed integers.
int64_t bound(uint64_t step) {
  return static_cast<int64_t>(std::min<uint64_t>(step, INT64_MAX));
}

TensorStats read_stats(const Stmt& row, int column) {
  TensorStats s;
  s.count = static_cast<uint64_t>(row.integer(column));
  s.nan = static_cast<uint64_t>(row.integer(column + 1));
  s.inf = static_cast<uint64_t>(row.integer(column + 2));
  s.zero = static_cast<uint64_t>(row.integer(column + 3));
  s.min = row.real(column + 4);
  s.max = row.real(column + 5);
  s.sum = row.real(column + 6);
  s.abs_sum = row.real(column + 7);
  s.square_sum = row.real(column + 8);
  std::string_view magnitude = row.blob(column + 9);
  if (magnitude.size() == sizeof s.magnitude)
    std::memcpy(s.magnitude.data(), magnitude.data(), sizeof s.magnitude);
  return s;
}

}  // namespace

Result<TraceReader> TraceReader::open(const std::string& path) {
  PAWL_ASSIGN(Db db, Db::open(path, Db::Access::read_only));
  PAWL_ASSIGN(auto version, db.query_int("PRAGMA user_version"));
  if (version.value_or(0) < 1 || *version > kTraceDbVersion) {
    return Error(ErrorCode::invalid,
                 fmt::format("is no trace.db that this program knows (version {})", version.value_or(0)),
                 path);
  }
  return TraceReader(std::move(db));
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

// `statement` gives first step, last step, step, value (NULL is NaN), count of non-finite, ascending by step.
Result<std::vector<CurvePoint>> TraceReader::points(Stmt statement, size_t max_points) {
  std::optional<Downsampler> samples;
  while (true) {
    PAWL_ASSIGN(bool more, statement.step());
    if (!more) return samples ? samples->take() : std::vector<CurvePoint>();
    if (!samples) {
      samples.emplace(statement.integer(0), statement.integer(1), std::max<size_t>(1, max_points));
    }
    samples->add(statement.integer(2), statement.real(3), static_cast<uint64_t>(statement.integer(4)));
  }
}

Result<std::vector<AvailableSeries>> TraceReader::available() {
  // The last step of a series is the end of its stretch of the primary key: found without reading the
  // stretch.
  PAWL_ASSIGN(Stmt row,
              db_.prepare("SELECT a.name, a.kind, max(ifnull((SELECT max(step) FROM scalars"
                          "   WHERE series = s.id AND mode = 0), -1),"
                          "  ifnull((SELECT max(step) FROM statistics"
                          "   WHERE series = s.id AND mode = 0), -1))"
                          " FROM (SELECT name, kind FROM available UNION SELECT name, kind FROM series) a"
                          " LEFT JOIN series s ON s.name = a.name AND s.kind = a.kind"
                          " ORDER BY a.name"));
  std::vector<AvailableSeries> out;
  while (true) {
    PAWL_ASSIGN(bool found, row.step());
    if (!found) break;
    auto kind = parse_kind(row.string(1));
    if (!kind) continue;
    AvailableSeries series{row.string(0), *kind, std::nullopt};
    if (row.integer(2) >= 0) series.last_step = static_cast<uint64_t>(row.integer(2));
    out.push_back(std::move(series));
  }
  std::ranges::stable_sort(out, {}, &AvailableSeries::kind);
  return out;
}

Result<std::optional<std::string>> TraceReader::last_request() {
  PAWL_ASSIGN(Stmt row, db_.prepare("SELECT request FROM requests ORDER BY generation DESC LIMIT 1"));
  PAWL_ASSIGN(bool found, row.step());
  if (!found) return std::optional<std::string>();
  return std::optional<std::string>(row.string(0));
}

Result<std::vector<CurvePoint>> TraceReader::curve(std::string_view name, Kind kind, size_t max_points,
                                                   std::optional<uint32_t> rank) {
  PAWL_ASSIGN(auto id, series_id(name, kind));
  if (!id) return std::vector<CurvePoint>();
  // The mean over the ranks, of finite values; abs(x) < 9e999 is false for an infinity, NULL for NaN.
  PAWL_ASSIGN(Stmt statement,
              db_.prepare("SELECT (SELECT min(step) FROM scalars WHERE series = ?1),"
                          " (SELECT max(step) FROM scalars WHERE series = ?1), step,"
                          " avg(value) FILTER (WHERE abs(value) < 9e999),"
                          " count(*) - count(*) FILTER (WHERE abs(value) < 9e999)"
                          " FROM scalars WHERE series = ?1 AND mode = 0 AND (?2 IS NULL OR rank = ?2)"
                          " GROUP BY step ORDER BY step"));
  statement.bind(1, *id).bind(2, rank);
  return points(std::move(statement), max_points);
}

Result<std::vector<CurvePoint>> TraceReader::throughput(size_t max_points) {
  PAWL_ASSIGN(Stmt statement,
              db_.prepare("WITH r AS (SELECT min(rank) AS rank FROM steps WHERE mode = 0),"
                          " t AS (SELECT step, end_s, lag(end_s) OVER (ORDER BY step) AS before,"
                          "       lag(step) OVER (ORDER BY step) AS step_before"
                          "       FROM steps, r WHERE mode = 0 AND steps.rank = r.rank)"
                          " SELECT (SELECT min(step) FROM t), (SELECT max(step) FROM t), step,"
                          " (step - step_before) / (end_s - before), 0"
                          " FROM t WHERE end_s > before ORDER BY step"));
  return points(std::move(statement), max_points);
}

Result<std::vector<StatisticsRow>> TraceReader::tensor(std::string_view name, Kind kind, uint64_t from_step,
                                                       uint64_t to_step) {
  PAWL_ASSIGN(auto id, series_id(name, kind));
  std::vector<StatisticsRow> out;
  if (!id) return out;
  PAWL_ASSIGN(Stmt row,
              db_.prepare("SELECT step, rank, count, nan, inf, zero, min, max, sum, abs_sum, square_sum,"
                          " magnitude FROM statistics"
                          " WHERE series = ? AND step BETWEEN ? AND ? AND mode = 0 ORDER BY step, rank"));
  row.bind_all(*id, bound(from_step), bound(to_step));
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back(
        {static_cast<uint64_t>(row.integer(0)), static_cast<uint32_t>(row.integer(1)), read_stats(row, 2)});
  }
}

Result<std::vector<CurvePoint>> TraceReader::tensor_norm(std::string_view name, Kind kind,
                                                         size_t max_points) {
  PAWL_ASSIGN(auto id, series_id(name, kind));
  if (!id) return std::vector<CurvePoint>();
  PAWL_ASSIGN(Stmt statement, db_.prepare("SELECT (SELECT min(step) FROM statistics WHERE series = ?1),"
                                          " (SELECT max(step) FROM statistics WHERE series = ?1), step,"
                                          " avg(sqrt(square_sum)), sum(nan + inf)"
                                          " FROM statistics WHERE series = ?1 AND mode = 0"
                                          " GROUP BY step ORDER BY step"));
  statement.bind(1, *id);
  return points(std::move(statement), max_points);
}

TraceReader::Moment::~Moment() {
  if (db_ != nullptr) (void)db_->exec("COMMIT");
}

Result<TraceReader::Moment> TraceReader::hold() {
  PAWL_RETURN_IF_ERROR(db_.exec("BEGIN"));
  return Moment(&db_);
}

Result<std::vector<Lane>> TraceReader::lanes() {
  // Scalars too: the step in which a training died has no row in `steps`.
  PAWL_ASSIGN(Stmt row, db_.prepare("SELECT rank, mode, max(step), max(wall_s) FROM"
                                    " (SELECT rank, mode, step, wall_s FROM steps"
                                    "  UNION ALL SELECT rank, mode, step, 0 FROM scalars)"
                                    " GROUP BY rank, mode ORDER BY rank, mode"));
  std::vector<Lane> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back({static_cast<uint32_t>(row.integer(0)), static_cast<int>(row.integer(1)),
                   static_cast<uint64_t>(row.integer(2)), row.real(3)});
  }
}

Result<std::optional<uint64_t>> TraceReader::first_step_after(const Lane& lane, uint64_t step,
                                                              double wall_time) {
  PAWL_ASSIGN(auto first, db_.query_int("SELECT min(step) FROM steps WHERE rank = ? AND mode = ?"
                                        " AND (step > ? OR wall_s > ?)",
                                        lane.rank, lane.mode, bound(step), wall_time));
  return first ? std::optional(static_cast<uint64_t>(*first)) : std::nullopt;
}

Result<LaneSteps> TraceReader::lane_steps(const Lane& lane, const std::vector<SeriesInfo>& series,
                                          uint64_t from, size_t max_steps) {
  std::map<uint64_t, LaneStep> steps;
  uint64_t to = UINT64_MAX;
  {
    PAWL_ASSIGN(Stmt row,
                db_.prepare("SELECT step, wall_s FROM steps WHERE step >= ? AND rank = ? AND mode = ?"
                            " ORDER BY step LIMIT ?"));
    row.bind_all(bound(from), lane.rank, lane.mode, max_steps);
    while (true) {
      PAWL_ASSIGN(bool more, row.step());
      if (!more) break;
      const auto step = static_cast<uint64_t>(row.integer(0));
      steps[step] = {step, row.real(1), {}};
      if (steps.size() == max_steps) to = step;
    }
  }
  for (uint32_t i = 0; i < series.size(); ++i) {
    PAWL_RETURN_IF_ERROR(add_observations(lane, series[i], i, from, to, steps));
  }
  LaneSteps out;
  for (auto& [number, step] : steps) {
    if (!step.observations.empty()) out.steps.push_back(std::move(step));
  }
  if (to != UINT64_MAX) out.next = to + 1;
  return out;
}

Result<void> TraceReader::add_observations(const Lane& lane, const SeriesInfo& info, uint32_t index,
                                           uint64_t from, uint64_t to, std::map<uint64_t, LaneStep>& steps) {
  PAWL_ASSIGN(auto id, series_id(info.name, info.kind));
  if (!id) return {};
  const bool is_number = info.kind == Kind::scalar || info.kind == Kind::loss;
  PAWL_ASSIGN(
      Stmt row,
      db_.prepare(is_number ? "SELECT step, value FROM scalars"
                              " WHERE series = ? AND step BETWEEN ? AND ? AND rank = ? AND mode = ?"
                            : "SELECT step, count, nan, inf, zero, min, max, sum, abs_sum, square_sum,"
                              " magnitude FROM statistics"
                              " WHERE series = ? AND step BETWEEN ? AND ? AND rank = ? AND mode = ?"));
  row.bind_all(*id, bound(from), bound(to), lane.rank, lane.mode);
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return {};
    LaneStep& step = steps[static_cast<uint64_t>(row.integer(0))];
    step.step = static_cast<uint64_t>(row.integer(0));
    if (is_number) {
      step.observations.push_back({lane.rank, index, row.real(1)});
    } else {
      step.observations.push_back({lane.rank, index, read_stats(row, 1)});
    }
  }
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
  PAWL_ASSIGN(auto last, db_.query_int("SELECT max(step) FROM steps WHERE mode = 0"));
  if (!last) return progress;
  progress.last_step = static_cast<uint64_t>(*last);
  PAWL_ASSIGN(Stmt speed,
              db_.prepare("SELECT count(*) - 1, max(wall_s) - min(wall_s) FROM"
                          " (SELECT step, max(wall_s) AS wall_s FROM steps WHERE mode = 0 AND step > ?"
                          "  GROUP BY step)"));
  speed.bind(1, *last - kRecentSteps);
  PAWL_ASSIGN(bool row, speed.step());
  if (row && speed.real(1) > 0) progress.steps_per_s = static_cast<double>(speed.integer(0)) / speed.real(1);
  PAWL_ASSIGN(Stmt loss, db_.prepare("SELECT avg(value), count(*), count(value) FROM scalars v,"
                                     " (SELECT min(id) AS id FROM series WHERE kind = 'loss') s"
                                     " WHERE v.series = s.id AND v.mode = 0 AND v.step ="
                                     " (SELECT max(step) FROM scalars WHERE series = s.id AND mode = 0)"));
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
