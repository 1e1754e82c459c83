#include "engine/gate/bisection.h"

#include <gtest/gtest.h>

#include "engine/gate/predictions.h"

namespace pawl::gate {
namespace {

// Searches with the first bad commit at `first_bad`, where those of `broken` cannot be measured.
struct Search {
  std::vector<std::size_t> asked;
  std::vector<std::size_t> suspects;
};

Search search(std::size_t commits, std::size_t first_bad, const std::vector<std::size_t>& broken = {}) {
  Bisection bisection(commits);
  Search out;
  while (const auto next = bisection.next()) {
    out.asked.push_back(*next);
    EXPECT_LE(out.asked.size(), commits);
    if (std::find(broken.begin(), broken.end(), *next) != broken.end()) {
      bisection.skip(*next);
    } else if (*next >= first_bad) {
      bisection.mark_bad(*next);
    } else {
      bisection.mark_good(*next);
    }
  }
  out.suspects = bisection.suspects();
  return out;
}

TEST(Bisection, FindsEveryPlaceInLogarithmicallyManySteps) {
  for (std::size_t commits = 1; commits <= 40; ++commits) {
    for (std::size_t first_bad = 0; first_bad < commits; ++first_bad) {
      const Search found = search(commits, first_bad);
      EXPECT_EQ(found.suspects, std::vector{first_bad}) << commits;
      EXPECT_LE(found.asked.size(), Bisection(commits).steps_left());
    }
  }
  EXPECT_EQ(Bisection(1).steps_left(), 0u);
  EXPECT_EQ(Bisection(9).steps_left(), 4u);
}

TEST(Bisection, WhatCannotBeMeasuredStaysSuspect) {
  EXPECT_EQ(search(6, 3, {2}).suspects, (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(search(6, 3, {0, 1, 4}).suspects, (std::vector<std::size_t>{3}));
  EXPECT_EQ(search(4, 2, {0, 1, 2}).suspects, (std::vector<std::size_t>{0, 1, 2, 3}));
}

TEST(Bisection, AsksNothingTwice) {
  for (std::size_t broken = 0; broken < 8; ++broken) {
    auto asked = search(9, 5, {broken, broken + 1}).asked;
    std::sort(asked.begin(), asked.end());
    EXPECT_EQ(std::adjacent_find(asked.begin(), asked.end()), asked.end());
  }
}

// A model that is right on the first `right` of 1000 examples.
Evidence model(int right, const std::string& label = "1") {
  std::string text = "id,label,prediction\n";
  for (int i = 0; i < 1000; ++i)
    text += std::to_string(i) + "," + label + "," + (i < right ? label : "x") + "\n";
  Evidence out;
  out.vectors["predictions.csv"] = *parse_predictions_csv(text, "predictions.csv", {});
  out.metrics.push_back({"accuracy", right / 1000.0, std::nullopt, "", std::nullopt});
  return out;
}

MetricRule paired_rule() {
  MetricRule rule;
  rule.metric = "accuracy";
  rule.paired = PairedTest();
  return rule;
}

TEST(SideOfDrop, IsSureFarFromTheMiddle) {
  const Evidence good = model(900);
  const auto bad = side_of_drop(paired_rule(), model(800), good, 0.1);
  ASSERT_TRUE(bad.ok());
  EXPECT_TRUE(bad->bad && bad->sure);
  EXPECT_LT(*bad->p_value, 0.01);
  const auto fine = side_of_drop(paired_rule(), model(895), good, 0.1);
  EXPECT_TRUE(!fine->bad && fine->sure);
  EXPECT_LT(*fine->p_value, 0.01);
  const auto near = side_of_drop(paired_rule(), model(849), good, 0.1);
  EXPECT_TRUE(near->bad && !near->sure);
  EXPECT_GT(*near->p_value, 0.05);
}

TEST(SideOfDrop, WithoutAPairedTestTheNumberDecides) {
  MetricRule rule = paired_rule();
  rule.paired.reset();
  rule.direction = Direction::lower;
  Evidence good;
  good.metrics.push_back({"accuracy", 1.0, std::nullopt, "", std::nullopt});
  Evidence commit = good;
  commit.metrics.front().value = 1.6;
  const auto side = side_of_drop(rule, commit, good, 1.0);
  ASSERT_TRUE(side.ok());
  EXPECT_TRUE(side->bad);
  EXPECT_FALSE(side->p_value);
  commit.metrics.clear();
  EXPECT_EQ(side_of_drop(rule, commit, good, 1.0).error().code(), ErrorCode::invalid);
}

TEST(SideOfDrop, AnotherTestSetIsAConflict) {
  EXPECT_EQ(side_of_drop(paired_rule(), model(800), model(900, "2"), 0.1).error().code(),
            ErrorCode::conflict);
}

TEST(MeasureDrop, SaysWhetherItIsBeyondChance) {
  const auto drop = measure_drop(paired_rule(), model(850), model(900));
  ASSERT_TRUE(drop.ok());
  EXPECT_NEAR(drop->worse_by, 0.05, 1e-12);
  EXPECT_TRUE(drop->sure);
  EXPECT_FALSE(measure_drop(paired_rule(), model(899), model(900))->sure);
  EXPECT_FALSE(measure_drop(paired_rule(), model(950), model(900))->sure);
}

}  // namespace
}  // namespace pawl::gate
