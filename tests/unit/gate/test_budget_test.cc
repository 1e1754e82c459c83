#include "engine/gate/test_budget.h"

#include <gtest/gtest.h>

namespace pawl::gate {
namespace {

TestBudget open_budget(Adaptivity adaptivity, std::int64_t steps) {
  TestBudget budget;
  budget.terms = {adaptivity, steps};
  return budget;
}

TEST(TestBudget, FullLastsForItsStepsWhateverTheAnswers) {
  TestBudget budget = open_budget(Adaptivity::full, 3);
  EXPECT_EQ(standing(budget), BudgetStanding::open);
  budget = record_use(budget, true, Revealed::bit);
  EXPECT_EQ(uses_left(budget), 2);
  budget = record_use(budget, false, Revealed::bit);
  EXPECT_EQ(standing(budget), BudgetStanding::last);
  EXPECT_TRUE(may_use(budget));
  budget = record_use(budget, true, Revealed::bit);
  EXPECT_EQ(standing(budget), BudgetStanding::retired);
  EXPECT_FALSE(may_use(budget));
}

TEST(TestBudget, UsesBeyondTheBudgetAreCountedAndBuyNothing) {
  TestBudget budget = open_budget(Adaptivity::full, 1);
  for (int i = 0; i < 3; ++i) budget = record_use(budget, false, Revealed::bit);
  EXPECT_EQ(budget.uses, 3);
  EXPECT_EQ(uses_left(budget), 0);
  EXPECT_EQ(standing(budget), BudgetStanding::retired);
}

TEST(TestBudget, FirstPassRetires) {
  TestBudget budget = open_budget(Adaptivity::first_change, 5);
  budget = record_use(budget, false, Revealed::bit);
  EXPECT_EQ(standing(budget), BudgetStanding::open);
  budget = record_use(budget, true, Revealed::bit);
  EXPECT_EQ(standing(budget), BudgetStanding::retired);
  // A later failure does not bring the test set back.
  EXPECT_EQ(standing(record_use(budget, false, Revealed::bit)), BudgetStanding::retired);
}

TEST(TestBudget, FirstChangeEndsWithItsStepsToo) {
  TestBudget budget = open_budget(Adaptivity::first_change, 2);
  budget = record_use(budget, false, Revealed::bit);
  EXPECT_EQ(standing(budget), BudgetStanding::last);
  EXPECT_EQ(standing(record_use(budget, false, Revealed::bit)), BudgetStanding::retired);
}

TEST(TestBudget, NoneKeepsItsAnswersFromTheDevelopers) {
  const TestBudget budget = open_budget(Adaptivity::none, 3);
  EXPECT_EQ(standing(record_use(budget, true, Revealed::nothing)), BudgetStanding::open);
  EXPECT_EQ(standing(record_use(budget, true, Revealed::bit)), BudgetStanding::voided);
}

TEST(TestBudget, ScoreVoidsForGood) {
  for (Adaptivity adaptivity : {Adaptivity::none, Adaptivity::full, Adaptivity::first_change}) {
    TestBudget budget = record_use(open_budget(adaptivity, 9), false, Revealed::score);
    EXPECT_EQ(standing(budget), BudgetStanding::voided);
    EXPECT_EQ(uses_left(budget), 0);
    budget = record_use(budget, false, Revealed::nothing);
    EXPECT_EQ(standing(budget), BudgetStanding::voided);
  }
}

TEST(TestBudget, TermsHoldUntilThereIsANewTestSet) {
  const TestBudget budget = record_use(open_budget(Adaptivity::full, 32), false, Revealed::bit);
  EXPECT_TRUE(check_terms(budget, {Adaptivity::full, 32}).ok());
  for (const BudgetTerms& asked : {BudgetTerms{Adaptivity::full, 1000}, BudgetTerms{Adaptivity::none, 32}}) {
    const auto checked = check_terms(budget, asked);
    ASSERT_FALSE(checked.ok());
    EXPECT_EQ(checked.error().code(), ErrorCode::conflict);
    EXPECT_NE(checked.error().message().find("opened for 32 evaluations"), std::string::npos);
  }
}

}  // namespace
}  // namespace pawl::gate
