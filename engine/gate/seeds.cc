#include "engine/gate/seeds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "engine/gate/counter_draw.h"
#include "engine/gate/normal.h"
#include "engine/gate/permutation.h"

namespace pawl::gate {
namespace {

constexpr std::uint64_t kMaxExactResamples = 1'000'000;

Result<void> check_runs(std::span<const double> values) {
  if (values.size() < kMinSeeds) {
    return Error(ErrorCode::invalid,
                 fmt::format("at least {} runs are needed, there are {}", kMinSeeds, values.size()));
  }
  if (!std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); })) {
    return Error(ErrorCode::invalid, "the value of a run is not a finite number");
  }
  return {};
}

// Bootstrap samples of groups of runs: every combination where there are few, else random ones.
class Resamples {
 public:
  Resamples(std::vector<std::size_t> groups, std::uint64_t seed) : groups_(std::move(groups)), seed_(seed) {
    double all = 1;
    for (const std::size_t size : groups_) {
      all *= std::pow(static_cast<double>(size), static_cast<double>(size));
    }
    exact_ = all <= static_cast<double>(kMaxExactResamples);
    count_ = exact_ ? static_cast<std::uint64_t>(all) : kRandomReplicates;
  }

  std::uint64_t count() const { return count_; }

  // For each group, as many of its indices as it has members.
  void draw(std::uint64_t replicate, std::vector<std::vector<std::size_t>>& drawn) const {
    drawn.resize(groups_.size());
    std::uint64_t digits = replicate;
    std::uint64_t index = 0;
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      const std::uint64_t size = groups_[group];
      drawn[group].resize(size);
      for (std::size_t& member : drawn[group]) {
        member = exact_ ? digits % size : draw_below(size, seed_, replicate, index++);
        digits /= size;
      }
    }
  }

 private:
  std::vector<std::size_t> groups_;
  std::uint64_t seed_;
  bool exact_;
  std::uint64_t count_;
};

double quantile_of(std::vector<double>& values, double share) {
  const double place = std::ceil(share * static_cast<double>(values.size()) - 1e-9);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::max(place, 1.0)) - 1;
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

template <class Statistic>
Interval percentile_interval(const Resamples& resamples, double alpha, Statistic statistic) {
  PAWL_CHECK(alpha > 0 && alpha < 0.5);
  std::vector<double> values;
  std::vector<std::vector<std::size_t>> drawn;
  values.reserve(resamples.count());
  for (std::uint64_t replicate = 0; replicate < resamples.count(); ++replicate) {
    resamples.draw(replicate, drawn);
    values.push_back(statistic(drawn));
  }
  return {quantile_of(values, alpha), quantile_of(values, 1 - alpha)};
}

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double win(double a, double b) {
  return a > b ? 1 : a == b ? 0.5 : 0;
}

Interval mean_interval(std::span<const double> values, double alpha, std::uint64_t seed) {
  const auto size = static_cast<double>(values.size());
  return percentile_interval(Resamples({values.size()}, seed), alpha, [&](const auto& drawn) {
    double sum = 0;
    for (const std::size_t i : drawn[0]) sum += values[i];
    return sum / size;
  });
}

}  // namespace

Result<Outperformance> paired_outperformance(std::span<const double> a, std::span<const double> b,
                                             double alpha, std::uint64_t seed) {
  PAWL_CHECK(a.size() == b.size());
  PAWL_RETURN_IF_ERROR(check_runs(a));
  PAWL_RETURN_IF_ERROR(check_runs(b));
  std::vector<double> wins;
  for (std::size_t i = 0; i < a.size(); ++i) wins.push_back(win(a[i], b[i]));
  return Outperformance{mean_of(wins), mean_interval(wins, alpha, seed)};
}

Result<Outperformance> unpaired_outperformance(std::span<const double> a, std::span<const double> b,
                                               double alpha, std::uint64_t seed) {
  PAWL_RETURN_IF_ERROR(check_runs(a));
  PAWL_RETURN_IF_ERROR(check_runs(b));
  std::vector<double> wins;  // row by row: run i of A against run j of B
  for (const double x : a) {
    for (const double y : b) wins.push_back(win(x, y));
  }
  const auto pairs = static_cast<double>(wins.size());
  const Resamples resamples({a.size(), b.size()}, seed);
  return Outperformance{mean_of(wins), percentile_interval(resamples, alpha, [&](const auto& drawn) {
                          double sum = 0;
                          for (const std::size_t i : drawn[0]) {
                            for (const std::size_t j : drawn[1]) sum += wins[i * b.size() + j];
                          }
                          return sum / pairs;
                        })};
}

Result<Interval> bootstrap_mean_interval(std::span<const double> values, double alpha, std::uint64_t seed) {
  PAWL_RETURN_IF_ERROR(check_runs(values));
  return mean_interval(values, alpha, seed);
}

SeedEvidence weigh(const Interval& probability, double gamma) {
  PAWL_CHECK(gamma > 0.5 && gamma < 1);
  if (probability.low <= 0.5) return SeedEvidence::not_significant;
  return probability.high <= gamma ? SeedEvidence::not_meaningful : SeedEvidence::meaningful;
}

std::int64_t seeds_needed(double gamma, double alpha, double power) {
  PAWL_CHECK(gamma > 0.5 && gamma < 1 && alpha > 0 && alpha < 0.5 && power > 0 && power < 1);
  const double z = normal_quantile(power) - normal_quantile(alpha);
  return static_cast<std::int64_t>(std::min(1e15, std::ceil(z * z / (6 * (gamma - 0.5) * (gamma - 0.5)))));
}

}  // namespace pawl::gate
