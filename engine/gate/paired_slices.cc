#include "engine/gate/paired_slices.h"

#include <fmt/format.h>

#include <cmath>

namespace pawl::gate {
namespace {

Error bad_slice(std::size_t example, std::uint32_t slice, std::size_t slices) {
  return Error(ErrorCode::invalid,
               fmt::format("example {}: slice code {}, there are {} slices", example, slice, slices));
}

}  // namespace

Result<std::vector<PairedCounts>> paired_counts_by_slice(std::span<const std::uint32_t> slice_of,
                                                         std::size_t slices,
                                                         std::span<const std::uint8_t> candidate,
                                                         std::span<const std::uint8_t> baseline) {
  PAWL_CHECK(slice_of.size() == candidate.size() && slice_of.size() == baseline.size());
  std::vector<PairedCounts> out(slices);
  for (std::size_t i = 0; i < slice_of.size(); ++i) {
    if (slice_of[i] >= slices) return bad_slice(i, slice_of[i], slices);
    PairedCounts& counts = out[slice_of[i]];
    const bool candidate_right = candidate[i] != 0;
    const bool baseline_right = baseline[i] != 0;
    ++counts.n;
    counts.b += candidate_right && !baseline_right;
    counts.c += !candidate_right && baseline_right;
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
    if (slice_of[i] >= slices) return bad_slice(i, slice_of[i], slices);
    const double difference = candidate[i] - baseline[i];
    if (!std::isfinite(difference)) {
      return Error(ErrorCode::invalid,
                   fmt::format("example {}: candidate {}, baseline {}", i, candidate[i], baseline[i]));
    }
    // Welford: sums of squares would cancel where the differences are small beside their mean.
    PairedMoments& moments = out[slice_of[i]];
    ++moments.n;
    const double step = difference - moments.mean;
    moments.mean += step / static_cast<double>(moments.n);
    moments.m2 += step * (difference - moments.mean);
  }
  return out;
}

PairedMoments combine(const PairedMoments& a, const PairedMoments& b) {
  if (a.n == 0) return b;
  if (b.n == 0) return a;
  const auto n = static_cast<double>(a.n + b.n);
  const double step = b.mean - a.mean;
  const double share = static_cast<double>(b.n) / n;
  return {a.n + b.n, a.mean + step * share, a.m2 + b.m2 + step * step * share * static_cast<double>(a.n)};
}

}  // namespace pawl::gate
