// What a run left: metrics, kept files, findings, trace summaries, curves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/sqlite.h"

namespace pawl::store {

struct Metric {
  std::string run_id;
  std::string stage;
  std::string name;
  double value = 0;  // NaN and infinities are kept
  std::string unit;
  std::optional<int64_t> n;
};

struct Artifact {
  std::string run_id;
  std::string stage;
  std::string path;
  std::string digest;
  int64_t bytes = 0;
};

struct Finding {
  std::string run_id;
  std::string stage;
  int64_t attempt = 0;
  std::string rule;
  std::string severity;  // fail, warn
  std::string action;    // fail, stop, warn
  int64_t first_step = 0;
  int64_t last_step = 0;
  int64_t count = 0;
  int64_t rank = 0;
  std::string tensor;
  double value = 0;
  double limit = 0;
  std::string message;
};

struct TraceSummary {
  std::string run_id;
  std::string stage;
  int64_t attempt = 0;
  int64_t ranks = 0;
  int64_t series = 0;
  int64_t first_step = 0;
  int64_t last_step = 0;
  int64_t rows = 0;
  int64_t anomalies = 0;
};

using CurvePoints = std::vector<std::pair<int64_t, double>>;  // (step, value)
struct Curve {
  std::string run_id;
  std::string stage;
  std::string name;
  CurvePoints points;
};

// Forgets the metrics, artifacts and curves of a stage's earlier attempt: what the last one left is all there
// is.
Result<void> clear_outputs(Db& db, std::string_view run_id, std::string_view stage);
// Each put replaces what an earlier try of the same transition wrote.
Result<void> put_metric(Db& db, const Metric& metric);
Result<void> put_artifact(Db& db, const Artifact& artifact);
Result<void> put_trace_summary(Db& db, const TraceSummary& summary);
Result<void> put_curve(Db& db, const Curve& curve);
// Replaces all findings of the attempt.
Result<void> put_findings(Db& db, const std::string& run_id, const std::string& stage, int64_t attempt,
                          const std::vector<Finding>& findings);

Result<std::vector<Metric>> metrics_of(Db& db, std::string_view run_id);
Result<std::vector<Artifact>> artifacts_of(Db& db, std::string_view run_id);
Result<std::vector<Finding>> findings_of(Db& db, std::string_view run_id);
Result<std::vector<TraceSummary>> trace_summaries_of(Db& db, std::string_view run_id);
Result<std::vector<Curve>> curves_of(Db& db, std::string_view run_id);
Result<std::optional<CurvePoints>> curve_of(Db& db, std::string_view run_id, std::string_view stage,
                                            std::string_view name);

// The text form of a double in the record: shortest that reads back the same, or NaN, Infinity, -Infinity.
std::string number_text(double value);
double number_from_text(std::string_view text);  // NaN for anything else

}  // namespace pawl::store
