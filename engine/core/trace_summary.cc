#include "engine/core/trace_summary.h"

#include <set>

#include "engine/base/files.h"
#include "engine/base/log.h"
#include "engine/base/sqlite.h"
#include "engine/rules/green_band.h"
#include "engine/trace/query.h"

namespace pawl::core {
namespace {

constexpr size_t kCurvePoints = 500;
constexpr size_t kMaxScalarCurves = 64;  // of a program that logs a thousand scalars the first

Result<store::TraceSummary> count_rows(const std::string& path, const store::Attempt& attempt) {
  PAWL_ASSIGN(Db db, Db::open(path, Db::Access::read_only));
  PAWL_ASSIGN(
      Stmt row,
      db.prepare(
          "SELECT (SELECT count(DISTINCT rank) FROM v1_steps), (SELECT count(*) FROM series),"
          " (SELECT coalesce(min(step), 0) FROM v1_steps), (SELECT coalesce(max(step), 0) FROM v1_steps),"
          " (SELECT count(*) FROM scalars) + (SELECT count(*) FROM statistics),"
          " (SELECT coalesce(sum(count), 0) FROM anomalies)"));
  PAWL_RETURN_IF_ERROR(row.step());
  return store::TraceSummary{attempt.run_id, attempt.stage,  attempt.number, row.integer(0), row.integer(1),
                             row.integer(2), row.integer(3), row.integer(4), row.integer(5)};
}

store::Curve curve_row(const store::Attempt& attempt, std::string name,
                       const std::vector<trace::CurvePoint>& points) {
  store::Curve curve{attempt.run_id, attempt.stage, std::move(name), {}};
  for (const trace::CurvePoint& p : points) curve.points.emplace_back(static_cast<int64_t>(p.step), p.mean);
  return curve;
}

Result<void> summarise(const std::string& path, const store::Attempt& attempt, Harvest& harvest) {
  PAWL_ASSIGN(harvest.trace, count_rows(path, attempt));
  PAWL_ASSIGN(trace::TraceReader reader, trace::TraceReader::open(path));
  PAWL_ASSIGN(auto series, reader.series());
  std::set<std::string> names = {rules::kThroughputCurve};
  for (const trace::Kind kind : {trace::Kind::loss, trace::Kind::scalar}) {
    size_t count = 0;
    for (const trace::SeriesInfo& info : series) {
      if (info.kind != kind || !names.insert(info.name).second) continue;
      if (kind == trace::Kind::scalar && ++count > kMaxScalarCurves) break;
      PAWL_ASSIGN(auto points, reader.curve(info.name, info.kind, kCurvePoints));
      if (!points.empty()) harvest.curves.push_back(curve_row(attempt, info.name, points));
    }
  }
  PAWL_ASSIGN(auto throughput, reader.throughput(kCurvePoints));
  if (!throughput.empty()) harvest.curves.push_back(curve_row(attempt, rules::kThroughputCurve, throughput));
  return {};
}

}  // namespace

void summarise_trace(const std::string& attempt_dir, const store::Attempt& attempt, Harvest& harvest) {
  std::string path = attempt_dir + "/trace.db";
  if (!path_exists(path)) return;
  if (auto done = summarise(path, attempt, harvest); !done.ok()) {
    log_warning("the trace of stage {} of run {} cannot be summarised: {}", attempt.stage, attempt.run_id,
                done.error().to_string());
  }
}

}  // namespace pawl::core
