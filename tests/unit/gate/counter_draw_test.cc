#include "engine/gate/counter_draw.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace pawl::gate {
namespace {

TEST(CounterDraw, EveryPartOfTheAddressMatters) {
  constexpr std::uint64_t kBound = 0xffffffff;
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed : {0, 1, 2}) {
    for (std::uint64_t replicate = 0; replicate < 30; ++replicate) {
      for (std::uint64_t index = 0; index < 30; ++index) {
        seen.insert(draw_below(kBound, seed, replicate, index));
      }
    }
  }
  EXPECT_EQ(seen.size(), 3u * 30 * 30);
}

TEST(CounterDraw, IsUniformBelowTheBound) {
  for (const std::uint64_t bound : {2, 7}) {
    std::array<int, 7> counts{};
    for (std::uint64_t i = 0; i < 10'000 * bound; ++i) ++counts.at(draw_below(bound, 1, i / 7, i % 7));
    for (std::uint64_t value = 0; value < bound; ++value) {
      EXPECT_NEAR(counts.at(value), 10'000, 5 * 100);  // five standard deviations
    }
  }
}

}  // namespace
}  // namespace pawl::gate
