// What one test set was asked so far: the ledger of test_budget.h with what each evaluation was about.
//
// An evaluation is a question: a condition, the predictions of a new model, those of the baseline. The same
// question has the same answer, so asking it again (a rerun that trained to the same model) tells nobody
// anything new and is no new use. Nor is asking of a model how it compares with itself, once it was judged:
// what it shares with the baseline is known to be equal, and the rest is what was answered before.
//
// Pure values and functions of any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "engine/gate/test_budget.h"

namespace pawl::gate {

struct TestUse {
  std::string asked;     // the condition and its mode
  std::string model;     // digest of the new model's predictions
  std::string baseline;  // of the old model's; empty: the condition is about the new one alone
  bool passed = false;
  Revealed revealed = Revealed::nothing;

  bool operator==(const TestUse&) const = default;
};

struct TestLedger {
  BudgetTerms terms;          // of the first evaluation
  std::vector<TestUse> uses;  // in the order in which they were recorded

  bool operator==(const TestLedger&) const = default;
};

// An evaluation that a verdict adds to the record.
struct NewTestUse {
  std::string testset;      // EvaluationVector::by_labels, or by_ids of one that lacked labels
  BudgetTerms terms;        // with which the ledger is opened when this is the first
  std::int64_t number = 1;  // counts from 1: one more than the ledger had when it was judged
  TestUse use;

  bool operator==(const NewTestUse&) const = default;
};

// After the first `uses` evaluations.
TestBudget budget_after(const TestLedger& ledger, std::size_t uses);

// The standing by the number of evaluations alone, as if none had revealed more than the terms allow.
BudgetStanding standing_by_count(TestBudget budget);

// The first evaluation with the answer to this question, as an index of ledger.uses. `passed` and `revealed`
// do not matter.
std::optional<std::size_t> answered_before(const TestLedger& ledger, const TestUse& question);

}  // namespace pawl::gate
