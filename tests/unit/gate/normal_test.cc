#include "engine/gate/normal.h"

#include "tests/unit/gate/numbers.h"

namespace pawl::gate {
namespace {

TEST(Normal, AgreesWithTables) {
  EXPECT_EQ(normal_cdf(0), .5);
  EXPECT_DIGITS(normal_quantile(.95), 1.644853627, 10);
  EXPECT_DIGITS(normal_quantile(.975), 1.959963985, 10);
  EXPECT_DIGITS(normal_cdf(-10), 7.619853024e-24, 10);
}

TEST(Normal, QuantileInvertsTheDistribution) {
  for (const double p : {1e-12, 1e-3, .2, .5, .999}) {
    EXPECT_NEAR(normal_cdf(normal_quantile(p)), p, 1e-12 * p);
  }
}

}  // namespace
}  // namespace pawl::gate
