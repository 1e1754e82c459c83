#include "engine/trace/tensorboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace pawl::trace {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kValuesAtOnce = 50'000;  // bounds what is read before it is written

std::string_view mode_name(int mode) {
  return mode == 0 ? "train" : "eval";
}

// The bins of TensorStats::magnitude on an axis of log2 |x|, without those that are empty on either side.
std::optional<EventHistogram> histogram_of(const std::array<uint64_t, 16>& magnitude) {
  const auto is_filled = [](uint64_t count) { return count > 0; };
  const auto first = std::ranges::find_if(magnitude, is_filled);
  if (first == magnitude.end()) return std::nullopt;
  const auto last = std::ranges::find_if(magnitude.rbegin(), magnitude.rend(), is_filled).base();
  EventHistogram histogram;
  const auto lower_edge = [&](auto bin) { return 2.0 * static_cast<double>(bin - magnitude.begin()) - 20; };
  histogram.min = lower_edge(first);
  histogram.max = lower_edge(last);
  for (auto bin = first; bin != last; ++bin) {
    histogram.limits.push_back(lower_edge(bin + 1));
    histogram.counts.push_back(static_cast<double>(*bin));
  }
  return histogram;
}

void add_tensor(std::vector<EventValue>& out, const SeriesInfo& info, const TensorStats& s) {
  const std::string prefix = fmt::format("{}/{}/", info.name, to_string(info.kind));
  const auto finite = static_cast<double>(s.count - s.nan - s.inf);
  const bool any = finite > 0;
  out.push_back({prefix + "rms", any ? std::sqrt(s.square_sum / finite) : kNan});
  out.push_back({prefix + "mean", any ? s.sum / finite : kNan});
  out.push_back({prefix + "min", any ? s.min : kNan});
  out.push_back({prefix + "max", any ? s.max : kNan});
  if (s.count > 0) {
    out.push_back({prefix + "zero_share", static_cast<double>(s.zero) / static_cast<double>(s.count)});
  }
  out.push_back({prefix + "non_finite", static_cast<double>(s.nan + s.inf)});
  if (auto histogram = histogram_of(s.magnitude)) {
    out.push_back({prefix + "log2_magnitude", std::move(*histogram)});
  }
}

}  // namespace

Result<void> TensorBoardExport::update(TraceReader& reader, double now) {
  PAWL_ASSIGN(TraceReader::Moment moment, reader.hold());
  PAWL_ASSIGN(std::vector<SeriesInfo> series, reader.series());
  std::erase_if(series, [&](const SeriesInfo& info) { return !wanted_(info.name); });
  for (const SeriesInfo& info : series) {
    if (info.kind == Kind::loss) losses_.insert(info.name);
  }
  PAWL_ASSIGN(std::vector<Lane> lanes, reader.lanes());
  for (const Lane& lane : lanes) PAWL_RETURN_IF_ERROR(update_lane(reader, series, lane, now));
  return {};
}

Result<void> TensorBoardExport::update_lane(TraceReader& reader, const std::vector<SeriesInfo>& series,
                                            const Lane& lane, double now) {
  std::optional<uint64_t> from = 0;
  const auto known = lanes_.find({lane.rank, lane.mode});
  if (known != lanes_.end()) {
    Written& written = known->second;
    if (lane.last_step <= written.last_step && lane.last_wall <= written.last_wall) return {};
    PAWL_ASSIGN(from, reader.first_step_after(lane, written.last_step, written.last_wall));
    if (!from) from = written.last_step + 1;
    if (*from <= written.last_step) PAWL_RETURN_IF_ERROR(written.file.restart(written.last_wall, *from));
  }
  const size_t chunk = std::max<size_t>(1, kValuesAtOnce / std::max<size_t>(series.size(), 1));
  while (from) {
    PAWL_ASSIGN(LaneSteps read, reader.lane_steps(lane, series, *from, chunk));
    for (const LaneStep& step : read.steps) PAWL_RETURN_IF_ERROR(write(lane, series, step, now));
    from = read.next;
  }
  const auto written = lanes_.find({lane.rank, lane.mode});
  return written == lanes_.end() ? Result<void>() : written->second.file.flush();
}

Result<void> TensorBoardExport::write(const Lane& lane, const std::vector<SeriesInfo>& series,
                                      const LaneStep& step, double now) {
  std::vector<EventValue> values;
  for (const Observation& observation : step.observations) {
    const SeriesInfo& info = series[observation.series];
    if (const double* number = observation.scalar()) {
      const bool is_taken = info.kind == Kind::scalar && losses_.contains(info.name);
      values.push_back({is_taken ? info.name + "/scalar" : info.name, *number});
    } else {
      add_tensor(values, info, *observation.stats());
    }
  }
  auto written = lanes_.find({lane.rank, lane.mode});
  if (written == lanes_.end()) {
    PAWL_ASSIGN(EventFile file, create_file(lane, step.wall_time.value_or(now)));
    written = lanes_.emplace(std::pair(lane.rank, lane.mode), Written{std::move(file)}).first;
    written->second.last_wall = step.wall_time.value_or(now);
  }
  Written& to = written->second;
  to.last_step = step.step;
  to.last_wall = std::max(to.last_wall, step.wall_time.value_or(0));
  ++steps_;
  return to.file.add(step.wall_time.value_or(to.last_wall), step.step, values);
}

Result<EventFile> TensorBoardExport::create_file(const Lane& lane, double wall_time) {
  const std::string folder = fmt::format("{}/rank{}-{}", dir_, lane.rank, mode_name(lane.mode));
  const std::string name = "events.out.tfevents.pawl." + source_;
  PAWL_RETURN_IF_ERROR(make_dirs(folder));
  PAWL_ASSIGN(auto entries, list_dir(folder));
  for (const DirEntry& entry : entries) {
    if (entry.name.find("tfevents") != std::string::npos && entry.name != name) {
      return Error(
          ErrorCode::conflict,
          fmt::format("has {}, which is not of this trace: TensorBoard would mix them. Name another folder",
                      entry.name),
          folder);
    }
  }
  return EventFile::create(folder + "/" + name, wall_time);
}

}  // namespace pawl::trace
