// Quality of predicted numbers on one test set. Units are those of the targets.
//
// Error `invalid`: no examples, a target or a prediction that is no finite number, and what is stated below.
// Pure functions of any thread. Targets and predictions have the same size (checked).
#pragma once

#include <span>
#include <vector>

#include "engine/base/error.h"

namespace pawl::gate {

// Per example, for the paired tests: MAE is the mean of the first, RMSE the square root of the second's.
Result<std::vector<double>> absolute_errors(std::span<const double> targets,
                                            std::span<const double> predictions);
Result<std::vector<double>> squared_errors(std::span<const double> targets,
                                           std::span<const double> predictions);

Result<double> mean_absolute_error(std::span<const double> targets, std::span<const double> predictions);
Result<double> root_mean_squared_error(std::span<const double> targets, std::span<const double> predictions);

// 1 - (sum of squared errors) / (sum of squared distances of the targets from their mean). Error `invalid`
// also: all targets are equal, so there is nothing to explain (one example, for one).
Result<double> r2(std::span<const double> targets, std::span<const double> predictions);

}  // namespace pawl::gate
