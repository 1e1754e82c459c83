#include "engine/gate/seed_evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace pawl::gate {
namespace {

using Seeds = std::vector<std::pair<std::int64_t, Evidence>>;

void add_metric(const Metric& first, const Seeds& seeds, Evidence& out) {
  Metric mean = first;
  mean.value = 0;
  std::vector<SeedValue>& values = out.by_seed[first.name];
  for (const auto& [seed, evidence] : seeds) {
    const Metric* metric = find_metric(evidence.metrics, first.name);
    values.push_back({seed, metric == nullptr ? std::nullopt : std::optional(metric->value)});
    mean.value += (metric == nullptr ? std::numeric_limits<double>::quiet_NaN() : metric->value) /
                  static_cast<double>(seeds.size());
    if (metric == nullptr || metric->n != mean.n) mean.n.reset();
  }
  out.metrics.push_back(std::move(mean));
}

void add_files(const Seeds& seeds, Evidence& out) {
  const auto& [first_seed, first] = seeds.front();
  for (const auto& [seed, evidence] : seeds) {
    for (const auto& [file, why] : evidence.unreadable)
      out.unreadable.try_emplace(file, fmt::format("seed {}: {}", seed, why));
    for (const auto& [file, vector] : evidence.vectors) {
      const auto mine = first.vectors.find(file);
      if (mine != first.vectors.end() && mine->second.testset == vector.testset) continue;
      out.unreadable.try_emplace(file, fmt::format("{}: seeds {} and {} were not scored on the same examples",
                                                   file, first_seed, seed));
    }
  }
  for (const auto& [file, vector] : first.vectors) {
    if (!out.unreadable.contains(file)) out.vectors[file] = vector;
  }
}

}  // namespace

Evidence over_seeds(std::vector<std::pair<std::int64_t, Evidence>> seeds) {
  PAWL_CHECK(!seeds.empty());
  Evidence out;
  out.stage = seeds.front().second.stage;
  out.evaluator = seeds.front().second.evaluator;
  for (const auto& [seed, evidence] : seeds) {
    for (const Metric& metric : evidence.metrics) {
      if (!out.by_seed.contains(metric.name)) add_metric(metric, seeds, out);
    }
  }
  add_files(seeds, out);
  return out;
}

}  // namespace pawl::gate
