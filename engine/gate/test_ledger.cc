#include "engine/gate/test_ledger.h"

#include <algorithm>

namespace pawl::gate {

TestBudget budget_after(const TestLedger& ledger, std::size_t uses) {
  PAWL_CHECK(uses <= ledger.uses.size());
  TestBudget budget;
  budget.terms = ledger.terms;
  for (std::size_t i = 0; i < uses; ++i) {
    budget = record_use(budget, ledger.uses[i].passed, ledger.uses[i].revealed);
  }
  return budget;
}

BudgetStanding standing_by_count(TestBudget budget) {
  budget.overexposed = false;
  return standing(budget);
}

std::optional<std::size_t> answered_before(const TestLedger& ledger, const TestUse& question) {
  const bool with_itself = question.baseline == question.model;
  const auto it = std::find_if(ledger.uses.begin(), ledger.uses.end(), [&](const TestUse& use) {
    return use.asked == question.asked && use.model == question.model &&
           (use.baseline == question.baseline || with_itself);
  });
  if (it == ledger.uses.end()) return std::nullopt;
  return static_cast<std::size_t>(it - ledger.uses.begin());
}

}  // namespace pawl::gate
