#include "engine/gate/test_budget.h"

#include <fmt/format.h>

#include <algorithm>

namespace pawl::gate {

std::string_view to_string(Adaptivity adaptivity) {
  switch (adaptivity) {
    case Adaptivity::none:
      return "none";
    case Adaptivity::full:
      return "full";
    case Adaptivity::first_change:
      return "first-change";
  }
  PAWL_CHECK(false);
}

std::string_view to_string(BudgetStanding standing) {
  switch (standing) {
    case BudgetStanding::open:
      return "open";
    case BudgetStanding::last:
      return "last";
    case BudgetStanding::retired:
      return "retired";
    case BudgetStanding::voided:
      return "voided";
  }
  PAWL_CHECK(false);
}

Revealed most_revealed(Adaptivity adaptivity) {
  return adaptivity == Adaptivity::none ? Revealed::nothing : Revealed::bit;
}

std::int64_t uses_left(const TestBudget& budget) {
  PAWL_CHECK(budget.terms.steps >= 1 && budget.uses >= 0);
  const bool changed = budget.terms.adaptivity == Adaptivity::first_change && budget.passed;
  if (changed || budget.overexposed) return 0;
  return std::max<std::int64_t>(budget.terms.steps - budget.uses, 0);
}

BudgetStanding standing(const TestBudget& budget) {
  if (budget.overexposed) return BudgetStanding::voided;
  switch (uses_left(budget)) {
    case 0:
      return BudgetStanding::retired;
    case 1:
      return BudgetStanding::last;
    default:
      return BudgetStanding::open;
  }
}

bool may_use(const TestBudget& budget) {
  return uses_left(budget) > 0;
}

TestBudget record_use(TestBudget budget, bool passed, Revealed revealed) {
  ++budget.uses;
  budget.passed = budget.passed || passed;
  budget.overexposed = budget.overexposed || revealed > most_revealed(budget.terms.adaptivity);
  return budget;
}

Result<void> check_terms(const TestBudget& budget, const BudgetTerms& asked) {
  if (asked == budget.terms) return {};
  return Error(ErrorCode::conflict,
               fmt::format("this test set was opened for {} evaluations with adaptivity {}, of which {} are "
                           "used; {} with adaptivity {} takes a new test set",
                           budget.terms.steps, to_string(budget.terms.adaptivity), budget.uses, asked.steps,
                           to_string(asked.adaptivity)));
}

}  // namespace pawl::gate
