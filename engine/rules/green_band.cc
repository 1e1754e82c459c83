#include "engine/rules/green_band.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <optional>

namespace pawl::rules {
namespace {

constexpr double kErrorRate = 0.01;
constexpr double kNoiseDeviations = 3;
constexpr size_t kNoiseReach = 4;  // stretches to either side that tell how noisy a stretch is

using Means = std::vector<double>;  // of one run by stretch, NaN: it has none there

struct Grid {
  int64_t first = 0;
  int64_t width = 1;
  size_t stretches = 0;

  size_t index(int64_t step) const { return static_cast<size_t>((step - first) / width); }
  int64_t begin(size_t stretch) const { return first + static_cast<int64_t>(stretch) * width; }
};

std::optional<Grid> grid_over(std::span<const CurvePoints> curves) {
  int64_t first = std::numeric_limits<int64_t>::max();
  int64_t last = -1;
  for (const CurvePoints& curve : curves) {
    if (curve.empty()) continue;
    first = std::min(first, std::max<int64_t>(0, curve.front().first));
    last = std::max(last, curve.back().first);
  }
  if (last < first) return std::nullopt;
  Grid grid;
  grid.first = first;
  grid.width = (last - first) / static_cast<int64_t>(kMaxStretches) + 1;
  grid.stretches = grid.index(last) + 1;
  return grid;
}

Means means_of(const CurvePoints& curve, const Grid& grid) {
  Means sums(grid.stretches, 0);
  std::vector<double> counts(grid.stretches, 0);
  for (const auto& [step, value] : curve) {
    if (step < grid.first || !std::isfinite(value)) continue;
    sums[grid.index(step)] += value;
    ++counts[grid.index(step)];
  }
  for (size_t i = 0; i < sums.size(); ++i) sums[i] /= counts[i];  // 0/0 is NaN
  return sums;
}

// Of the runs' means around a stretch.
double noise_variance(const std::vector<Means>& runs, size_t stretch) {
  double sum = 0;
  double count = 0;
  for (const Means& means : runs) {
    const size_t begin = std::max<size_t>(1, stretch > kNoiseReach ? stretch - kNoiseReach : 1);
    for (size_t i = begin; i + 1 < means.size() && i <= stretch + kNoiseReach; ++i) {
      const double bend = means[i - 1] - 2 * means[i] + means[i + 1];
      if (!std::isfinite(bend)) continue;
      sum += bend * bend / 6;
      ++count;
    }
  }
  return count > 0 ? sum / count : 0;
}

std::optional<Stretch> stretch_of(const std::vector<Means>& runs, size_t index, const Grid& grid,
                                  const BandOptions& options) {
  Means values;
  for (const Means& means : runs) {
    if (std::isfinite(means[index])) values.push_back(means[index]);
  }
  if (values.size() < kMinGreenRuns) return std::nullopt;
  const auto count = static_cast<double>(values.size());
  Stretch out;
  out.first = static_cast<uint64_t>(grid.begin(index));
  out.last = static_cast<uint64_t>(grid.begin(index + 1) - 1);
  for (const double value : values) out.mean += value / count;
  double squares = 0;
  for (const double value : values) squares += (value - out.mean) * (value - out.mean);
  out.low = *std::ranges::min_element(values);
  out.high = *std::ranges::max_element(values);
  const double t = quantile(complement(boost::math::students_t(count - 1), kErrorRate));
  const double between = t * std::sqrt(squares / (count - 1));
  const double along = kNoiseDeviations * std::sqrt(noise_variance(runs, index));
  out.allowance = std::max(between, along) * std::sqrt(1 + 1 / count);
  out.margin = options.margin * (options.margin_relative ? std::abs(out.mean) : 1);
  if (!std::isfinite(out.mean) || !std::isfinite(out.allowance) || !std::isfinite(out.margin))
    return std::nullopt;  // values at the end of what a double can hold
  return out;
}

}  // namespace

void fill_green_band(std::span<const CurvePoints> curves, const BandOptions& options, GreenBand& band) {
  band.higher_is_better = options.higher_is_better;
  band.stretches.clear();
  band.missing.clear();
  const auto recorded = std::ranges::count_if(curves, [](const CurvePoints& c) { return !c.empty(); });
  if (static_cast<size_t>(recorded) < kMinGreenRuns) {
    band.missing = fmt::format(
        "it compares with at least {} green trainings, and {} before this commit recorded the curve '{}' in "
        "this stage",
        kMinGreenRuns, recorded == 0 ? "none" : "only one", band.curve);
    return;
  }
  if (const auto grid = grid_over(curves)) {
    std::vector<Means> runs;
    for (const CurvePoints& curve : curves) runs.push_back(means_of(curve, *grid));
    for (size_t i = 0; i < grid->stretches; ++i) {
      auto stretch = stretch_of(runs, i, *grid, options);
      if (stretch && stretch->first >= options.from_step) band.stretches.push_back(*stretch);
    }
  }
  if (band.stretches.empty()) {
    band.missing = fmt::format("the green runs have no values of '{}' at the same steps", band.curve);
  }
}

}  // namespace pawl::rules
