// The paired bootstrap: how far is the difference of two models' metrics from what chance in the choice of
// the test set explains? For metrics that are no mean over the examples (F1, AUC, average precision) there is
// no formula; the test set is resampled instead, the same resample for both models, and the spread of the
// difference over the resamples is taken for its uncertainty (Efron 1979; resampling.h for the weights,
// bootstrap_interval.h for the intervals).
//
// The result is a function of the examples, their keys and the options: not of the number of threads, and not
// of the order of the examples, but for the rounding of sums of doubles.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/interval.h"
#include "engine/gate/lane_metrics.h"
#include "engine/gate/parallel_for.h"
#include "engine/gate/resampling.h"

namespace pawl::gate {

struct BootstrapOptions {
  std::uint64_t seed = 0;
  int replicates = 2000;  // > 0
};

// Of the same metric on the same examples; the metrics are not owned.
struct PairedMetric {
  const LaneMetric* candidate = nullptr;
  const LaneMetric* baseline = nullptr;
  double alpha = 0.05;  // each bound of the interval is missed with this probability, 0 < alpha < 0.5
};

struct PairedBootstrap {
  double candidate = 0;  // the metric on the examples themselves
  double baseline = 0;
  double difference = 0;  // candidate - baseline
  double standard_error = 0;
  Interval percentile;
  std::optional<Interval> bca;  // empty when it is undefined
  double acceleration = 0;
  std::vector<double> replicates;  // of the difference, ascending; where a metric is undefined, left out

  const Interval& interval() const { return bca ? *bca : percentile; }
};

// A result for each pair of metrics, all on the same resamples. A task takes 16 bytes for each example. Error
// `invalid` of a pair: a metric is undefined for the examples themselves, or for more than a twentieth of the
// resamples, which says that the test set is too small for it.
std::vector<Result<PairedBootstrap>> paired_bootstrap(const Resampling& resampling,
                                                      std::span<const PairedMetric> metrics,
                                                      const BootstrapOptions& options,
                                                      const ParallelFor& parallel_for = serial_for);

}  // namespace pawl::gate
