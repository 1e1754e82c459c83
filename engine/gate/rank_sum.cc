#include "engine/gate/rank_sum.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/base/error.h"

namespace pawl::gate {
namespace {

// Twice the rank of each value, so that shared ranks are whole too.
std::vector<std::size_t> doubled_ranks(const std::vector<double>& values) {
  std::vector<std::size_t> ranks;
  for (const double value : values) {
    const auto below =
        std::count_if(values.begin(), values.end(), [&](double other) { return other < value; });
    const auto equal = std::count(values.begin(), values.end(), value);
    ranks.push_back(static_cast<std::size_t>(2 * below + equal + 1));
  }
  return ranks;
}

}  // namespace

double rank_sum_p_greater(std::span<const double> a, std::span<const double> b) {
  PAWL_CHECK(!a.empty() && !b.empty() && a.size() + b.size() <= kMaxRankSumValues);
  std::vector<double> values(a.begin(), a.end());
  values.insert(values.end(), b.begin(), b.end());
  PAWL_CHECK(std::none_of(values.begin(), values.end(), [](double value) { return std::isnan(value); }));
  const std::vector<std::size_t> ranks = doubled_ranks(values);
  std::size_t observed = 0;
  std::size_t most = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    most += ranks[i];
    if (i < a.size()) observed += ranks[i];
  }
  // In how many ways k of the values have the rank sum s (Streitberg and Röhmel, 1986). Counts of up to 100
  // values stay below 1e30.
  const std::size_t size = a.size();
  std::vector<std::vector<double>> ways(size + 1, std::vector<double>(most + 1, 0));
  ways[0][0] = 1;
  for (const std::size_t rank : ranks) {
    for (std::size_t k = size; k-- > 0;) {
      for (std::size_t s = most - rank + 1; s-- > 0;) ways[k + 1][s + rank] += ways[k][s];
    }
  }
  double extreme = 0;
  double all = 0;
  for (std::size_t s = 0; s <= most; ++s) {
    all += ways[size][s];
    if (s >= observed) extreme += ways[size][s];
  }
  return extreme / all;
}

}  // namespace pawl::gate
