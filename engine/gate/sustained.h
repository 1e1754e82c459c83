// The sustained best of a metric: a level it held over several green runs in a row. Comparing with the last
// green run alone lets a model creep: many drops, each within the limit, add up to any drop. The best single
// run would not do as an anchor, one lucky seed sets a bar that nothing reaches again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/gate/verdict.h"

namespace pawl::gate {

struct SustainedBest {
  double value = 0;       // the median of the window
  std::size_t first = 0;  // the window, as indices into the values
  std::size_t last = 0;

  bool operator==(const SustainedBest&) const = default;
};

// The best median over all windows of `window` values in a row, the latest of equally good ones; nullopt when
// there are fewer values.
std::optional<SustainedBest> best_sustained(std::span<const double> values, std::size_t window,
                                            Direction direction);

// Adds one reason when the candidate has a finite value of the metric: FAIL when it is worse than the
// sustained best of the comparable runs of inputs.past by more than rule.max_drop, up to rounding.
void judge_sustained(const SustainedRule& rule, const MetricRule& metric, const Inputs& inputs,
                     std::vector<Reason>& out);

}  // namespace pawl::gate
