// An empty record in a folder of its own, and rows to put in it.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "engine/base/files.h"
#include "engine/store/database.h"
#include "engine/store/runs.h"

namespace pawl::store {

class RecordTest : public ::testing::Test {
 protected:
  using Run = store::Run;  // not Test::Run

  void SetUp() override {
    auto dir = TempDir::create("pawl-store");
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
    auto db = open_record(path());
    ASSERT_TRUE(db.ok()) << db.error().to_string();
    db_.emplace(std::move(*db));
  }

  std::string path() const { return dir_->path() + "/pawl.db"; }
  Db& db() { return *db_; }

  // A run whose id and event key end in `tail`.
  static Run make_run(const std::string& tail, const std::string& branch = "main") {
    Run run;
    run.id = "01HZZZZZZZZZZZZZZZZZZZZZ" + tail;
    run.project = "model";
    run.event_key = "delivery:" + tail;
    run.trigger = "push";
    run.branch = branch;
    run.target = "main";
    run.commit_sha = "abcdef0123456789abcdef0123456789abcdef01";
    run.created_ms = 1000;
    return run;
  }
  // Stored; the number is filled in.
  Run add_run(Run run) {
    auto number = insert_run(db(), run);
    EXPECT_TRUE(number.ok()) << number.error().to_string();
    run.number = number.ok() ? *number : 0;
    return run;
  }

  std::optional<TempDir> dir_;
  std::optional<Db> db_;
};

}  // namespace pawl::store
