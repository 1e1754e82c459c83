// Rows of trace.db by step: statistics of one tensor, and what a rank recorded.
#include <algorithm>
#include <unordered_map>

#include "engine/trace/magnitude.h"
#include "engine/trace/query.h"

namespace pawl::trace {
namespace {

// SQLite has signed integers.
int64_t bound(uint64_t step) {
  return static_cast<int64_t>(std::min<uint64_t>(step, INT64_MAX));
}

constexpr const char* kStatisticsColumns =
    "t.count, t.nan, t.inf, t.zero, t.min, t.max, t.sum, t.abs_sum, t.square_sum, t.magnitude_at, "
    "t.magnitude";

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
  s.magnitude = unpack_magnitude(row.integer(column + 9), row.blob(column + 10));
  return s;
}

}  // namespace

Result<std::vector<StatisticsRow>> TraceReader::tensor(std::string_view name, Kind kind, uint64_t from_step,
                                                       uint64_t to_step) {
  PAWL_ASSIGN(auto id, series_id(name, kind));
  std::vector<StatisticsRow> out;
  if (!id) return out;
  // A look-up for each step and rank: the rows of the other tensors are not read.
  PAWL_ASSIGN(Stmt row, db_.prepare(std::string("SELECT t.step, t.rank, ") + kStatisticsColumns +
                                    " FROM steps p CROSS JOIN statistics t"
                                    " ON t.step = p.step AND t.rank = p.rank AND t.series = ? AND t.mode = 0"
                                    " WHERE p.step BETWEEN ? AND ? AND p.mode = 0 ORDER BY p.step, p.rank"));
  row.bind_all(*id, bound(from_step), bound(to_step));
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back(
        {static_cast<uint64_t>(row.integer(0)), static_cast<uint32_t>(row.integer(1)), read_stats(row, 2)});
  }
}

Result<std::vector<Lane>> TraceReader::lanes() {
  PAWL_ASSIGN(Stmt row, db_.prepare("SELECT rank, mode, max(step), max(wall_s) FROM steps"
                                    " GROUP BY rank, mode ORDER BY rank, mode"));
  std::vector<Lane> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back({static_cast<uint32_t>(row.integer(0)), static_cast<int>(row.integer(1)),
                   static_cast<uint64_t>(row.integer(2)), row.is_null(3) ? 0 : row.real(3)});
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
      steps[step] = {step, row.is_null(1) ? std::nullopt : std::optional(row.real(1)), {}};
      if (steps.size() == max_steps) to = step;
    }
  }
  PAWL_RETURN_IF_ERROR(add_observations(lane, series, steps));
  LaneSteps out;
  for (auto& [number, step] : steps) {
    if (!step.observations.empty()) out.steps.push_back(std::move(step));
  }
  if (to != UINT64_MAX) out.next = to + 1;
  return out;
}

// What was recorded in `steps`, by the order of `series`.
Result<void> TraceReader::add_observations(const Lane& lane, const std::vector<SeriesInfo>& series,
                                           std::map<uint64_t, LaneStep>& steps) {
  if (steps.empty()) return {};
  std::unordered_map<int64_t, uint32_t> index_of;  // by the id in the database
  for (uint32_t i = 0; i < series.size(); ++i) {
    PAWL_ASSIGN(auto id, series_id(series[i].name, series[i].kind));
    if (id) index_of.emplace(*id, i);
  }
  const auto read = [&](const std::string& sql, auto value_of) -> Result<void> {
    PAWL_ASSIGN(Stmt row, db_.prepare(sql));
    row.bind_all(bound(steps.begin()->first), bound(steps.rbegin()->first), lane.rank, lane.mode);
    while (true) {
      PAWL_ASSIGN(bool more, row.step());
      if (!more) return {};
      const auto index = index_of.find(row.integer(1));
      const auto step = steps.find(static_cast<uint64_t>(row.integer(0)));
      if (index == index_of.end() || step == steps.end()) continue;
      step->second.observations.push_back({lane.rank, index->second, value_of(row)});
    }
  };
  const std::string where = " WHERE t.step BETWEEN ? AND ? AND t.rank = ? AND t.mode = ?";
  PAWL_RETURN_IF_ERROR(read("SELECT t.step, t.series, t.value FROM scalars t" + where,
                            [](const Stmt& row) { return row.real(2); }));
  PAWL_RETURN_IF_ERROR(
      read(std::string("SELECT t.step, t.series, ") + kStatisticsColumns + " FROM statistics t" + where,
           [](const Stmt& row) { return read_stats(row, 2); }));
  for (auto& [number, step] : steps) std::ranges::sort(step.observations, {}, &Observation::series);
  return {};
}

}  // namespace pawl::trace
