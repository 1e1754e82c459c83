#include "engine/core/seed_means.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pawl::core {
namespace {

TEST(SeedMeans, RowsOfAStageWithSeedsBecomeOne) {
  const auto rows = with_seed_means({{"r", "evaluate@1", "accuracy", 0.8, "", 100},
                                     {"r", "evaluate@1", "loss", 1, "nats", 100},
                                     {"r", "evaluate@2", "accuracy", 0.9, "", 100},
                                     {"r", "evaluate@2", "loss", std::nan(""), "nats", 90},
                                     {"r", "evaluate@3", "accuracy", 0.7, "", 100},
                                     {"r", "other", "accuracy", 0.1, "", 5},
                                     {"r", "evaluate@baseline", "accuracy", 0.2, "", 5}});
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].stage, "evaluate");
  EXPECT_DOUBLE_EQ(rows[0].value, 0.8);
  EXPECT_EQ(rows[0].n, 100);
  EXPECT_TRUE(std::isnan(rows[1].value));
  EXPECT_EQ(rows[1].n, std::nullopt);
  EXPECT_EQ(rows[2].value, 0.1);
  EXPECT_EQ(rows[3].stage, "evaluate@baseline");
}

}  // namespace
}  // namespace pawl::core
