#include "engine/gate/test_ledger.h"

#include <gtest/gtest.h>

namespace pawl::gate {
namespace {

constexpr BudgetTerms kThree{Adaptivity::full, 3};

TestUse use(std::string model, std::string baseline = "", bool passed = false) {
  return {"asked", std::move(model), std::move(baseline), passed, Revealed::score};
}

TEST(TestLedger, FoldsTheUsesUpToAPoint) {
  const TestLedger ledger{kThree, {use("a"), use("b", "", true), use("c")}};
  EXPECT_EQ(budget_after(ledger, 0), (TestBudget{kThree, 0, false, false}));
  EXPECT_EQ(budget_after(ledger, 1), (TestBudget{kThree, 1, false, true}));
  EXPECT_EQ(budget_after(ledger, 3), (TestBudget{kThree, 3, true, true}));
}

TEST(TestLedger, CountsWhateverWasRevealed) {
  const TestLedger ledger{kThree, {use("a"), use("b"), use("c")}};
  EXPECT_EQ(standing(budget_after(ledger, 1)), BudgetStanding::voided);
  EXPECT_EQ(standing_by_count(budget_after(ledger, 1)), BudgetStanding::open);
  EXPECT_EQ(standing_by_count(budget_after(ledger, 2)), BudgetStanding::last);
  EXPECT_EQ(standing_by_count(budget_after(ledger, 3)), BudgetStanding::retired);
}

TEST(TestLedger, TheSameQuestionHasOneAnswer) {
  const TestLedger ledger{kThree, {use("x", "o"), use("a", "o"), use("a", "p")}};
  EXPECT_EQ(answered_before(ledger, use("a", "o", true)), 1u);
  EXPECT_EQ(answered_before(ledger, use("a", "p")), 2u);
  EXPECT_EQ(answered_before(ledger, use("a", "q")), std::nullopt);
  EXPECT_EQ(answered_before(ledger, use("b", "o")), std::nullopt);
  TestUse other = use("a", "o");
  other.asked = "something else";
  EXPECT_EQ(answered_before(ledger, other), std::nullopt);
}

TEST(TestLedger, AModelThatBecameTheBaselineIsNotJudgedAnew) {
  const TestLedger ledger{kThree, {use("a", "o")}};
  EXPECT_EQ(answered_before(ledger, use("a", "a")), 0u);
  EXPECT_EQ(answered_before(ledger, use("b", "b")), std::nullopt);
}

}  // namespace
}  // namespace pawl::gate
