#include "engine/store/test_budgets.h"

#include "record_fixture.h"

namespace pawl::store {
namespace {

class TestBudgetsTest : public RecordTest {
 protected:
  void SetUp() override {
    RecordTest::SetUp();
    run_ = add_run(make_run("AA")).id;
  }
  TestUse use(int64_t number, bool passed = false) const {
    return {number, run_, "n > 0.8 +/- 0.05 (fp-free)", "m", "b", passed, "score", 7};
  }
  std::string run_;
};

TEST_F(TestBudgetsTest, TheFirstTermsHold) {
  EXPECT_FALSE(*test_budget_of(db(), "model", "t"));
  ASSERT_TRUE(open_test_budget(db(), {"model", "t", "full", 3, 1}).ok());
  ASSERT_TRUE(open_test_budget(db(), {"model", "t", "none", 99, 2}).ok());
  const TestBudget budget = **test_budget_of(db(), "model", "t");
  EXPECT_EQ(budget.adaptivity, "full");
  EXPECT_EQ(budget.steps, 3);
  EXPECT_EQ(budget.opened_ms, 1);
}

TEST_F(TestBudgetsTest, UsesReadBackInOrder) {
  ASSERT_TRUE(open_test_budget(db(), {"model", "t", "full", 3, 1}).ok());
  ASSERT_TRUE(open_test_budget(db(), {"other", "t", "full", 3, 1}).ok());
  EXPECT_EQ(*count_test_uses(db(), "model", "t"), 0);
  ASSERT_TRUE(insert_test_use(db(), "model", "t", use(1)).ok());
  ASSERT_TRUE(insert_test_use(db(), "model", "t", use(2, true)).ok());
  const auto uses = *test_uses_of(db(), "model", "t");
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].number, 1);
  EXPECT_FALSE(uses[0].passed);
  EXPECT_TRUE(uses[1].passed);
  EXPECT_EQ(uses[1].run_id, run_);
  EXPECT_EQ(uses[1].asked, "n > 0.8 +/- 0.05 (fp-free)");
  EXPECT_EQ(uses[1].model, "m");
  EXPECT_EQ(uses[1].baseline, "b");
  EXPECT_EQ(uses[1].revealed, "score");
  EXPECT_EQ(uses[1].at_ms, 7);
  EXPECT_EQ(*count_test_uses(db(), "model", "t"), 2);
  EXPECT_TRUE(test_uses_of(db(), "other", "t")->empty());
}

TEST_F(TestBudgetsTest, AUseIsRecordedOnce) {
  ASSERT_TRUE(open_test_budget(db(), {"model", "t", "full", 3, 1}).ok());
  ASSERT_TRUE(insert_test_use(db(), "model", "t", use(1)).ok());
  EXPECT_EQ(insert_test_use(db(), "model", "t", use(1, true)).error().code(), ErrorCode::conflict);
  EXPECT_EQ(insert_test_use(db(), "model", "unopened", use(1)).error().code(), ErrorCode::conflict);
  EXPECT_EQ(test_uses_of(db(), "model", "t")->size(), 1u);
}

TEST_F(TestBudgetsTest, ListsTheNewestFirst) {
  for (const TestBudget& budget :
       {TestBudget{"model", "t", "full", 3, 1}, {"model", "u", "none", 5, 2}, {"other", "t", "full", 3, 3}}) {
    ASSERT_TRUE(open_test_budget(db(), budget).ok());
  }
  const auto all = *test_budgets(db(), "");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].project, "other");
  const auto mine = *test_budgets(db(), "model");
  ASSERT_EQ(mine.size(), 2u);
  EXPECT_EQ(mine[0].testset, "u");
}

}  // namespace
}  // namespace pawl::store
