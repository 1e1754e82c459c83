#include "engine/store/results.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"

namespace pawl::store {
namespace {

// Steps a statement through all its rows, calling `read` for each.
template <class Row, class Read>
Result<std::vector<Row>> collect(Stmt statement, Read read) {
  std::vector<Row> out;
  while (true) {
    PAWL_ASSIGN(bool row, statement.step());
    if (!row) return out;
    out.push_back(read(statement));
  }
}

Result<CurvePoints> read_points(std::string_view text) {
  PAWL_ASSIGN(Json points, parse_json(text, "curves.points"));
  CurvePoints out;
  for (const Json& point : points) {
    const Json& value = point.at(1);
    out.emplace_back(point.at(0).get<int64_t>(),
                     value.is_string() ? number_from_text(value.get<std::string>()) : value.get<double>());
  }
  return out;
}

}  // namespace

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return fmt::format("{}", value);
}

double number_from_text(std::string_view text) {
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return std::numeric_limits<double>::quiet_NaN();
  return value;
}

Result<void> clear_outputs(Db& db, std::string_view run_id, std::string_view stage) {
  for (const char* table : {"metrics", "artifacts", "curves"}) {
    PAWL_RETURN_IF_ERROR(
        db.run(std::string("DELETE FROM ") + table + " WHERE run_id=? AND stage=?", run_id, stage));
  }
  return {};
}

Result<void> put_metric(Db& db, const Metric& m) {
  return db.run("INSERT OR REPLACE INTO metrics (run_id, stage, name, value, unit, n) VALUES (?,?,?,?,?,?)",
                m.run_id, m.stage, m.name, number_text(m.value), m.unit, m.n);
}

Result<void> put_artifact(Db& db, const Artifact& a) {
  return db.run("INSERT OR REPLACE INTO artifacts (run_id, stage, path, digest, bytes) VALUES (?,?,?,?,?)",
                a.run_id, a.stage, a.path, a.digest, a.bytes);
}

Result<void> put_trace_summary(Db& db, const TraceSummary& s) {
  return db.run(
      "INSERT OR REPLACE INTO trace_summaries (run_id, stage, attempt, ranks, series, first_step, last_step, "
      "rows,"
      " anomalies) VALUES (?,?,?,?,?,?,?,?,?)",
      s.run_id, s.stage, s.attempt, s.ranks, s.series, s.first_step, s.last_step, s.rows, s.anomalies);
}

Result<void> put_curve(Db& db, const Curve& curve) {
  Json points = Json::array();
  for (const auto& [step, value] : curve.points) {
    points.push_back(Json::array({step, std::isfinite(value) ? Json(value) : Json(number_text(value))}));
  }
  return db.run("INSERT OR REPLACE INTO curves (run_id, stage, name, points) VALUES (?,?,?,?)", curve.run_id,
                curve.stage, curve.name, dump_json(points));
}

Result<void> put_findings(Db& db, const std::string& run_id, const std::string& stage, int64_t attempt,
                          const std::vector<Finding>& findings) {
  PAWL_RETURN_IF_ERROR(
      db.run("DELETE FROM findings WHERE run_id=? AND stage=? AND attempt=?", run_id, stage, attempt));
  for (const Finding& f : findings) {
    PAWL_RETURN_IF_ERROR(
        db.run("INSERT INTO findings (run_id, stage, attempt, rule, severity, action, first_step, last_step, "
               "count, rank, tensor,"
               " value, limit_value, message) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
               run_id, stage, attempt, f.rule, f.severity, f.action, f.first_step, f.last_step, f.count,
               f.rank, f.tensor, number_text(f.value), number_text(f.limit), f.message));
  }
  return {};
}

Result<std::vector<Metric>> metrics_of(Db& db, std::string_view run_id) {
  PAWL_ASSIGN(Stmt statement,
              db.prepare("SELECT run_id, stage, name, value, unit, n FROM metrics WHERE run_id=?"
                         " ORDER BY stage, name"));
  statement.bind_all(run_id);
  return collect<Metric>(std::move(statement), [](const Stmt& row) {
    Metric m{row.string(0), row.string(1), row.string(2), number_from_text(row.text(3)), row.string(4), {}};
    if (!row.is_null(5)) m.n = row.integer(5);
    return m;
  });
}

Result<std::vector<Artifact>> artifacts_of(Db& db, std::string_view run_id) {
  PAWL_ASSIGN(Stmt statement,
              db.prepare("SELECT run_id, stage, path, digest, bytes FROM artifacts WHERE run_id=?"
                         " ORDER BY stage, path"));
  statement.bind_all(run_id);
  return collect<Artifact>(std::move(statement), [](const Stmt& row) {
    return Artifact{row.string(0), row.string(1), row.string(2), row.string(3), row.integer(4)};
  });
}

Result<std::vector<Finding>> findings_of(Db& db, std::string_view run_id) {
  PAWL_ASSIGN(
      Stmt statement,
      db.prepare(
          "SELECT run_id, stage, attempt, rule, severity, action, first_step, last_step, count, rank, tensor,"
          " value, limit_value, message FROM findings WHERE run_id=? ORDER BY id"));
  statement.bind_all(run_id);
  return collect<Finding>(std::move(statement), [](const Stmt& row) {
    return Finding{row.string(0),
                   row.string(1),
                   row.integer(2),
                   row.string(3),
                   row.string(4),
                   row.string(5),
                   row.integer(6),
                   row.integer(7),
                   row.integer(8),
                   row.integer(9),
                   row.string(10),
                   number_from_text(row.text(11)),
                   number_from_text(row.text(12)),
                   row.string(13)};
  });
}

Result<std::vector<TraceSummary>> trace_summaries_of(Db& db, std::string_view run_id) {
  PAWL_ASSIGN(Stmt statement,
              db.prepare("SELECT run_id, stage, attempt, ranks, series, first_step, last_step, rows,"
                         " anomalies FROM trace_summaries WHERE run_id=? ORDER BY stage, attempt"));
  statement.bind_all(run_id);
  return collect<TraceSummary>(std::move(statement), [](const Stmt& row) {
    return TraceSummary{row.string(0),  row.string(1),  row.integer(2), row.integer(3), row.integer(4),
                        row.integer(5), row.integer(6), row.integer(7), row.integer(8)};
  });
}

Result<std::optional<CurvePoints>> curve_of(Db& db, std::string_view run_id, std::string_view stage,
                                            std::string_view name) {
  PAWL_ASSIGN(Stmt row, db.prepare("SELECT points FROM curves WHERE run_id=? AND stage=? AND name=?"));
  row.bind_all(run_id, stage, name);
  PAWL_ASSIGN(bool found, row.step());
  if (!found) return std::optional<CurvePoints>();
  PAWL_ASSIGN(CurvePoints points, read_points(row.text(0)));
  return std::optional<CurvePoints>(std::move(points));
}

Result<std::vector<Curve>> curves_of(Db& db, std::string_view run_id) {
  PAWL_ASSIGN(Stmt row,
              db.prepare("SELECT stage, name, points FROM curves WHERE run_id=? ORDER BY stage, name"));
  row.bind_all(run_id);
  std::vector<Curve> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    PAWL_ASSIGN(CurvePoints points, read_points(row.text(2)));
    out.push_back({std::string(run_id), row.string(0), row.string(1), std::move(points)});
  }
}

}  // namespace pawl::store
