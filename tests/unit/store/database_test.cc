#include "engine/store/database.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "engine/store/test_budgets.h"
#include "engine/store/verdicts.h"
#include "engine/store/waivers.h"
#include "record_fixture.h"

namespace pawl::store {
namespace {

using ::testing::ElementsAre;

TEST_F(RecordTest, AnEmptyFileIsMigratedToTheNewestSchema) {
  EXPECT_GE(schema_version(), 1);
  EXPECT_EQ(*db().query_int("PRAGMA user_version"), schema_version());
  EXPECT_EQ(*db().query_int("PRAGMA foreign_keys"), 1);
  EXPECT_EQ(*db().query_int("PRAGMA synchronous"), 2);  // FULL
  EXPECT_EQ(
      *db().query_int("SELECT count(*) FROM sqlite_schema WHERE name IN ('runs', 'deliveries', 'baselines')"),
      3);
  EXPECT_EQ(
      *db().query_int("SELECT count(*) FROM sqlite_schema WHERE type='table' AND sql NOT LIKE '%STRICT%'"),
      0);
}

TEST_F(RecordTest, OpeningAgainKeepsWhatIsThere) {
  add_run(make_run("AA"));
  db_.reset();
  auto again = open_record(path());
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  EXPECT_EQ(*again->query_int("SELECT count(*) FROM runs"), 1);
}

TEST_F(RecordTest, ANewerSchemaIsRefusedAndLeftAlone) {
  ASSERT_TRUE(db().exec(fmt::format("PRAGMA user_version={}", schema_version() + 1)).ok());
  db_.reset();
  for (bool reading : {false, true}) {
    auto refused = reading ? open_record_for_reading(path()) : open_record(path());
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::invalid);
    EXPECT_NE(refused.error().to_string().find("newer Pawl"), std::string::npos)
        << refused.error().to_string();
  }
  auto raw = Db::open(path(), Db::Access::read_only);
  ASSERT_TRUE(raw.ok());
  EXPECT_EQ(*raw->query_int("PRAGMA user_version"), schema_version() + 1);
}

// Rows from before pins held: the next green run had replaced a pin.
TEST_F(RecordTest, BaselinesOfTheFirstSchemaKeepTheirMeaning) {
  const std::string old = dir_->path() + "/old.db";
  {
    auto first = read_file(std::string(PAWL_MIGRATIONS_DIR) + "/0001_initial.sql", 1 << 20);
    ASSERT_TRUE(first.ok());
    auto raw = Db::open(old, Db::Access::create);
    ASSERT_TRUE(raw.ok() && raw->exec(*first).ok() && raw->exec("PRAGMA user_version=1").ok());
    for (const char* tail : {"AA", "AB"}) ASSERT_TRUE(insert_run(*raw, make_run(tail)).ok());
    const auto add = [&](const char* branch, const char* tail, const char* cause) {
      EXPECT_TRUE(raw->run("INSERT INTO baselines (project, branch, run_id, cause, who, why, created_ms)"
                           " VALUES ('model', ?, ?, ?, 'ada', 'why', 1)",
                           branch, make_run(tail).id, cause)
                      .ok());
    };
    add("replaced", "AA", "pin");
    add("replaced", "AB", "green");
    add("held", "AB", "green");
    add("held", "AA", "pin");
  }
  auto refused = open_record_for_reading(old);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::conflict);
  auto db = open_record(old);
  ASSERT_TRUE(db.ok()) << db.error().to_string();
  EXPECT_EQ((*current_baseline(*db, "model", "replaced"))->run_id, make_run("AB").id);
  EXPECT_EQ((*current_baseline(*db, "model", "held"))->run_id, make_run("AA").id);
  EXPECT_EQ(baseline_events(*db, "model", "replaced")->size(), 3u);
  EXPECT_EQ(baseline_events(*db, "model", "held")->size(), 2u);
}

// Rows from before runs of other machines were on record.
TEST_F(RecordTest, UsesAndEventsOfOneMachineKeepTheirOrder) {
  const std::string old = dir_->path() + "/old.db";
  {
    auto raw = Db::open(old, Db::Access::create);
    ASSERT_TRUE(raw.ok());
    for (const char* name : {"0001_initial", "0002_baselines", "0003_waivers", "0004_test_budget"}) {
      auto sql = read_file(fmt::format("{}/{}.sql", PAWL_MIGRATIONS_DIR, name), 1 << 20);
      ASSERT_TRUE(sql.ok() && raw->exec(*sql).ok()) << name;
    }
    ASSERT_TRUE(raw->exec("PRAGMA user_version=4").ok());
    const std::string run = make_run("AA").id;
    ASSERT_TRUE(insert_run(*raw, make_run("AA")).ok());
    ASSERT_TRUE(open_test_budget(*raw, {"model", "t", "full", 3, 1}).ok());
    for (int64_t number : {1, 2}) {
      TestUse use{number, run, "n > 0.8", "m", "b", false, "bit", 9 - number};
      ASSERT_TRUE(insert_test_use(*raw, "model", "t", use).ok());
      // The clock went back between them.
      ASSERT_TRUE(raw->run("INSERT INTO baselines (project, branch, run_id, cause, who, why, created_ms)"
                           " VALUES ('model', 'main', ?, ?, 'ada', '', ?)",
                           run, number == 1 ? "pin" : "unpin", 9 - number)
                      .ok());
    }
  }
  auto db = open_record(old);
  ASSERT_TRUE(db.ok()) << db.error().to_string();
  const auto uses = *test_uses_of(*db, "model", "t");
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].number, 1);
  EXPECT_EQ(*count_test_uses(*db, "model", "t"), 2);
  EXPECT_FALSE(*pinned_baseline(*db, "model", "main"));
  EXPECT_TRUE(find_run(*db, make_run("AA").id)->value().made_here());
}

