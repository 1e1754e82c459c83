#include "engine/gate/paired_slices.h"

#include <fmt/format.h>

#include <cmath>

namespace pawl::gate {

std::vector<PairedAnswers> paired_answers_by_slice(std::span<const std::uint32_t> slice_of,
                                                   std::size_t slices, const EvaluationVector& candidate,
                                                   const EvaluationVector& baseline) {
  PAWL_CHECK(slice_of.size() == static_cast<std::size_t>(candidate.n) && candidate.n == baseline.n);
  std::vector<PairedAnswers> out(slices);
  for (std::size_t i = 0; i < slice_of.size(); ++i) {
    if (slice_of[i] == kNoSlice) continue;
    PAWL_CHECK(slice_of[i] < slices);
    PairedAnswers& answers = out[slice_of[i]];
    const bool candidate_right = candidate.is_right(i);
    const bool baseline_right = baseline.is_right(i);
    ++answers.counts.n;
    answers.counts.b += candidate_right && !baseline_right;
    answers.counts.c += !candidate_right && baseline_right;
    answers.candidate_right += candidate_right;
  }
  return out;
}

Result<std::vector<PairedMoments>> paired_moments_by_slice(std::span<const std::uint32_t> slice_of,
                                                           std::size_t slices,
                                                           std::span<const double> candidate,
                                                           std::span<const double> baseline) {
  PAWL_CHECK(slice_of.size() == candidate.size() && slice_of.size() == baseline.size());
  std::vector<PairedMoments> out(slices);
  for (std::size_t i = 0; i < slice_of.size(); ++i) {
    if (slice_of[i] == kNoSlice) continue;
    PAWL_CHECK(slice_of[i] < slices);
    const double difference = candidate[i] - baseline[i];
    if (!std::isfinite(difference)) {
      return Error(ErrorCode::invalid,
                   fmt::format("example {}: candidate {}, baseline {}", i, candidate[i], baseline[i]));
    }
    PairedMoments& moments = out[slice_of[i]];
    ++moments.n;
    moments.candidate += candidate[i];
    moments.baseline += baseline[i];
    moments.alike &= difference == 0;
    // Welford: sums of squares would cancel where the differences are small beside their mean.
    const double step = difference - moments.mean;
    moments.mean += step / static_cast<double>(moments.n);
    moments.m2 += step * (difference - moments.mean);
  }
  for (PairedMoments& moments : out) {
    if (moments.n == 0) continue;
    moments.candidate /= static_cast<double>(moments.n);
    moments.baseline /= static_cast<double>(moments.n);
  }
  return out;
}

}  // namespace pawl::gate
