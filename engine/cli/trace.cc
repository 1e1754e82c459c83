// pawl trace: what the hooks recorded, as tables, JSON or CSV.

#include <fmt/format.h>
#include <re2/re2.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/record.h"
#include "engine/cli/trace_attempt.h"
#include "engine/supervise/result.h"
#include "engine/trace/query.h"
#include "engine/trace/retention.h"

namespace pawl::cli {
namespace {

std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{:.6g}", value) : fmt::format("{}", value);
}

bool has_trace(const AttemptPlace& place) {
  return path_exists(place.dir + "/trace.db");
}

// What the number of a curve is, where it is not the value itself.
std::string_view measured(trace::Kind kind) {
  switch (kind) {
    case trace::Kind::scalar:
    case trace::Kind::loss:
      return "";
    case trace::Kind::span:
      return ", seconds";
    case trace::Kind::batch:
      return ", examples";
    case trace::Kind::hash:
      return ", 1 where ranks differ";
    default:
      return ", norm";
  }
}

bool has_statistics(trace::Kind kind) {
  return measured(kind) == ", norm";
}

Json curve_json(const std::vector<trace::CurvePoint>& points) {
  Json out = Json::array();
  for (const trace::CurvePoint& p : points) {
    out.push_back({{"step", p.step},
                   {"min", number_to_json(p.min)},
                   {"max", number_to_json(p.max)},
                   {"mean", number_to_json(p.mean)},
                   {"last", number_to_json(p.last)},
                   {"non_finite", p.non_finite}});
  }
  return out;
}

Result<void> print_overview(trace::TraceReader& reader, const std::vector<trace::SeriesInfo>& series) {
  std::vector<std::vector<Cell>> rows;
  for (const trace::SeriesInfo& info : series) {
    PAWL_ASSIGN(const trace::SeriesExtent extent, reader.extent(info.name, info.kind));
    rows.push_back({{info.name},
                    {std::string(trace::to_string(info.kind))},
                    {fmt::format("[{}]", fmt::join(info.shape, ", "))},
                    {std::to_string(extent.steps)},
                    {extent.steps == 0 ? "" : number(extent.first)},
                    {extent.steps == 0 ? "" : number(extent.last)},
                    {extent.non_finite > 0 ? std::to_string(extent.non_finite) : "", Tone::bad}});
  }
  print(render_table({"series", "kind", "shape", "steps", "first", "last", "non-finite"}, rows));
  print(
      "First and last are values of losses and scalars, norms of tensors, seconds of spans, examples of "
      "batches, and 1 where the ranks' hashes differ. One of them: pawl trace RUN --series NAME\n");
  PAWL_ASSIGN(const auto details_from, reader.meta(trace::kDetailsFrom));
  if (details_from) {
    print(fmt::format(
        "To keep trace.db small, statistics and values of tensors before step {} were deleted, but for "
        "those around findings. Curves are whole.\n",
        sanitize_for_terminal(*details_from)));
  }
  return {};
}

Result<void> print_csv(trace::TraceReader& reader, const std::vector<trace::SeriesInfo>& series) {
  print("series,kind,step,rank,count,nan,inf,zero,min,max,sum,abs_sum,square_sum\n");
  for (const trace::SeriesInfo& info : series) {
    std::string name = "\"" + replace_all(info.name, "\"", "\"\"") + "\"";
    if (!has_statistics(info.kind)) {
      PAWL_ASSIGN(auto points, reader.curve(info.name, info.kind, 1u << 30));
      for (const auto& p : points) {
        print(fmt::format("{},{},{},,,,,,,,{},,\n", name, trace::to_string(info.kind), p.step, p.mean));
      }
      continue;
    }
    PAWL_ASSIGN(auto rows, reader.tensor(info.name, info.kind, 0, UINT64_MAX >> 1));
    for (const auto& r : rows) {
      const trace::TensorStats& s = r.stats;
      print(fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}\n", name, trace::to_string(info.kind), r.step,
                        r.rank, s.count, s.nan, s.inf, s.zero, s.min, s.max, s.sum, s.abs_sum, s.square_sum));
    }
  }
  return {};
}

Result<int> show_trace(const Global& global, const TraceOptions& options) {
  re2::RE2 pattern(options.series, re2::RE2::Quiet);
  if (!pattern.ok()) return Error(ErrorCode::usage, "--series is no regular expression: " + pattern.error());
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, options.run));
  PAWL_ASSIGN(AttemptPlace place, find_traced_attempt(record, run, options.stage, has_trace));
  const std::string path = place.dir + "/trace.db";
  PAWL_ASSIGN(trace::TraceReader reader, trace::TraceReader::open(path));
  PAWL_ASSIGN(auto all, reader.series());
  std::vector<trace::SeriesInfo> series;
  for (trace::SeriesInfo& info : all) {
    if (re2::RE2::PartialMatch(info.name, pattern)) series.push_back(std::move(info));
  }
  if (series.empty())
    return Error(ErrorCode::not_found, fmt::format("no series matches '{}'", options.series));
  if (options.csv) {
    PAWL_RETURN_IF_ERROR(print_csv(reader, series));
    return 0;
  }
  if (global.json) {
    Json out = Json::array();
    for (const trace::SeriesInfo& info : series) {
      PAWL_ASSIGN(auto points, reader.curve(info.name, info.kind, static_cast<size_t>(options.points)));
      out.push_back({{"name", info.name},
                     {"kind", trace::to_string(info.kind)},
                     {"dtype", trace::to_string(info.dtype)},
                     {"shape", info.shape},
                     {"points", curve_json(points)}});
    }
    print_json({{"trace", path}, {"series", out}});
    return 0;
  }
  if (options.series.empty()) {
    PAWL_RETURN_IF_ERROR(print_overview(reader, series));
    // What the supervisor has to say of the trace, when the attempt has ended.
    auto result = supervise::read_result(place.dir);
    for (const std::string& note : result.ok() ? result->notes : std::vector<std::string>())
      print(fmt::format("Note: {}\n", sanitize_for_terminal(note)));
    return 0;
  }
  for (const trace::SeriesInfo& info : series) {
    PAWL_ASSIGN(auto points, reader.curve(info.name, info.kind, static_cast<size_t>(options.points)));
    std::vector<std::vector<Cell>> rows;
    for (const trace::CurvePoint& p : points) {
      rows.push_back({{std::to_string(p.step)},
                      {number(p.min)},
                      {number(p.mean)},
                      {number(p.max)},
                      {p.non_finite > 0 ? std::to_string(p.non_finite) : "", Tone::bad}});
    }
    print(fmt::format("{} ({}{})\n", paint(sanitize_for_terminal(info.name), Tone::bold),
                      trace::to_string(info.kind), measured(info.kind)));
    print(render_table({"step", "min", "mean", "max", "non-finite"}, rows) + "\n");
  }
  return 0;
}

}  // namespace

int trace(const Global& global, const TraceOptions& options) {
  if (!options.tensorboard.empty()) return trace_tensorboard(global, options);
  auto result = show_trace(global, options);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
