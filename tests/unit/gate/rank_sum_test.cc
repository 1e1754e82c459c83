#include "engine/gate/rank_sum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace pawl::gate {
namespace {

using Values = std::vector<double>;

TEST(RankSum, CountsTheDivisions) {
  EXPECT_DOUBLE_EQ(rank_sum_p_greater(Values{4, 5, 6}, Values{1, 2, 3}), 1.0 / 20);
  EXPECT_DOUBLE_EQ(rank_sum_p_greater(Values{1, 2, 3}, Values{4, 5, 6}), 1);
  EXPECT_DOUBLE_EQ(rank_sum_p_greater(Values{2}, Values{1, 3}), 2.0 / 3);
  EXPECT_DOUBLE_EQ(rank_sum_p_greater(Values{1, 1}, Values{1, 1, 1}), 1);
}

// R's example of wilcox.test (Hollander & Wolfe 1973, page 69), which gives W = 35, p-value = 0.1272.
TEST(RankSum, AgreesWithR) {
  const Values permeability = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
  const Values later = {1.15, 0.88, 0.90, 0.74, 1.21};
  EXPECT_NEAR(rank_sum_p_greater(permeability, later), 0.1272, 5e-5);
}

// Every division of the values into samples of these sizes, one by one.
double enumerated(const Values& a, const Values& b) {
  Values all = a;
  all.insert(all.end(), b.begin(), b.end());
  const auto wins = [&](const std::vector<bool>& in_a) {
    double sum = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      for (size_t j = 0; j < all.size(); ++j) {
        if (in_a[i] && !in_a[j]) sum += all[i] > all[j] ? 1 : all[i] == all[j] ? 0.5 : 0;
      }
    }
    return sum;
  };
  std::vector<bool> picked(all.size(), false);
  std::fill(picked.begin(), picked.begin() + static_cast<std::ptrdiff_t>(a.size()), true);
  const double observed = wins(picked);
  double extreme = 0;
  double count = 0;
  std::sort(picked.begin(), picked.end());
  do {
    extreme += wins(picked) >= observed ? 1 : 0;
    ++count;
  } while (std::next_permutation(picked.begin(), picked.end()));
  return extreme / count;
}

TEST(RankSum, TiesShareTheirRanks) {
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 50; ++trial) {
    Values a(1 + random() % 5);
    Values b(1 + random() % 5);
    for (double& value : a) value = static_cast<double>(random() % 4);
    for (double& value : b) value = static_cast<double>(random() % 4);
    EXPECT_NEAR(rank_sum_p_greater(a, b), enumerated(a, b), 1e-12);
  }
}

TEST(RankSum, ManyValues) {
  Values a(50);
  Values b(50);
  for (size_t i = 0; i < 50; ++i) {
    a[i] = 2 * static_cast<double>(i);
    b[i] = a[i] + 1;
  }
  // By symmetry the two p-values add up to 1 and the share of the observed sum.
  const double greater = rank_sum_p_greater(a, b);
  EXPECT_GT(greater, 0.5);
  EXPECT_LT(greater, 0.7);
}

}  // namespace
}  // namespace pawl::gate
