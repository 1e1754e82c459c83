#include "engine/gate/regression.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/gate/classification.h"

namespace pawl::gate {
namespace {

Result<std::vector<double>> errors(std::span<const double> targets, std::span<const double> predictions) {
  PAWL_CHECK(targets.size() == predictions.size());
  std::vector<double> out(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (!std::isfinite(targets[i]) || !std::isfinite(predictions[i])) {
      return Error(ErrorCode::invalid,
                   fmt::format("example {}: target {}, prediction {}", i, targets[i], predictions[i]));
    }
    out[i] = predictions[i] - targets[i];
  }
  return out;
}

}  // namespace

Result<std::vector<double>> absolute_errors(std::span<const double> targets,
                                            std::span<const double> predictions) {
  PAWL_ASSIGN(std::vector<double> out, errors(targets, predictions));
  for (double& it : out) it = std::abs(it);
  return out;
}

Result<std::vector<double>> squared_errors(std::span<const double> targets,
                                           std::span<const double> predictions) {
  PAWL_ASSIGN(std::vector<double> out, errors(targets, predictions));
  for (double& it : out) it *= it;
  return out;
}

Result<double> mean_absolute_error(std::span<const double> targets, std::span<const double> predictions) {
  PAWL_ASSIGN(const std::vector<double> values, absolute_errors(targets, predictions));
  return mean(values);
}

Result<double> root_mean_squared_error(std::span<const double> targets, std::span<const double> predictions) {
  PAWL_ASSIGN(const std::vector<double> values, squared_errors(targets, predictions));
  PAWL_ASSIGN(const double square, mean(values));
  return std::sqrt(square);
}

Result<double> r2(std::span<const double> targets, std::span<const double> predictions) {
  PAWL_ASSIGN(const std::vector<double> values, squared_errors(targets, predictions));
  PAWL_ASSIGN(const double error, mean(values));
  if (std::all_of(targets.begin(), targets.end(), [&](double it) { return it == targets[0]; })) {
    return Error(ErrorCode::invalid, "all targets are equal: there is nothing to explain");
  }
  PAWL_ASSIGN(const double center, mean(targets));
  double spread = 0;
  for (const double target : targets) spread += (target - center) * (target - center);
  spread /= static_cast<double>(targets.size());
  return 1 - error / spread;
}

}  // namespace pawl::gate
