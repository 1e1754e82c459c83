// What the curve of a training is held to while it runs: what earlier green runs had at the same steps. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace pawl::rules {

// A stretch of training steps. All values are means over its steps.
struct Stretch {
  uint64_t first = 0;  // step, inclusive
  uint64_t last = 0;
  double mean = 0;       // over the green runs
  double low = 0;        // the lowest of them
  double high = 0;       // the highest
  double allowance = 0;  // how far from the mean chance explains
  double margin = 0;     // what is allowed on top of that

  bool operator==(const Stretch&) const = default;
};

// The curve that step times make, as completed training steps per second.
inline constexpr const char* kThroughputCurve = "steps_per_s";

struct GreenBand {
  std::string curve;  // name of a loss or scalar, or kThroughputCurve
  bool higher_is_better = false;
  std::vector<std::string> runs;   // as people are told of them: "12 (3f2a91c)"
  std::vector<Stretch> stretches;  // ascending and disjoint, at most kMaxStretches
  std::string missing;             // why there are no stretches; empty when there are

  bool operator==(const GreenBand&) const = default;
};

inline constexpr size_t kMaxStretches = 40;
inline constexpr size_t kMinGreenRuns = 2;  // of one nobody knows how far another may be from it

struct BandOptions {
  bool higher_is_better = false;
  double margin = 0;             // >= 0
  bool margin_relative = false;  // it is a share of the magnitude of the mean
  uint64_t from_step = 0;        // earlier steps are not judged
};

using CurvePoints = std::vector<std::pair<int64_t, double>>;  // (step, value), steps ascending

// Cuts the steps of the curves into at most kMaxStretches of equal width. Averages over a stretch hold less
// noise than single steps, and there are fewer of them to be wrong about.
//
// The allowance is the one-sided 99 % prediction bound for one more run, t(k - 1) * s * sqrt(1 + 1/k), with
// the standard deviation s between the k runs: two runs say little (31.8 * s), ten much (2.8 * s). Runs that
// are alike (a fixed seed) would allow nothing: at least three standard deviations of the noise along the
// curves are allowed, estimated by second differences of neighbouring stretches, which a smooth trend leaves
// out (von Neumann's estimate: var(a - 2b + c) = 6 var for independent a, b, c).
//
// Values that are not finite are left out, stretches that fewer than kMinGreenRuns runs reach too. `missing`
// says why nothing is left.
void fill_green_band(std::span<const CurvePoints> curves, const BandOptions& options, GreenBand& band);

}  // namespace pawl::rules
