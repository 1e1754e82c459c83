#include "engine/gate/wilcoxon.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "engine/gate/normal.h"

namespace pawl::gate {
namespace {

// Twice the rank, so that a mean of ranks is a whole number too.
struct Ranked {
  std::int64_t doubled;
  bool positive;
};

std::vector<Ranked> rank(std::vector<double> differences) {
  std::sort(differences.begin(), differences.end(),
            [](double a, double b) { return std::abs(a) < std::abs(b); });
  std::vector<Ranked> ranked;
  for (std::size_t first = 0; first < differences.size();) {
    std::size_t last = first;
    while (last < differences.size() && std::abs(differences[last]) == std::abs(differences[first])) ++last;
    const auto doubled = static_cast<std::int64_t>(first + 1 + last);
    for (; first < last; ++first) ranked.push_back({doubled, differences[first] > 0});
  }
  return ranked;
}

// How many patterns of signs have which doubled sum. At most 2^50 in all: exact in a double.
std::vector<double> sum_counts(const std::vector<Ranked>& ranked) {
  std::vector<double> counts{1};
  for (const Ranked& it : ranked) {
    const auto step = static_cast<std::size_t>(it.doubled);
    counts.resize(counts.size() + step);
    for (std::size_t sum = counts.size(); sum-- > step;) counts[sum] += counts[sum - step];
  }
  return counts;
}

void count_patterns(const std::vector<Ranked>& ranked, std::int64_t observed, SignedRank& result) {
  const std::vector<double> counts = sum_counts(ranked);
  const double all = std::pow(2.0, static_cast<double>(ranked.size()));
  double below = 0;
  for (std::int64_t sum = 0; sum < observed; ++sum) below += counts[static_cast<std::size_t>(sum)];
  result.greater = (all - below) / all;
  result.less = (below + counts[static_cast<std::size_t>(observed)]) / all;
}

void approximate(const std::vector<Ranked>& ranked, SignedRank& result) {
  double mean = 0, variance = 0;
  for (const Ranked& it : ranked) {
    const double half = static_cast<double>(it.doubled) / 4;
    mean += half;
    variance += half * half;
  }
  const double deviation = std::sqrt(variance);
  result.greater = normal_cdf(-(result.v - mean - 0.5) / deviation);
  result.less = normal_cdf((result.v - mean + 0.5) / deviation);
}

}  // namespace

Result<SignedRank> wilcoxon_signed_rank(std::span<const double> differences) {
  std::vector<double> moved;
  for (const double difference : differences) {
    if (std::isnan(difference)) return Error(ErrorCode::invalid, "a difference is NaN");
    if (difference != 0) moved.push_back(difference);
  }
  SignedRank result;
  result.n = moved.size();
  if (moved.empty()) return result;
  const std::vector<Ranked> ranked = rank(std::move(moved));
  std::int64_t observed = 0;
  for (const Ranked& it : ranked) observed += it.positive ? it.doubled : 0;
  result.v = static_cast<double>(observed) / 2;
  if (ranked.size() <= kMaxExactRanks) {
    count_patterns(ranked, observed, result);
  } else {
    approximate(ranked, result);
  }
  result.two_sided = std::min(1.0, 2 * std::min(result.greater, result.less));
  return result;
}

}  // namespace pawl::gate
