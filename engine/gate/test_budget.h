// How often one test set may decide before its answers stop meaning anything.
//
// Whoever sees whether a model passed can fit the next model to the test set, so a test set is bought for a
// number of evaluations and then replaced (ease.ml/ci, Renggli et al., MLSys 2019, section 3). The union
// bound that pays for it is in sample_size.h; this is the ledger.
//
// The ledger of a test set is a row of the record under the test set's digest (NewTestUse::testset). It is
// opened by the first evaluation on that digest, with the terms of that moment, and only record_use() changes
// it: no edit of a file gives uses back or buys more, only a new test set does. Writing the row and revealing
// the answer are one transaction, the row first: a crash between them costs a use and leaks nothing.
//
// What was asked before, and how the gate uses this: test_ledger.h, condition_judge.h.
//
// Pure values and functions of any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/base/error.h"

namespace pawl::gate {

// What developers learn of an evaluation, and with it what the next commit can depend on.
enum class Adaptivity {
  none,          // nothing: the answers go to somebody else
  full,          // pass or fail, of every evaluation
  first_change,  // pass or fail, and the first pass retires the test set
};

std::string_view to_string(Adaptivity adaptivity);  // "none", "full", "first-change"

struct BudgetTerms {
  Adaptivity adaptivity = Adaptivity::full;
  std::int64_t steps = 1;  // evaluations the test set was sized for, 1 or more

  bool operator==(const BudgetTerms&) const = default;
};

// What left the gate about an evaluation, least first. A score is anything finer than pass or fail: an
// estimate, a p-value, a count, which clause failed, predictions or labels.
enum class Revealed { nothing, bit, score };

// The most that may be revealed without voiding the budget.
Revealed most_revealed(Adaptivity adaptivity);

struct TestBudget {
  BudgetTerms terms;
  std::int64_t uses = 0;     // evaluations so far, 0 or more
  bool passed = false;       // one of them
  bool overexposed = false;  // more than most_revealed() was revealed of one of them

  bool operator==(const TestBudget&) const = default;
};

enum class BudgetStanding {
  open,     // the next evaluation is covered, and not the last
  last,     // the next evaluation is covered, and no other after it
  retired,  // used up: the next evaluation proves nothing. The test set may be handed to the developers
  voided,   // overexposed: neither the next evaluation nor those after the exposure prove anything
};

std::string_view to_string(BudgetStanding standing);  // "open", "last", "retired", "voided"

// Of the next evaluation. In first-change every covered evaluation is the last if it passes.
BudgetStanding standing(const TestBudget& budget);

// The next evaluation is covered. When the use just recorded made it false, that is the alarm: time for a new
// test set.
bool may_use(const TestBudget& budget);

// Covered evaluations left, at most: in first-change a pass ends them early.
std::int64_t uses_left(const TestBudget& budget);

// The ledger after an evaluation. One beyond the budget is counted too: whether it is refused or only warned
// about is the caller's policy.
TestBudget record_use(TestBudget budget, bool passed, Revealed revealed);

// Error `conflict` when the pipeline now asks for other terms than the ledger was opened with; the message
// says which hold. The ledger's hold until there is a new test set.
Result<void> check_terms(const TestBudget& budget, const BudgetTerms& asked);

}  // namespace pawl::gate
