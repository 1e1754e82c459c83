// Metrics of one model on kLanes resamples at once, for paired_bootstrap(). Each gives on a resample what the
// function of the same name in classification.h, ranking.h and regression.h gives on a test set in which
// every example stands as often as its weight says.
//
// What can be done once (sorting, checking) is done by the functions below; their errors are those of the
// plain metrics.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/classification.h"
#include "engine/gate/ranking.h"
#include "engine/gate/resampling.h"

namespace pawl::gate {

// One value for each lane; NaN where the metric is undefined for that resample.
using LaneValues = std::array<double, kLanes>;

// Immutable; any thread.
class LaneMetric {
 public:
  virtual ~LaneMetric() = default;
  virtual std::size_t size() const = 0;                                         // examples
  virtual LaneValues evaluate(std::span<const LaneWeights> weights) const = 0;  // of size() examples
};

// Two metrics of one ranking share it.
std::unique_ptr<LaneMetric> lane_auc(std::shared_ptr<const RankedScores> ranked);
std::unique_ptr<LaneMetric> lane_average_precision(std::shared_ptr<const RankedScores> ranked);

// Any function of the counts by class: accuracy, balanced accuracy, an F1, Matthews. It is called from any
// thread, with n > 0, and may return NaN.
using ClassStatistic = double (*)(const ClassCounts&);
Result<std::unique_ptr<LaneMetric>> lane_class_metric(std::span<const std::uint32_t> labels,
                                                      std::span<const std::uint32_t> predictions,
                                                      std::size_t classes, ClassStatistic statistic);

// The mean of per-example (or per-group, with the groups resampled) values: log loss, Brier, top-k, MAE,
// NDCG.
Result<std::unique_ptr<LaneMetric>> lane_mean(std::vector<double> values);

Result<std::unique_ptr<LaneMetric>> lane_root_mean_squared_error(std::span<const double> targets,
                                                                 std::span<const double> predictions);
Result<std::unique_ptr<LaneMetric>> lane_r2(std::span<const double> targets,
                                            std::span<const double> predictions);

// The mean of other metrics of the same examples: macro AUC out of one against the rest. Not empty.
std::unique_ptr<LaneMetric> lane_average(std::vector<std::unique_ptr<LaneMetric>> metrics);

}  // namespace pawl::gate
