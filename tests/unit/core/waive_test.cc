#include "engine/core/waive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/files.h"
#include "engine/store/database.h"
#include "engine/store/results.h"
#include "engine/store/runs.h"
#include "pipelines/plan.h"

namespace pawl::core {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kNow = 1'795'867'200'000;  // 2026-11-28
constexpr int64_t kDayMs = 24 * 3600 * 1000;

class WaiveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto dir = TempDir::create("pawl-waive");
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
    auto db = store::open_record(dir_->path() + "/pawl.db");
    ASSERT_TRUE(db.ok()) << db.error().to_string();
    db_.emplace(std::move(*db));
    add_run("model", "AA");
  }

  void add_run(const std::string& project, const std::string& tail) {
    store::Run run;
    run.id = "01HZZZZZZZZZZZZZZZZZZZZZ" + tail;
    run.project = project;
    run.event_key = "manual:" + tail;
    run.trigger = "manual";
    run.branch = run.target = "main";
    run.commit_sha = "abcdef0123456789abcdef0123456789abcdef01";
    ASSERT_TRUE(store::insert_run(*db_, run).ok());
    ASSERT_TRUE(store::put_metric(*db_, {run.id, "train", "accuracy", 0.9, "", {}}).ok());
  }

  static NewWaiver asked() {
    NewWaiver out;
    out.metric = "accuracy";
    out.why = "new labels";
    out.who = "ada";
    out.expires = "14d";
    return out;
  }
  Result<store::Waiver> add(const NewWaiver& waiver) { return add_waiver(*db_, waiver, kNow); }
  std::string refusal(const NewWaiver& waiver) {
    auto added = add(waiver);
    return added.ok() ? "was added" : added.error().message();
  }

  std::optional<TempDir> dir_;
  std::optional<Db> db_;
};

TEST_F(WaiveTest, TheOnlyProjectIsMeant) {
  auto added = add(asked());
  ASSERT_TRUE(added.ok()) << added.error().to_string();
  EXPECT_EQ(added->project, "model");
  EXPECT_EQ(added->expires_ms, kNow + 14 * kDayMs);
  add_run("other", "BB");
  EXPECT_EQ(refusal(asked()),
            "for which project (--project, or `project` in the API)? There are model, other");
  NewWaiver named = asked();
  named.project = "othr";
  EXPECT_EQ(refusal(named), "there is no run of a project 'othr'; did you mean 'other'?");
}

TEST_F(WaiveTest, AnEndIsAsked) {
  NewWaiver w = asked();
  for (const char* no : {"", "0s", "91d", "14", "-3d"}) {
    w.expires = no;
    auto added = add(w);
    ASSERT_FALSE(added.ok()) << no;
    EXPECT_EQ(added.error().code(), ErrorCode::invalid) << no;
  }
  for (const char* no : {"91d", "400d", "0s", "two weeks"}) {
    w.expires = no;
    EXPECT_EQ(refusal(w),
              "'" + std::string(no) + "' is no lifetime of a waiver: write 12h or 14d, at most 90d");
  }
  w.expires = "90d";
  EXPECT_TRUE(add(w).ok());
}

TEST_F(WaiveTest, AReasonAndAnApproverAreAsked) {
  NewWaiver w = asked();
  w.why = " ";
  EXPECT_EQ(refusal(w),
            "say why: the reason (--why, or `why` in the API) goes on record, in one line of at most 500 "
            "characters");
  w = asked();
  w.why = "two\nlines";
  EXPECT_FALSE(add(w).ok());
  w = asked();
  w.who = "";
  EXPECT_FALSE(add(w).ok());
}

TEST_F(WaiveTest, MistypedNamesAreRefused) {
  NewWaiver w = asked();
  w.metric = "acuracy";
  EXPECT_EQ(refusal(w), "no run of model reported a metric 'acuracy'; did you mean 'accuracy'?");
  w = asked();
  w.check = "maxdrop";
  EXPECT_EQ(refusal(w),
            "'maxdrop' cannot be waived: a check is floor, ceiling, max_drop, paired, seeds or sustained");
  w = asked();
  w.rule = "dead_relu";
  EXPECT_FALSE(add(w).ok()) << "a metric or a rule, not both";
  w.metric.clear();
  w.rule = "dead_rellu";
  EXPECT_EQ(refusal(w), "there is no rule 'dead_rellu'; did you mean 'dead_relu'?");
  w = asked();
  w.commit = "abc";
  EXPECT_EQ(refusal(w), "'abc' is no commit: write at least 7 of its hexadecimal digits");
}

