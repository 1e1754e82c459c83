// Oracles: the data of Benjamini & Hochberg 1995, and numpy from the definitions.
#include "engine/gate/multiplicity.h"

#include "tests/unit/gate/numbers.h"

namespace pawl::gate {
namespace {

void expect_all_near(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-15) << i;
}

TEST(Multiplicity, FiveEvenlySpaced) {
  const std::vector<double> p{.01, .02, .03, .04, .05};
  expect_all_near(holm_adjusted(p), {.05, .08, .09, .09, .09});
  expect_all_near(benjamini_hochberg_adjusted(p), {.05, .05, .05, .05, .05});
}

TEST(Multiplicity, DataOfThePaper) {
  const std::vector<double> p{.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344,
                              .0459, .324,  .4262, .5719, .6528, .759,  1};
  const auto holm = holm_adjusted(p);
  const auto bh = benjamini_hochberg_adjusted(p);
  const auto at_most = [](double q) { return q <= .05; };
  EXPECT_EQ(std::count_if(holm.begin(), holm.end(), at_most), 3);
  EXPECT_EQ(std::count_if(bh.begin(), bh.end(), at_most), 4);
  EXPECT_DIGITS(holm[3], .114, 3);
  EXPECT_DIGITS(bh[3], .035625, 5);
  const auto rejected = holm_reject(p, .05);
  EXPECT_EQ(std::count(rejected.begin(), rejected.end(), true), 3);
}

TEST(Multiplicity, AgreesWithTheDefinitions) {
  for (const auto& it : fixture("multiplicity")) {
    const auto p = doubles(it.at("p"));
    expect_all_near(holm_adjusted(p), doubles(it.at("holm")));
    expect_all_near(benjamini_hochberg_adjusted(p), doubles(it.at("bh")));
  }
}

TEST(Multiplicity, KeepsTheOrderOfTheInput) {
  const std::vector<double> p{.04, .001, .03};
  expect_all_near(holm_adjusted(p), {.06, .003, .06});
  expect_all_near(benjamini_hochberg_adjusted(p), {.04, .003, .04});
  EXPECT_EQ(holm_reject(p, .05), (std::vector<bool>{false, true, false}));
  EXPECT_EQ(holm_reject(p, .06), (std::vector<bool>{true, true, true}));
}

TEST(Multiplicity, NothingAndOneTest) {
  EXPECT_TRUE(holm_adjusted({}).empty());
  EXPECT_TRUE(benjamini_hochberg_adjusted({}).empty());
  const std::vector<double> one{.3};
  EXPECT_EQ(holm_adjusted(one), one);
  EXPECT_EQ(benjamini_hochberg_adjusted(one), one);
}

}  // namespace
}  // namespace pawl::gate
