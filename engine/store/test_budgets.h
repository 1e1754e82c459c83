// How often each test set has answered a condition. Append-only: a test set is opened once, with terms that
// never change, and a use is never taken back. Words are those of engine/gate/test_budget.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/sqlite.h"

namespace pawl::store {

struct TestBudget {
  std::string project;
  std::string testset;  // digest
  std::string adaptivity;
  int64_t steps = 0;
  int64_t opened_ms = 0;
};

struct TestUse {
  // 1, 2, 3, ... of the test set, as far as the run that made it knew: runs of two machines may have the
  // same.
  int64_t number = 0;
  std::string run_id;
  std::string asked;
  std::string model;
  std::string baseline;
  bool passed = false;
  std::string revealed;  // nothing, bit, score
  int64_t at_ms = 0;
};

// Does nothing when the test set is open: the first terms hold.
Result<void> open_test_budget(Db& db, const TestBudget& budget);
// Error conflict when the number is taken, or the test set is not open.
Result<void> insert_test_use(Db& db, std::string_view project, std::string_view testset, const TestUse& use);
// A use that a run made elsewhere, with the terms it found: of several terms those of the earliest opening
// hold (of the same millisecond the fewest steps), whoever merges what.
Result<void> merge_test_use(Db& db, const TestBudget& budget, const TestUse& use);

Result<std::optional<TestBudget>> test_budget_of(Db& db, std::string_view project, std::string_view testset);
// Newest first; an empty project: all.
Result<std::vector<TestBudget>> test_budgets(Db& db, std::string_view project);
// By number, those of the same number by time: the same order wherever the same uses are on record.
Result<std::vector<TestUse>> test_uses_of(Db& db, std::string_view project, std::string_view testset);
Result<int64_t> count_test_uses(Db& db, std::string_view project, std::string_view testset);
// Those of one run, with the terms of their test sets.
Result<std::vector<std::pair<TestBudget, TestUse>>> test_uses_by(Db& db, std::string_view run_id);

}  // namespace pawl::store
