// How fast a model answers. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/gate/metrics.h"

namespace pawl::evaluate {

// The model needs a few calls until it is as fast as it gets (TorchScript compiles in the first two).
inline constexpr std::size_t kWarmUpBatches = 2;

struct BatchTime {
  std::size_t examples = 0;
  double model_s = 0;  // handed to the model to answer there
};

// latency_ms_p50, _p90 and _p99 of a full batch without the first kWarmUpBatches, as far as others are left
// (the smallest value that at least so many percent of the batches do not exceed), and examples_per_s of all
// batches over `total_s`, with reading and preparing the inputs. `batches` is not empty.
std::vector<gate::Metric> speed_metrics(const std::vector<BatchTime>& batches, double total_s);

}  // namespace pawl::evaluate
