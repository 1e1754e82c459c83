// Oracles: R's wilcox.test on the depression data of Hollander & Wolfe, SciPy, and all patterns of signs
// counted by numpy where there are ties.
#include "engine/gate/wilcoxon.h"

#include <limits>

#include "tests/unit/gate/numbers.h"

namespace pawl::gate {
namespace {

TEST(Wilcoxon, AgreesWithR) {
  const double before[] = {1.83, .50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};
  const double after[] = {.878, .647, .598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};
  std::vector<double> differences;
  for (std::size_t i = 0; i < 9; ++i) differences.push_back(before[i] - after[i]);
  const SignedRank result = wilcoxon_signed_rank(differences).value();
  EXPECT_EQ(result.n, 9u);
  EXPECT_EQ(result.v, 40);
  EXPECT_DOUBLE_EQ(result.greater, .01953125);
  EXPECT_DOUBLE_EQ(result.two_sided, .0390625);
}

TEST(Wilcoxon, AgreesWithSciPy) {
  for (const auto& it : fixture("wilcoxon")) {
    const SignedRank result = wilcoxon_signed_rank(doubles(it.at("values"))).value();
    EXPECT_EQ(result.n, it.at("n").get<std::size_t>());
    EXPECT_EQ(result.v, it.at("v").get<double>());
    EXPECT_SAME(result.greater, it.at("greater"));
    EXPECT_SAME(result.less, it.at("less"));
  }
}

TEST(Wilcoxon, MirrorsWithTheSigns) {
  const SignedRank one = wilcoxon_signed_rank(std::vector<double>{1, -2, 3, 4, 4, 0}).value();
  const SignedRank other = wilcoxon_signed_rank(std::vector<double>{-1, 2, -3, -4, -4, 0}).value();
  EXPECT_EQ(one.greater, other.less);
  EXPECT_EQ(one.less, other.greater);
  EXPECT_EQ(one.two_sided, other.two_sided);
}

TEST(Wilcoxon, NoDifferencesAreNoEvidence) {
  for (const auto& differences : {std::vector<double>{}, std::vector<double>(5, 0.0)}) {
    const SignedRank result = wilcoxon_signed_rank(differences).value();
    EXPECT_EQ(result.n, 0u);
    EXPECT_EQ(result.greater, 1);
    EXPECT_EQ(result.two_sided, 1);
  }
}

TEST(Wilcoxon, RefusesNan) {
  const std::vector<double> differences{1, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_EQ(wilcoxon_signed_rank(differences).error().code(), ErrorCode::invalid);
}

}  // namespace
}  // namespace pawl::gate
