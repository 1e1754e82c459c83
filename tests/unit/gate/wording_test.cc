#include "engine/gate/wording.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pawl::gate {
namespace {

TEST(Wording, Numbers) {
  EXPECT_EQ(format_number(.874), "0.874");
  EXPECT_EQ(format_number(.81234), "0.8123");
  EXPECT_EQ(format_number(87.43), "87.43");
  EXPECT_EQ(format_number(12345.6), "12346");
  EXPECT_EQ(format_number(100), "100");
  EXPECT_EQ(format_number(1), "1");
  EXPECT_EQ(format_number(0), "0");
  EXPECT_EQ(format_number(-0.5), "-0.5");
  EXPECT_EQ(format_number(.00012), "0.00012");
  EXPECT_EQ(format_number(1.5e-7), "1.5e-07");
  EXPECT_EQ(format_number(3.25e12), "3.25e+12");
  EXPECT_EQ(format_number(.99999), "1");
  EXPECT_EQ(format_number(std::nan("")), "NaN");
  EXPECT_EQ(format_number(-INFINITY), "-Infinity");
}

TEST(Wording, OnePointIsNoPlural) {
  EXPECT_EQ(describe_points(.01), "1 point");
  EXPECT_EQ(describe_points(-.01), "-1 point");
  EXPECT_EQ(describe_points(.02), "2 points");
  EXPECT_EQ(describe_points(.0025), "0.25 points");
  EXPECT_EQ(describe_points(0), "0 points");
}

TEST(Wording, TwoNumbersThatDifferLookDifferent) {
  EXPECT_EQ(format_numbers(.99999, 1), (std::pair<std::string, std::string>("0.99999", "1")));
  EXPECT_EQ(format_numbers(.5, .5), (std::pair<std::string, std::string>("0.5", "0.5")));
  const auto close = format_numbers(.1, std::nextafter(.1, 1));
  EXPECT_NE(close.first, close.second);
}

TEST(Wording, Changes) {
  EXPECT_EQ(describe_change("loss", .3, .36), "loss rose from 0.3 to 0.36");
  EXPECT_EQ(describe_change("loss", .3, .3), "loss stayed at 0.3");
}

TEST(Wording, Differences) {
  EXPECT_EQ(describe_difference(-.062, {-.071, -.054}, .9, .02, Standing::worse),
            "-6.2 points, 90 % CI -7.1 to -5.4, surely worse than the margin of 2");
  EXPECT_EQ(describe_difference(-.002, {-.00547, .00044}, .9, .005, Standing::open),
            "-0.20 points, 90 % CI -0.55 to +0.04, not surely worse than the margin of 0.5");
  EXPECT_EQ(describe_difference(0, {-.001, .001}, .95, .01, Standing::within),
            "+0.00 points, 95 % CI -0.10 to +0.10, surely not worse than the margin of 1");
  EXPECT_EQ(describe_plain_difference(.031, {.02, .042}, .9, .01, Standing::worse),
            "+0.031, 90 % CI +0.02 to +0.042, surely worse than the margin of 0.01");
}

TEST(Wording, WhatMayBeChanceIsNotSure) {
  EXPECT_EQ(
      with_doubt("f1 fell (-6.2 points, surely worse than the margin of 0.5) against run 1", 4, .019, .076),
      "f1 fell (-6.2 points, worse than the margin of 0.5, but this may be chance among 4 tests: p = 0.019, "
      "0.076 corrected by Holm) against run 1");
  EXPECT_EQ(with_doubt("-6.2 points, surely worse than the margin of 2", 2, .04, .08),
            "-6.2 points, worse than the margin of 2, but this may be chance among 2 tests: p = 0.04, 0.08 "
            "corrected by Holm");
  EXPECT_EQ(
      with_doubt("worse in 90 % of the pairs", 2, .04, .08),
      "worse in 90 % of the pairs, but this may be chance among 2 tests: p = 0.04, 0.08 corrected by Holm");
}

TEST(Wording, TheIntervalSaysWhereADifferenceStandsToTheMargin) {
  EXPECT_EQ(standing_of({-.03, -.0201}, .02), Standing::worse);
  EXPECT_EQ(standing_of({-.03, -.02}, .02), Standing::open);
  EXPECT_EQ(standing_of({-.02, .01}, .02), Standing::open);
  EXPECT_EQ(standing_of({-.0199, .01}, .02), Standing::within);
}

TEST(Wording, Runs) {
  EXPECT_EQ(describe(BaselineRun{"01KEX4Q2ZBAAAAAAAAAAAAAAAA", 0, "3f2a91c0ffee", "main", 0}),
            "run 01KEX4Q2ZB of commit 3f2a91c (main)");
  EXPECT_EQ(describe(BaselineRun{"x", 7, "abc", "main", 0}), "run 7 of commit abc (main)");
  EXPECT_EQ(describe(BaselineRun{"x", 7, "abc", "main", 0, "pinned"}), "run 7 of commit abc (main, pinned)");
}

TEST(Wording, Findings) {
  EXPECT_EQ(describe(Finding{"hang", {}, 1, "", "silent for 60 s"}), "hang on rank 1: silent for 60 s");
  EXPECT_EQ(describe(Finding{"loss_divergence", 40, {}, "loss", ""}),
            "loss_divergence at step 40, tensor loss");
  EXPECT_EQ(describe(Finding{"hang", {}, {}, "", "could not be evaluated"}), "hang: could not be evaluated");
}

}  // namespace
}  // namespace pawl::gate
