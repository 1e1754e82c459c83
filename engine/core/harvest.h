// What an attempt left behind, collected into values: metrics, files to keep, findings, curves. Blocks (reads
// and copies files); runs on the worker pool.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/core/home.h"
#include "engine/store/results.h"
#include "engine/store/runs.h"
#include "engine/supervise/result.h"

namespace pawl::core {

struct Harvest {
  std::vector<store::Metric> metrics;
  std::vector<store::Artifact> artifacts;
  std::vector<store::Finding> findings;
  std::optional<store::TraceSummary> trace;
  std::vector<store::Curve> curves;
  std::string problem;  // what the stage wrote that cannot be used (a broken metrics.json); empty: nothing
};

// `attempt` is the row, `result` what its supervisor wrote. Files of out/ go into the content-addressed
// store, at most kMaxArtifacts of them and no links, sockets or devices.
Harvest harvest_attempt(const Home& home, const store::Attempt& attempt,
                        const supervise::AttemptResult& result);

inline constexpr size_t kMaxArtifacts = 10'000;

}  // namespace pawl::core