TEST_F(WaiveTest, WhatCanHaveNoEffectIsRefused) {
  NewWaiver w = asked();
  w.metric.clear();
  w.rule = "worse_than_green";
  EXPECT_THAT(refusal(w), HasSubstr("left nothing to judge"));
  w = asked();
  w.slice = "lang=de";
  w.check = "ceiling";
  EXPECT_EQ(refusal(w), "a slice has no 'ceiling': its checks are floor, max_drop and paired");
  w.check = "paired";
  EXPECT_TRUE(add(w).ok());
}

TEST_F(WaiveTest, ASliceIsAColumnWithAValueOrOneThatTheGateNames) {
  NewWaiver w = asked();
  for (const std::string no_slice : {"de", "=de", "lang="}) {
    w.slice = no_slice;
    EXPECT_EQ(refusal(w), "'" + no_slice +
                              "' is no slice of accuracy: write column=value (lang=de) or the name of "
                              "a slice");
  }
  pipeline::Plan plan;
  gate::MetricRule rule;
  rule.metric = "accuracy";
  rule.slices.emplace_back().by = "lang";
  rule.slices.emplace_back().name = "night";
  plan.gate.metrics = {rule};
  ASSERT_TRUE(store::set_run_plan(*db_, "01HZZZZZZZZZZZZZZZZZZZZZAA", pipeline::to_json(plan)).ok());
  w.slice = "de";
  EXPECT_THAT(refusal(w), HasSubstr("; the gate has lang=..., night"));
  for (const std::string slice : {"night", "lang=de", "label=3"}) {
    w.slice = slice;
    EXPECT_EQ(refusal(w), "was added");
  }
}

TEST_F(WaiveTest, EveryCheckOfAMetricCanBeNamed) {
  for (const std::string_view check : waivable_checks()) {
    NewWaiver w = asked();
    w.check = check;
    auto added = add(w);
    ASSERT_TRUE(added.ok()) << added.error().to_string();
    EXPECT_EQ(added->check, check);
  }
}

TEST_F(WaiveTest, TheGateSeesThoseOfTheRunNewestFirst) {
  NewWaiver rule = asked();
  rule.metric.clear();
  rule.rule = "dead_relu";
  rule.commit = "ABCDEF0";
  NewWaiver elsewhere = asked();
  elsewhere.branch = "feature";
  ASSERT_TRUE(add(asked()).ok() && add(rule).ok() && add(elsewhere).ok());
  store::Run run;
  run.project = "model";
  run.branch = "main";
  run.commit_sha = "abcdef0123456789abcdef0123456789abcdef01";
  auto found = waivers_for(*db_, run);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ(found->at(0).subject, "dead_relu");
  EXPECT_EQ(found->at(0).check, "finding");
  EXPECT_EQ(found->at(1).subject, "accuracy");
  EXPECT_EQ(found->at(1).check, "");
}

TEST_F(WaiveTest, EndsByTimeOrByRevocation) {
  const int64_t first = add(asked())->id;
  const int64_t second = add(asked())->id;
  EXPECT_EQ(revoke_waiver(*db_, first, "bob", "", kNow).error().code(), ErrorCode::invalid);
  EXPECT_EQ(revoke_waiver(*db_, 99, "bob", "fixed", kNow).error().code(), ErrorCode::not_found);
  auto revoked = revoke_waiver(*db_, first, "bob", "fixed", kNow + 1);
  ASSERT_TRUE(revoked.ok());
  EXPECT_EQ(waiver_state(*revoked, kNow + 2), "revoked");
  EXPECT_EQ(revoke_waiver(*db_, first, "eve", "again", kNow + 2).error().code(), ErrorCode::conflict);

  const auto ids = [&](bool all, int64_t now) {
    const auto list = waivers_json(*db_, "model", all, now);
    std::vector<int64_t> out;
    for (const Json& waiver : list->at("waivers")) out.push_back(waiver["id"]);
    return out;
  };
  EXPECT_EQ(ids(false, kNow), std::vector{second});
  EXPECT_EQ(ids(true, kNow), (std::vector{second, first}));
  EXPECT_TRUE(ids(false, kNow + 14 * kDayMs).empty()) << "the last moment is not a part of it";
}

}  // namespace
}  // namespace pawl::core