// Rows from before the comparison of seeds could be waived.
TEST_F(RecordTest, WaiversOfAnOlderSchemaAreKeptAndCanNameMore) {
  const std::string old = dir_->path() + "/old.db";
  Waiver kept;
  kept.project = "model";
  kept.branch = "main";
  kept.commit_sha = "abcdef0";
  kept.subject = "accuracy";
  kept.slice = "lang=de";
  kept.check = "max_drop";
  kept.reason = "new labels";
  kept.approver = "ada";
  kept.created_ms = 1000;
  kept.expires_ms = 2000;
  Waiver seeds = kept;
  seeds.check = "seeds";
  {
    auto raw = Db::open(old, Db::Access::create);
    ASSERT_TRUE(raw.ok());
    for (const char* name : {"0001_initial", "0002_baselines", "0003_waivers", "0004_test_budget",
                             "0005_evaluations", "0006_record"}) {
      auto sql = read_file(fmt::format("{}/{}.sql", PAWL_MIGRATIONS_DIR, name), 1 << 20);
      ASSERT_TRUE(sql.ok() && raw->exec(*sql).ok()) << name;
    }
    ASSERT_TRUE(raw->exec("PRAGMA user_version=6").ok());
    EXPECT_FALSE(insert_waiver(*raw, seeds).ok());
    for (int64_t id : {1, 2, 3}) ASSERT_EQ(*insert_waiver(*raw, kept), id);
    ASSERT_TRUE(*revoke_waiver(*raw, 3, "bob", "fixed", 1500));
    ASSERT_TRUE(raw->exec("DELETE FROM waivers WHERE id=1").ok());  // so that ids are not positions
  }
  auto db = open_record(old);
  ASSERT_TRUE(db.ok()) << db.error().to_string();
  const auto waivers = *waivers_of(*db, "model");
  ASSERT_EQ(waivers.size(), 2u);
  const Waiver& w = waivers[1];
  EXPECT_THAT(
      (std::vector{w.project, w.branch, w.commit_sha, w.subject, w.slice, w.check, w.reason, w.approver}),
      ElementsAre("model", "main", "abcdef0", "accuracy", "lang=de", "max_drop", "new labels", "ada"));
  EXPECT_EQ((std::vector{w.id, w.created_ms, w.expires_ms}), (std::vector<int64_t>{2, 1000, 2000}));
  EXPECT_FALSE(w.revoked_ms);
  EXPECT_EQ(waivers[0].id, 3);
  EXPECT_EQ(waivers[0].revoked_ms, 1500);
  EXPECT_EQ(waivers[0].revoked_by + ": " + waivers[0].revoked_why, "bob: fixed");
  EXPECT_EQ(*insert_waiver(*db, seeds), 4);
  seeds.check = "anything";
  EXPECT_FALSE(insert_waiver(*db, seeds).ok());
  EXPECT_EQ(*db->query_int("SELECT count(*) FROM sqlite_schema WHERE name='waivers_project'"), 1);
}

TEST_F(RecordTest, AFileThatIsNoDatabaseIsAnError) {
  std::string other = dir_->path() + "/other.db";
  ASSERT_TRUE(write_file_atomic(other, std::string(8192, 'x')).ok());
  auto refused = open_record(other);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::invalid) << refused.error().to_string();
}

TEST_F(RecordTest, ReadersSeeCommitsAndCannotWrite) {
  auto reader = open_record_for_reading(path());
  ASSERT_TRUE(reader.ok()) << reader.error().to_string();
  add_run(make_run("AA"));
  EXPECT_EQ(*reader->query_int("SELECT count(*) FROM runs"), 1);
  auto written = reader->run("DELETE FROM runs");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code(), ErrorCode::denied);
}

TEST_F(RecordTest, AReaderOfAMissingFileMakesNone) {
  std::string missing = dir_->path() + "/missing.db";
  EXPECT_FALSE(open_record_for_reading(missing).ok());
  EXPECT_FALSE(path_exists(missing));
}

}  // namespace
}  // namespace pawl::store
