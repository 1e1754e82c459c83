#include "engine/core/tensor_history.h"

#include <algorithm>
#include <cmath>

#include "engine/trace/query.h"

namespace pawl::core {
namespace {

constexpr uint64_t kStepsAround = 60;
constexpr size_t kMaxRows = 24;

report::TensorStep step_row(const trace::StatisticsRow& row) {
  const trace::TensorStats& s = row.stats;
  report::TensorStep out;
  out.step = static_cast<int64_t>(row.step);
  out.nan = static_cast<int64_t>(s.nan);
  out.inf = static_cast<int64_t>(s.inf);
  out.min = s.min;
  out.max = s.max;
  uint64_t finite = s.count - s.nan - s.inf;
  out.mean = finite > 0 ? s.sum / static_cast<double>(finite) : 0;
  out.norm = std::sqrt(s.square_sum);
  return out;
}

// The kind is on the finding as the trace has it, not in the record's row.
Result<std::string> kind_of(trace::TraceReader& reader, const store::Finding& finding) {
  PAWL_ASSIGN(auto findings, reader.findings());
  for (const rules::Finding& f : findings) {
    if (f.rule == finding.rule) return f.kind;
  }
  return std::string();
}

Result<report::TensorHistory> read_history(const std::string& path, const store::Finding& finding) {
  PAWL_ASSIGN(trace::TraceReader reader, trace::TraceReader::open(path));
  report::TensorHistory out;
  out.stage = finding.stage;
  out.tensor = finding.tensor;
  out.rank = finding.rank;
  out.fired_step = finding.first_step;
  PAWL_ASSIGN(out.kind, kind_of(reader, finding));
  auto kind = trace::parse_kind(out.kind);
  if (!kind) return Error(ErrorCode::not_found, "the finding names no tensor");
  auto fired = static_cast<uint64_t>(finding.first_step);
  uint64_t from = fired > kStepsAround ? fired - kStepsAround : 0;
  PAWL_ASSIGN(auto rows, reader.tensor(finding.tensor, *kind, from, fired + kStepsAround));
  for (const trace::StatisticsRow& row : rows) {
    if (static_cast<int64_t>(row.rank) == finding.rank) out.steps.push_back(step_row(row));
  }
  // The last rows before the firing and the few after it matter.
  auto after = std::find_if(out.steps.begin(), out.steps.end(),
                            [&](const auto& s) { return s.step > finding.first_step; });
  if (out.steps.end() - after > 4) out.steps.erase(after + 4, out.steps.end());
  if (out.steps.size() > kMaxRows) out.steps.erase(out.steps.begin(), out.steps.end() - kMaxRows);
  return out;
}

}  // namespace

std::optional<report::TensorHistory> tensor_history(const std::string& attempt_dir,
                                                    const store::Finding& finding) {
  if (finding.tensor.empty()) return std::nullopt;
  auto history = read_history(attempt_dir + "/trace.db", finding);
  if (!history.ok() || history->steps.empty()) return std::nullopt;
  return std::move(*history);
}

}  // namespace pawl::core
