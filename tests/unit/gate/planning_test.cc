// Oracles: closed forms evaluated independently (SciPy's normal distribution and root finder).
#include "engine/gate/planning.h"

#include "engine/gate/paired.h"
#include "tests/unit/gate/numbers.h"

namespace pawl::gate {
namespace {

TEST(FalseRedRate, OfANaiveDropRule) {
  EXPECT_DIGITS(false_red_rate(1000, .05, .001), .44, 2);
  EXPECT_DIGITS(false_red_rate(1000, .05, .005), .24, 2);
  EXPECT_DIGITS(false_red_rate(1000, .05, .01), .079, 2);
  EXPECT_DIGITS(false_red_rate(1000, .05, .02), .0023, 2);
  EXPECT_DIGITS(false_red_rate(10'000, .05, .001), .33, 2);
  EXPECT_DIGITS(false_red_rate(10'000, .05, .002), .19, 2);
  EXPECT_DIGITS(false_red_rate(10'000, .05, .005), .013, 2);
  EXPECT_DIGITS(false_red_rate(10'000, .05, .01), 4e-6, 1);
}

TEST(FalseRedRate, WithoutToleranceIsACoinFlip) {
  EXPECT_EQ(false_red_rate(10'000, .1, 0), .5);
}

TEST(DetectableDrop, SolvesConnorsEquation) {
  for (const auto& it : fixture("planning")) {
    const auto drop = detectable_drop(it.at("n"), it.at("discordance"), it.at("alpha"), it.at("power"));
    ASSERT_TRUE(drop.has_value());
    EXPECT_SAME(*drop, it.at("drop"));
  }
}

TEST(DetectableDrop, IsTheInverseOfExamplesNeeded) {
  for (const std::int64_t n : {4, 10, 50, 1000, 54'321, 10'000'000}) {
    for (const double discordance : {.0001, .05, .3, 1.0}) {
      for (const double power : {.5, .8, .99}) {
        const auto drop = detectable_drop(n, discordance, .05, power);
        ASSERT_TRUE(drop.has_value());
        EXPECT_LE(examples_needed(discordance, std::min(1.0, *drop * (1 + 1e-12)), .05, power), n);
        EXPECT_GT(examples_needed(discordance, *drop * (1 - 1e-6), .05, power), n)
            << n << ' ' << discordance << ' ' << power;
      }
    }
  }
}

TEST(DetectableDrop, NoneWhenNothingCouldBeShown) {
  EXPECT_EQ(detectable_drop(2, .05, .05, .8), std::nullopt);
  EXPECT_TRUE(detectable_drop(3, .05, .05, .8).has_value());
}

TEST(ExamplesNeededUnpaired, NinetyAgainstEightyNine) {
  EXPECT_EQ(examples_needed_unpaired(.90, .89, .05, .8), 11'620);
  EXPECT_EQ(examples_needed_unpaired(.89, .90, .05, .8), 11'620);
}

TEST(SeedDeviation, InPoints) {
  EXPECT_DIGITS(100 * seed_deviation(.1, 10'000), .22, 2);
  EXPECT_DIGITS(100 * seed_deviation(.05, 10'000), .16, 2);
  EXPECT_DIGITS(100 * seed_deviation(.1, 1000), .71, 2);
}

}  // namespace
}  // namespace pawl::gate
