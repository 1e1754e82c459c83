#include "engine/core/test_ledgers.h"

#include <gtest/gtest.h>

#include <optional>

#include "engine/base/files.h"
#include "engine/store/database.h"
#include "engine/store/runs.h"

namespace pawl::core {
namespace {

constexpr const char* kRun = "01HZZZZZZZZZZZZZZZZZZZZZAA";

gate::NewTestUse use(const std::string& testset, int64_t number, const std::string& model = "m") {
  return {testset,
          {gate::Adaptivity::first_change, 3},
          number,
          {"n > 0.8 +/- 0.05 (fp-free)", model, "b", true, gate::Revealed::score}};
}

class TestLedgers : public ::testing::Test {
 protected:
  void SetUp() override {
    auto dir = TempDir::create("pawl-ledgers");
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
    auto db = store::open_record(dir_->path() + "/pawl.db");
    ASSERT_TRUE(db.ok()) << db.error().to_string();
    db_.emplace(std::move(*db));
    store::Run run;
    run.id = kRun;
    run.project = "model";
    run.event_key = "k";
    run.trigger = "push";
    run.branch = run.target = "main";
    run.commit_sha = "abc";
    ASSERT_TRUE(store::insert_run(*db_, run).ok());
  }
  bool record(const std::vector<gate::NewTestUse>& uses) {
    return record_uses(*db_, "model", kRun, uses, 5).ok();
  }

  std::optional<TempDir> dir_;
  std::optional<Db> db_;
};

TEST_F(TestLedgers, ReadBackAsRecorded) {
  EXPECT_FALSE(*load_ledger(*db_, "model", "t"));
  ASSERT_TRUE(record({use("t", 1), use("t", 2, "other")}));
  const auto ledger = *load_ledger(*db_, "model", "t");
  ASSERT_TRUE(ledger);
  EXPECT_EQ(ledger->terms, (gate::BudgetTerms{gate::Adaptivity::first_change, 3}));
  ASSERT_EQ(ledger->uses.size(), 2u);
  EXPECT_EQ(ledger->uses[0], use("t", 1).use);
  EXPECT_EQ(ledger->uses[1], use("t", 2, "other").use);
  EXPECT_FALSE(*load_ledger(*db_, "another project", "t"));
}

TEST_F(TestLedgers, AreGivenToTheGateForWhatItsConditionsRead) {
  ASSERT_TRUE(record({use("t", 1), use("unread", 1)}));
  gate::Policy policy;
  policy.conditions.emplace_back();
  gate::Inputs inputs;
  inputs.evidence.vectors["predictions.csv"].by_labels = "t";
  inputs.evidence.vectors["other.csv"].by_labels = "unread";
  ASSERT_TRUE(add_ledgers(*db_, "model", policy, inputs).ok());
  EXPECT_EQ(inputs.ledgers.size(), 1u);
  EXPECT_EQ(inputs.ledgers.at("t").uses.size(), 1u);
}

// Two runs were judged with the same ledger: the second to finish has to be judged again.
TEST_F(TestLedgers, NoticeThatAnotherRunCameFirst) {
  EXPECT_TRUE(*still_next(*db_, "model", {}));
  const std::vector<gate::NewTestUse> one = {use("t", 1)};
  const std::vector<gate::NewTestUse> other = {use("u", 1), use("t", 1, "other"), use("t", 2)};
  EXPECT_TRUE(*still_next(*db_, "model", one));
  EXPECT_TRUE(*still_next(*db_, "model", other));
  ASSERT_TRUE(record(one));
  EXPECT_FALSE(*still_next(*db_, "model", one));
  EXPECT_FALSE(*still_next(*db_, "model", other));
  EXPECT_TRUE(*still_next(*db_, "model", {use("t", 2)}));
  EXPECT_FALSE(record(one));
}

}  // namespace
}  // namespace pawl::core
