#include "engine/gate/permutation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/counter_draw.h"

namespace pawl::gate {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kMaxExactFlips = 20;
constexpr double kMaxExactDivisions = 1e6;
constexpr double kRounding = 1e-12;  // of the sum of absolute values

void check_values(std::span<const double> values) {
  PAWL_CHECK(!values.empty());
  for (const double value : values) PAWL_CHECK(std::isfinite(value));
}

// Patterns of signs; pattern 0 flips nothing: it is the observation.
class Flips {
 public:
  Flips(std::size_t n, std::uint64_t seed) : n_(n), seed_(seed) {}

  std::uint64_t patterns() const { return exact() ? std::uint64_t{1} << n_ : kRandomReplicates + 1; }

  bool flipped(std::uint64_t pattern, std::size_t i) const {
    if (exact()) return (pattern >> i & 1) != 0;
    return pattern != 0 && draw_below(2, seed_, pattern, i) != 0;
  }

  // Calls f(sum of the flipped values, how many they are) for every pattern.
  template <class F>
  void each(std::span<const double> values, F f) const {
    for (std::uint64_t pattern = 0; pattern < patterns(); ++pattern) {
      double sum = 0;
      std::size_t count = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (!flipped(pattern, i)) continue;
        sum += values[i];
        ++count;
      }
      f(sum, count);
    }
  }

 private:
  bool exact() const { return n_ <= kMaxExactFlips; }

  std::size_t n_;
  std::uint64_t seed_;
};

double sum_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

double slack_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += std::abs(value);
  return kRounding * sum;
}

double divisions(std::size_t n, std::size_t k) {
  double count = 1;
  for (std::size_t i = 1; i <= k; ++i) count *= static_cast<double>(n - k + i) / static_cast<double>(i);
  return count;
}

// Calls f(sum of the first sample) for every way to choose `k` of the values, the given one first.
template <class F>
void each_division(std::span<const double> pooled, std::size_t k, F f) {
  std::vector<bool> first(pooled.size(), false);
  std::fill_n(first.begin(), k, true);
  do {
    double sum = 0;
    for (std::size_t i = 0; i < pooled.size(); ++i) sum += first[i] ? pooled[i] : 0;
    f(sum);
  } while (std::prev_permutation(first.begin(), first.end()));
}

template <class F>
void random_divisions(std::span<const double> pooled, std::size_t k, std::uint64_t seed, F f) {
  f(sum_of(pooled.first(k)));
  std::vector<double> shuffled(pooled.begin(), pooled.end());
  for (std::uint64_t replicate = 1; replicate <= kRandomReplicates; ++replicate) {
    std::copy(pooled.begin(), pooled.end(), shuffled.begin());
    double sum = 0;
    for (std::size_t i = 0; i < k; ++i) {
      std::swap(shuffled[i], shuffled[i + draw_below(pooled.size() - i, seed, replicate, i)]);
      sum += shuffled[i];
    }
    f(sum);
  }
}

}  // namespace

double sign_flip_p_below(std::span<const double> values, double center, std::uint64_t seed) {
  check_values(values);
  PAWL_CHECK(std::isfinite(center));
  std::vector<double> distances(values.begin(), values.end());
  for (double& distance : distances) distance -= center;
  const double slack = slack_of(distances);
  const Flips flips(values.size(), seed);
  std::uint64_t hits = 0;
  // Flipping lowers the sum, or leaves it, exactly when what is flipped does not sum to less than zero.
  flips.each(distances, [&](double flipped, std::size_t) { hits += flipped >= -slack; });
  return static_cast<double>(hits) / static_cast<double>(flips.patterns());
}

double sign_flip_p_two_sided(std::span<const double> values, std::uint64_t seed) {
  check_values(values);
  const double total = sum_of(values);
  const double slack = slack_of(values);
  const Flips flips(values.size(), seed);
  std::uint64_t hits = 0;
  flips.each(values, [&](double flipped, std::size_t) {
    hits += std::abs(total - 2 * flipped) >= std::abs(total) - slack;
  });
  return static_cast<double>(hits) / static_cast<double>(flips.patterns());
}

Interval sign_flip_interval(std::span<const double> values, double alpha, std::uint64_t seed) {
  check_values(values);
  PAWL_CHECK(alpha > 0 && alpha < 0.5);
  const Flips flips(values.size(), seed);
  std::vector<double> means;
  std::uint64_t unmoved = 0;  // patterns that flip nothing count against no centre
  flips.each(values, [&](double sum, std::size_t count) {
    if (count == 0) {
      ++unmoved;
    } else {
      means.push_back(sum / static_cast<double>(count));
    }
  });
  // A centre is refuted when at most this many patterns are as extreme.
  const auto refuting =
      static_cast<std::uint64_t>(std::floor(alpha * static_cast<double>(flips.patterns()) + 1e-9));
  if (refuting < unmoved) return {-kInfinity, kInfinity};
  const auto place = static_cast<std::ptrdiff_t>(refuting - unmoved);
  std::nth_element(means.begin(), means.begin() + place, means.end());
  const double low = means[static_cast<std::size_t>(place)];
  std::nth_element(means.begin(), means.end() - 1 - place, means.end());
  return {low, means[means.size() - 1 - static_cast<std::size_t>(place)]};
}

PermutationP mean_permutation(std::span<const double> a, std::span<const double> b, std::uint64_t seed) {
  check_values(a);
  check_values(b);
  std::vector<double> pooled(a.begin(), a.end());
  pooled.insert(pooled.end(), b.begin(), b.end());
  const double slack = slack_of(pooled);
  const double observed = sum_of(a);
  // With the values fixed, the difference of the means grows with the sum of the first sample alone.
  const double expected = sum_of(pooled) * static_cast<double>(a.size()) / static_cast<double>(pooled.size());
  std::uint64_t all = 0, greater = 0, extreme = 0;
  const auto count = [&](double sum) {
    ++all;
    greater += sum >= observed - slack;
    extreme += std::abs(sum - expected) >= std::abs(observed - expected) - slack;
  };
  if (divisions(pooled.size(), a.size()) <= kMaxExactDivisions) {
    each_division(pooled, a.size(), count);
  } else {
    random_divisions(pooled, a.size(), seed, count);
  }
  return {static_cast<double>(greater) / static_cast<double>(all),
          static_cast<double>(extreme) / static_cast<double>(all)};
}

}  // namespace pawl::gate
