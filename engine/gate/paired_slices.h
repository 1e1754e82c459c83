// What the paired tests need to know of each slice of a test set, for slices that do not overlap: counts for
// right-or-wrong results (McNemar, Tango), moments of the difference for values (paired t). One pass over the
// examples, whatever the number of slices.
//
// `slice_of`: for each example the code of its slice, below `slices`, or kNoSlice. Spans and vectors that do
// not describe the same examples and codes that are neither are a bug of the caller (checked). Results have
// one entry for each slice, in the order of the codes; n is 0 where a slice has no examples.
//
// Pure functions of any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/evaluation.h"
#include "engine/gate/paired.h"

namespace pawl::gate {

inline constexpr std::uint32_t kNoSlice = std::numeric_limits<std::uint32_t>::max();

struct PairedAnswers {
  PairedCounts counts;
  std::int64_t candidate_right = 0;

  std::int64_t baseline_right() const { return candidate_right - counts.b + counts.c; }
  bool operator==(const PairedAnswers&) const = default;
};

std::vector<PairedAnswers> paired_answers_by_slice(std::span<const std::uint32_t> slice_of,
                                                   std::size_t slices, const EvaluationVector& candidate,
                                                   const EvaluationVector& baseline);

struct PairedMoments {
  std::int64_t n = 0;
  double candidate = 0;  // mean
  double baseline = 0;   // mean
  double mean = 0;       // of candidate minus baseline
  double m2 = 0;         // sum of squared distances from `mean`; the variance is m2 / (n - 1)
  bool alike = true;     // no example has a difference

  bool operator==(const PairedMoments&) const = default;
};

// Error `invalid`: a difference that is no finite number.
Result<std::vector<PairedMoments>> paired_moments_by_slice(std::span<const std::uint32_t> slice_of,
                                                           std::size_t slices,
                                                           std::span<const double> candidate,
                                                           std::span<const double> baseline);

}  // namespace pawl::gate
