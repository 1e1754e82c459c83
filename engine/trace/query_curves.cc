// Curves of trace.db: read from its buckets, never from the rows of single steps.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/trace/curve_writer.h"
#include "engine/trace/query.h"

namespace pawl::trace {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr uint64_t kMaxExactValues = 65536;  // a few thousand rows

// Cuts the steps [first, last] into stretches of equal width and follows the values of each. Bounded: an
// unlucky trace with one step 0 and one step 2^62 is two stretches.
class Downsampler {
 public:
  Downsampler(uint64_t first, uint64_t last, size_t max_points)
      : first_(static_cast<int64_t>(first)),
        width_(std::max(1.0, (static_cast<double>(last - first) + 1) / static_cast<double>(max_points))) {}

  // A bucket goes where it ends.
  void add(const Bucket& b) {
    const auto step = static_cast<int64_t>(b.last_step);
    auto stretch = static_cast<int64_t>(static_cast<double>(step - first_) / width_);
    if (points_.empty() || stretch != stretch_) {
      finish();
      points_.push_back({0, kNan, kNan, kNan, kNan, 0});
      stretch_ = stretch;
    }
    CurvePoint& point = points_.back();
    point.step = b.last_step;
    point.non_finite += b.non_finite;
    if (b.finite == 0) return;
    point.min = std::isnan(point.min) ? b.min : std::min(point.min, b.min);
    point.max = std::isnan(point.max) ? b.max : std::max(point.max, b.max);
    point.last = b.last;
    sum_ += b.sum;
    count_ += b.finite;
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

// The widest that still gives every point a bucket; nullopt: the values themselves.
std::optional<uint64_t> width_for(uint64_t values, size_t points) {
  if (values <= kMaxExactValues) return std::nullopt;
  std::optional<uint64_t> width;
  for (uint64_t wider : kBucketWidths) {
    if (values / wider >= points) width = wider;
  }
  return width;
}

}  // namespace

// Buckets that cover the series, none wider than `widest`: those of that width, then narrower ones for what
// is left.
Result<std::vector<Bucket>> TraceReader::buckets(int64_t series, uint64_t widest) {
  PAWL_ASSIGN(Stmt row, db_.prepare(fmt::format(
                            "SELECT {} FROM buckets"
                            " WHERE series = ? AND width = ? AND first_step > ? ORDER BY first_step",
                            kBucketColumns)));
  std::vector<Bucket> out;
  for (auto width = kBucketWidths.rbegin(); width != kBucketWidths.rend(); ++width) {
    if (*width > widest) continue;
    row.bind_all(series, *width, out.empty() ? -1 : static_cast<int64_t>(out.back().last_step));
    while (true) {
      PAWL_ASSIGN(bool more, row.step());
      if (!more) break;
      out.push_back(read_bucket(row, 0));
    }
  }
  return out;
}

Result<std::vector<CurvePoint>> TraceReader::curve(int64_t series, size_t max_points) {
  max_points = std::max<size_t>(max_points, 1);
  PAWL_ASSIGN(const std::vector<Bucket> all, buckets(series, kBucketWidths.back()));
  if (all.empty()) return std::vector<CurvePoint>();
  uint64_t values = 0;
  for (const Bucket& bucket : all) values += bucket.count;
  Downsampler samples(all.front().first_step, all.back().last_step, max_points);
  if (const auto width = width_for(values, max_points)) {
    PAWL_ASSIGN(const std::vector<Bucket> some, buckets(series, *width));
    for (const Bucket& bucket : some) samples.add(bucket);
    return samples.take();
  }
  PAWL_ASSIGN(Stmt row, db_.prepare("SELECT first_step, points FROM buckets"
                                    " WHERE series = ? AND width = ? ORDER BY first_step"));
  row.bind_all(series, kBucketWidths.front());
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return samples.take();
    for (const CurveValue& value : unpack_values(row.blob(1), static_cast<uint64_t>(row.integer(0)))) {
      samples.add(bucket_of(value));
    }
  }
}

Result<std::vector<CurvePoint>> TraceReader::curve(std::string_view name, Kind kind, size_t max_points) {
  PAWL_ASSIGN(auto id, series_id(name, kind));
  return id ? curve(*id, max_points) : std::vector<CurvePoint>();
}

Result<std::vector<CurvePoint>> TraceReader::throughput(size_t max_points) {
  return curve(kThroughputSeries, max_points);
}

Result<SeriesExtent> TraceReader::extent(std::string_view name, Kind kind) {
  SeriesExtent extent;
  PAWL_ASSIGN(auto id, series_id(name, kind));
  if (!id) return extent;
  PAWL_ASSIGN(const std::vector<Bucket> all, buckets(*id, kBucketWidths.back()));
  if (all.empty()) return extent;
  for (const Bucket& bucket : all) {
    extent.steps += bucket.count;
    extent.non_finite += bucket.non_finite;
    extent.last = bucket.last;
  }
  PAWL_ASSIGN(Stmt row, db_.prepare("SELECT first_step, points FROM buckets"
                                    " WHERE series = ? AND width = ? ORDER BY first_step LIMIT 1"));
  row.bind_all(*id, kBucketWidths.front());
  PAWL_ASSIGN(bool found, row.step());
  if (!found) return extent;
  const auto values = unpack_values(row.blob(1), static_cast<uint64_t>(row.integer(0)));
  if (!values.empty()) extent.first = values.front().value;
  return extent;
}

}  // namespace pawl::trace
