#include "engine/core/merge_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "engine/core/find_baseline.h"
#include "engine/core/test_ledgers.h"
#include "engine/record/directory_store.h"
#include "engine/store/database.h"
#include "tests/unit/record/samples.h"
#include "tests/unit/trigger/git_fixture.h"

namespace pawl::core {
namespace {

using record::Entry;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

class MergeRecord : public trigger::GitTest {
 protected:
  // A home's record, each call another.
  Db open(const std::string& name) {
    auto db = store::open_record(dir_->path() + "/" + name + ".db");
    EXPECT_TRUE(db.ok()) << db.error().to_string();
    return std::move(*db);
  }
  static std::vector<std::string> import(Db& db, const std::vector<Entry>& entries,
                                         const trigger::Repository* repository = nullptr) {
    auto imported = import_entries(db, "model", entries, repository);
    EXPECT_TRUE(imported.ok()) << imported.error().to_string();
    return imported.ok() ? *imported : std::vector<std::string>{};
  }
  static std::string refused(Db& db, const std::vector<Entry>& entries) {
    auto imported = import_entries(db, "model", entries, nullptr);
    EXPECT_FALSE(imported.ok());
    return imported.ok() ? "" : imported.error().to_string();
  }
  static std::vector<std::string> names(Db& db) { return *entry_names(db, "model"); }
  // Everything about the events that is to be the same everywhere.
  static std::vector<std::string> events(Db& db) {
    std::vector<std::string> out;
    const auto rows = store::baseline_events(db, "model", "main");
    for (const store::Baseline& event : *rows) out.push_back(event.cause + " " + event.run_id.substr(24));
    return out;
  }
};

TEST_F(MergeRecord, AnEntryGoesThroughTheRecordUnchanged) {
  Db db = open("a");
  const std::vector<Entry> entries = {record::sample_revocation(), record::sample_waiver(),
                                      record::sample_pin(), record::sample_run()};
  EXPECT_EQ(import(db, entries).size(), 1u);
  EXPECT_EQ(names(db).size(), 4u);
  for (const Entry& entry : entries) {
    auto made = make_entry(db, "model", record::name_of(entry), "here");
    ASSERT_TRUE(made.ok()) << made.error().to_string();
    EXPECT_EQ(record::write_entry(*made), record::write_entry(entry));
  }
}

TEST_F(MergeRecord, WhatIsKnownIsNotRecordedAgain) {
  Db db = open("a");
  const std::vector<Entry> entries = {record::sample_run(), record::sample_pin(), record::sample_waiver(),
                                      record::sample_revocation()};
  import(db, entries);
  EXPECT_TRUE(import(db, entries).empty());
  EXPECT_EQ(names(db).size(), 4u);
  EXPECT_EQ(store::baseline_events(db, "model", "main")->size(), 2u);
  EXPECT_EQ(store::test_uses_of(db, "model", "t")->size(), 1u);
}

TEST_F(MergeRecord, AllOrNothing) {
  Db db = open("a");
  record::PinEntry pin = record::sample_pin(50);
  EXPECT_THAT(refused(db, {record::sample_run(), pin}), HasSubstr("names run " + record::sample_id(50)));
  EXPECT_TRUE(names(db).empty());
  EXPECT_THAT(refused(db, {record::sample_revocation()}), HasSubstr("not on record"));
  record::RunEntry other = record::sample_run();
  other.run.project = "other";
  EXPECT_THAT(refused(db, {other}), HasSubstr("another project"));
  record::RunEntry twice = record::sample_run();
  twice.stages.push_back(twice.stages[0]);  // as no engine would write it
  EXPECT_THAT(refused(db, {record::sample_run(2), twice}), HasSubstr("run-" + record::sample_id(1)));
  EXPECT_TRUE(names(db).empty());
}

// Two machines, and a third that gets what they made in any order.
TEST_F(MergeRecord, TheOrderOfMergingDoesNotMatter) {
  // Both made a run while they knew run 1; then somebody who knew both pinned one.
  record::RunEntry first = record::sample_run(1), second = record::sample_run(2),
                   third = record::sample_run(3);
  second.green->position = third.green->position = 2;
  second.uses[0].second.number = third.uses[0].second.number = 2;
  third.green->created_ms = second.green->created_ms - 500;  // a clock that is behind
  third.uses[0].second.at_ms = second.uses[0].second.at_ms - 500;
  third.uses[0].first = {"model", "t", "none", 9, 1400};  // and opened the test set in its own way, earlier
  record::PinEntry pin = record::sample_pin(2);
  pin.event.position = 3;
  pin.event.created_ms = 5;  // a clock that stands at 1970
  std::vector<Entry> entries = {first, second, third, pin};
  std::vector<std::string> all;
  for (const Entry& entry : entries) all.push_back(record::name_of(entry));
  std::vector<int> order = {0, 1, 2, 3};
  int home = 0;
  do {
    const auto at = [&](int entry) { return std::find(order.begin(), order.end(), entry); };
    if (at(1) > at(3)) continue;  // a pin without its run
    Db db = open(std::to_string(home++));
    for (int entry : order) import(db, {entries[static_cast<std::size_t>(entry)]});
    EXPECT_THAT(events(db), ElementsAre("green 01", "green 03", "green 02", "pin 02"));
    EXPECT_EQ((*store::pinned_baseline(db, "model", "main"))->run_id, record::sample_id(2));
    const auto ledger = **load_ledger(db, "model", "t");
    EXPECT_EQ(ledger.uses.size(), 3u);
    EXPECT_EQ(ledger.terms, (gate::BudgetTerms{gate::Adaptivity::none, 9}));
    EXPECT_EQ(*store::count_test_uses(db, "model", "t"), 3);
    EXPECT_THAT(names(db), UnorderedElementsAreArray(all));
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(home, 12);
}

TEST_F(MergeRecord, AnEventComesAfterAllThatItsAuthorKnew) {
  Db db = open("a");
  import(db, {record::sample_run(1), record::sample_pin(1)});
  ASSERT_TRUE(
      store::insert_baseline(db, {0, "model", "main", record::sample_id(1), "unpin", "bob", "", 1}).ok());
  EXPECT_THAT(events(db), ElementsAre("green 01", "pin 01", "unpin 01"));
  EXPECT_FALSE(*store::pinned_baseline(db, "model", "main"));
}

TEST_F(MergeRecord, OfTwoGreenRunsTheOneOfTheLaterCommitIsTheBaseline) {
  const std::string older = commit("older"), newer = commit("newer");
  record::RunEntry a = record::sample_run(1), b = record::sample_run(2);
  a.run.commit_sha = newer;
  b.run.commit_sha = older;
  a.green->position = b.green->position = 1;  // neither knew the other
  const trigger::Repository git = repository();
  int home = 0;
  for (const std::vector<Entry>& order : {std::vector<Entry>{a, b}, {b, a}}) {
    Db one_by_one = open(std::to_string(home++)), at_once = open(std::to_string(home++));
    for (const Entry& entry : order) import(one_by_one, {entry}, &git);
    import(at_once, order, &git);
    for (Db* db : {&one_by_one, &at_once})
      EXPECT_EQ((*store::current_baseline(*db, "model", "main"))->run_id, a.run.id);
  }
}

TEST_F(MergeRecord, TheEarliestRevocationHolds) {
  record::RevocationEntry early = record::sample_revocation(), late = early;
  late.at_ms += 100;
  late.who = "eve";
  int home = 0;
  for (const std::vector<Entry>& order : {std::vector<Entry>{early, late}, {late, early}}) {
    Db db = open(std::to_string(home++));
    import(db, {record::sample_waiver()});
    for (const Entry& entry : order) import(db, {entry});
    const auto waivers = *store::waivers_of(db, "model");
    ASSERT_EQ(waivers.size(), 1u);
    EXPECT_EQ(waivers[0].revoked_by, "bob");
  }
}

TEST_F(MergeRecord, PushAndPullAreAUnion) {
  const std::string folder = dir_->path() + "/elsewhere";
  ASSERT_TRUE(make_dirs(folder).ok());
  record::DirectoryStore there(folder);
  ASSERT_TRUE(there.open().ok());
  const store::Cas cas(dir_->path() + "/cas");
  Db a = open("a"), b = open("b");
  import(a, {record::sample_run(1), record::sample_run(2), record::sample_pin(1)});
  import(b, {record::sample_run(2), record::sample_run(3), record::sample_waiver()});
  EXPECT_EQ(push_record(a, cas, there, "model", "a")->entries, 3u);
  EXPECT_EQ(push_record(b, cas, there, "model", "b")->entries, 2u);
  EXPECT_EQ(pull_record(a, there, "model", nullptr)->entries, 2u);
  EXPECT_EQ(pull_record(b, there, "model", nullptr)->entries, 2u);
  EXPECT_THAT(names(a), UnorderedElementsAreArray(names(b)));
  EXPECT_EQ(names(a).size(), 5u);
  for (Db* db : {&a, &b}) {
    EXPECT_EQ(push_record(*db, cas, there, "model", "again")->entries, 0u);
    EXPECT_EQ(pull_record(*db, there, "model", nullptr)->entries, 0u);
  }
}

}  // namespace
}  // namespace pawl::core
