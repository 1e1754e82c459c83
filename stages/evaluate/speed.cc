#include "stages/evaluate/speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"

namespace pawl::evaluate {
namespace {

std::vector<double> sorted_latencies(const std::vector<BatchTime>& batches) {
  std::vector<double> warm;
  std::vector<double> all;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    if (batches[i].examples < batches[0].examples) continue;  // the last one, when it is not full
    all.push_back(batches[i].model_s * 1e3);
    if (i >= kWarmUpBatches) warm.push_back(all.back());
  }
  std::vector<double>& out = warm.empty() ? all : warm;
  std::ranges::sort(out);
  return out;
}

double percentile(const std::vector<double>& sorted, double percent) {
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

}  // namespace

std::vector<gate::Metric> speed_metrics(const std::vector<BatchTime>& batches, double total_s) {
  PAWL_CHECK(!batches.empty());
  const std::vector<double> latencies = sorted_latencies(batches);
  std::vector<gate::Metric> out;
  for (const int percent : {50, 90, 99}) {
    out.push_back({fmt::format("latency_ms_p{}", percent), percentile(latencies, percent),
                   gate::Direction::lower, "ms", static_cast<std::int64_t>(latencies.size())});
  }
  std::size_t examples = 0;
  for (const BatchTime& batch : batches) examples += batch.examples;
  out.push_back({"examples_per_s", static_cast<double>(examples) / total_s, gate::Direction::higher, "1/s",
                 static_cast<std::int64_t>(examples)});
  return out;
}

}  // namespace pawl::evaluate
