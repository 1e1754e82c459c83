#include "engine/gate/bootstrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/gate/bootstrap_interval.h"

namespace pawl::gate {
namespace {

constexpr double kMaxUndefined = 0.05;

// Values of every pair of metrics, by replicate (or jackknife group).
struct Values {
  explicit Values(std::size_t count) : candidate(count), baseline(count) {}

  std::vector<double> differences() const {
    std::vector<double> out(candidate.size());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = candidate[i] - baseline[i];
    return out;
  }

  std::vector<double> candidate;
  std::vector<double> baseline;
};

// Evaluates all metrics on `count` weightings, of which fill(block, weights) gives kLanes at a time.
template <class Fill>
std::vector<Values> evaluate_all(std::span<const PairedMetric> metrics, std::size_t examples,
                                 std::size_t count, const ParallelFor& parallel_for, Fill fill) {
  std::vector<Values> out(metrics.size(), Values(count));
  parallel_for((count + kLanes - 1) / kLanes, [&](std::size_t block) {
    std::vector<LaneWeights> weights(examples);
    fill(block, weights);
    const std::size_t begin = block * kLanes;
    const std::size_t lanes = std::min(kLanes, count - begin);
    for (std::size_t m = 0; m < metrics.size(); ++m) {
      const LaneValues candidate = metrics[m].candidate->evaluate(weights);
      const LaneValues baseline = metrics[m].baseline->evaluate(weights);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        out[m].candidate[begin + lane] = candidate[lane];
        out[m].baseline[begin + lane] = baseline[lane];
      }
    }
  });
  return out;
}

Result<PairedBootstrap> summarize(const Values& estimate, const Values& replicates, const Values& jackknife,
                                  double alpha) {
  PairedBootstrap out;
  out.candidate = estimate.candidate[0];
  out.baseline = estimate.baseline[0];
  out.difference = out.candidate - out.baseline;
  if (std::isnan(out.difference))
    return Error(ErrorCode::invalid, "the metric is undefined for these examples");

  std::vector<double> sorted = replicates.differences();
  const std::size_t drawn = sorted.size();
  std::erase_if(sorted, [](double value) { return std::isnan(value); });
  if (static_cast<double>(drawn - sorted.size()) > kMaxUndefined * static_cast<double>(drawn)) {
    return Error(ErrorCode::invalid,
                 fmt::format("the metric is undefined for {} of {} resamples: the test set "
                             "is too small for it",
                             drawn - sorted.size(), drawn));
  }
  std::sort(sorted.begin(), sorted.end());
  out.standard_error = bootstrap_standard_error(sorted);
  out.percentile = percentile_interval(sorted, alpha);
  const std::vector<double> left_out = jackknife.differences();
  if (std::none_of(left_out.begin(), left_out.end(), [](double value) { return std::isnan(value); })) {
    out.acceleration = jackknife_acceleration(left_out);
    out.bca = bca_interval(sorted, out.difference, out.acceleration, alpha);
  }
  out.replicates = std::move(sorted);
  return out;
}

}  // namespace

std::vector<Result<PairedBootstrap>> paired_bootstrap(const Resampling& resampling,
                                                      std::span<const PairedMetric> metrics,
                                                      const BootstrapOptions& options,
                                                      const ParallelFor& parallel_for) {
  PAWL_CHECK(options.replicates > 0);
  for (const PairedMetric& metric : metrics) {
    PAWL_CHECK(metric.alpha > 0 && metric.alpha < 0.5);
    PAWL_CHECK(metric.candidate->size() == resampling.size() && metric.baseline->size() == resampling.size());
  }
  using Weights = std::vector<LaneWeights>;
  const std::size_t n = resampling.size();
  const auto once = [](std::size_t, Weights& weights) {
    for (LaneWeights& it : weights) std::fill(std::begin(it.of), std::end(it.of), std::uint8_t{1});
  };
  const auto estimates = evaluate_all(metrics, n, 1, parallel_for, once);
  const auto jackknife =
      evaluate_all(metrics, n, resampling.jackknife_groups(), parallel_for,
                   [&](std::size_t block, Weights& weights) { resampling.leave_out(block, weights); });
  const auto replicates =
      evaluate_all(metrics, n, static_cast<std::size_t>(options.replicates), parallel_for,
                   [&](std::size_t block, Weights& weights) {
                     resampling.draw(options.seed, static_cast<std::uint32_t>(block), weights);
                   });
  std::vector<Result<PairedBootstrap>> out;
  for (std::size_t m = 0; m < metrics.size(); ++m) {
    out.push_back(summarize(estimates[m], replicates[m], jackknife[m], metrics[m].alpha));
  }
  return out;
}

}  // namespace pawl::gate
