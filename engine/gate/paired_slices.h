// What the paired tests need to know of each slice of a test set, for slices that partition it: counts for
// right-or-wrong results (McNemar, Tango), moments of the difference for values (paired t). One pass over the
// examples, whatever the number of slices.
//
// Pure functions of any thread. Spans describe the same examples and have the same size (checked). Error
// `invalid`: a slice code that is not below `slices`, a value that is no finite number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/paired.h"

namespace pawl::gate {

// One entry for each slice, in the order of the codes; n is 0 where a slice has no examples. 0 is wrong,
// anything else right.
Result<std::vector<PairedCounts>> paired_counts_by_slice(std::span<const std::uint32_t> slice_of,
                                                         std::size_t slices,
                                                         std::span<const std::uint8_t> candidate,
                                                         std::span<const std::uint8_t> baseline);

// Of candidate minus baseline.
struct PairedMoments {
  std::int64_t n = 0;
  double mean = 0;
  double m2 = 0;  // sum of squared distances from the mean; the variance is m2 / (n - 1)

  bool operator==(const PairedMoments&) const = default;
};

Result<std::vector<PairedMoments>> paired_moments_by_slice(std::span<const std::uint32_t> slice_of,
                                                           std::size_t slices,
                                                           std::span<const double> candidate,
                                                           std::span<const double> baseline);

// Of two disjoint sets of examples taken together (Chan, Golub, LeVeque 1979): the whole out of its slices.
PairedMoments combine(const PairedMoments& a, const PairedMoments& b);

}  // namespace pawl::gate
