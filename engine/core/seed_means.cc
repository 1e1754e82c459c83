#include "engine/core/seed_means.h"

#include <algorithm>

#include "pipelines/seeds.h"

namespace pawl::core {

std::vector<store::Metric> with_seed_means(const std::vector<store::Metric>& metrics) {
  std::vector<store::Metric> out;
  std::vector<double> counts;
  for (store::Metric metric : metrics) {
    metric.stage = pipeline::without_seed(metric.stage);
    const auto same = std::ranges::find_if(out, [&](const store::Metric& other) {
      return other.stage == metric.stage && other.name == metric.name;
    });
    if (same == out.end()) {
      out.push_back(std::move(metric));
      counts.push_back(1);
      continue;
    }
    double& count = counts[static_cast<size_t>(same - out.begin())];
    same->value += (metric.value - same->value) / ++count;
    if (metric.n != same->n) same->n.reset();
  }
  return out;
}

}  // namespace pawl::core
