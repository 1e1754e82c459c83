#include "engine/gate/waivers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/gate/verdict.h"
#include "engine/gate/verdict_json.h"
#include "nlohmann/json.hpp"

namespace pawl::gate {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::int64_t kDayMs = 24 * 3600 * 1000;
constexpr std::int64_t kNow = 1'795'867'200'000;  // 2026-11-28

Waiver waiver(std::string subject, std::string check = "") {
  return {.id = 3,
          .subject = std::move(subject),
          .slice = "",
          .check = std::move(check),
          .approver = "ada",
          .reason = "new labels",
          .expires_unix_ms = kNow + 3 * kDayMs,
          .revoked_unix_ms = {}};
}

Reason reason(Check check, Status status) {
  Reason out;
  out.check = check;
  out.status = status;
  out.subject = "accuracy";
  out.sentence = "accuracy fell";
  return out;
}

Reason applied(Reason on, std::vector<Waiver> waivers) {
  std::vector<Reason> reasons = {std::move(on)};
  apply_waivers(reasons, waivers, kNow);
  return reasons.at(0);
}

bool untouched(const Reason& reason) {
  return reason.status == Status::fail && reason.sentence == "accuracy fell" && !reason.waiver;
}

Inputs inputs(double accuracy, double baseline) {
  Inputs in;
  in.evidence.metrics = {{"accuracy", accuracy, {}, "", {}}};
  in.target_branch = "main";
  in.baseline = Baseline{
      .run = {"01KEX4Q2ZBAAAAAAAAAAAAAAAA", 1, "3f2a91c0ffee", "main", 1},
      .evidence = {.metrics = {{"accuracy", baseline, {}, "", {}}}, .vectors = {}, .unreadable = {}}};
  in.now_unix_ms = kNow;
  return in;
}

Policy max_drop(double allowed) {
  MetricRule rule;
  rule.metric = "accuracy";
  rule.max_drop = allowed;
  return {.bootstrap = false, .metrics = {rule}, .conditions = {}, .stage = {}};
}

TEST(Waivers, AValidOneCoversTheCheckAndSaysWhoUntilWhenAndWhy) {
  for (const Check check :
       {Check::floor, Check::ceiling, Check::max_drop, Check::paired, Check::seeds, Check::sustained}) {
    for (const Status status : {Status::fail, Status::inconclusive}) {
      const Reason out = applied(reason(check, status), {waiver("accuracy")});
      EXPECT_EQ(out.status, Status::waived) << to_string(check);
      EXPECT_EQ(out.waiver, 3);
      EXPECT_EQ(out.sentence, "accuracy fell; waived until 2026-12-01 by ada (waiver 3: new labels)");
      const Waiver named = waiver("accuracy", std::string(to_string(check)));
      EXPECT_EQ(applied(reason(check, status), {named}).status, Status::waived) << to_string(check);
    }
  }
}

TEST(Waivers, WhatIsMissingBrokenOrNotComparableIsNeverWaived) {
  for (const Check check : {Check::output, Check::metric, Check::baseline, Check::slices, Check::stage}) {
    for (const Status status : {Status::no_baseline, Status::error, Status::fail}) {
      const Reason out = applied(reason(check, status), {waiver("accuracy"), waiver("accuracy", "finding")});
      EXPECT_EQ(out.status, status) << to_string(check);
      EXPECT_EQ(out.sentence, "accuracy fell");
    }
  }
  EXPECT_EQ(applied(reason(Check::paired, Status::error), {waiver("accuracy")}).status, Status::error);
  EXPECT_EQ(applied(reason(Check::floor, Status::pass), {waiver("accuracy")}).sentence, "accuracy fell");
}

TEST(Waivers, TheScopeIsExact) {
  const Reason drop = reason(Check::max_drop, Status::fail);
  EXPECT_EQ(applied(drop, {waiver("accuracy", "max_drop")}).status, Status::waived);
  EXPECT_TRUE(untouched(applied(drop, {waiver("accuracy", "paired")})));
  EXPECT_TRUE(untouched(applied(drop, {waiver("f1")})));
  EXPECT_TRUE(untouched(applied(drop, {waiver("accuracy", "finding")})));

  Waiver german = waiver("accuracy");
  german.slice = "lang=de";
  EXPECT_TRUE(untouched(applied(drop, {german}))) << "the whole is not the slice";
  Reason slice = drop;
  slice.slice = "lang=de";
  EXPECT_EQ(applied(slice, {german}).status, Status::waived);
  EXPECT_TRUE(untouched(applied(slice, {waiver("accuracy")}))) << "nor the slice the whole";
}

TEST(Waivers, OneThatEndedLeavesItRedAndSaysSo) {
  Waiver old = waiver("accuracy");
  old.expires_unix_ms = kNow;
  Reason out = applied(reason(Check::max_drop, Status::fail), {old});
  EXPECT_EQ(out.status, Status::fail);
  EXPECT_EQ(out.sentence, "accuracy fell; waiver 3 expired on 2026-11-28");
  EXPECT_EQ(out.waiver, 3);

  old = waiver("accuracy");
  old.revoked_unix_ms = kNow - kDayMs;
  out = applied(reason(Check::max_drop, Status::fail), {old});
  EXPECT_EQ(out.status, Status::fail);
  EXPECT_EQ(out.sentence, "accuracy fell; waiver 3 was revoked on 2026-11-27");

  Waiver again = waiver("accuracy");
  again.id = 4;
  EXPECT_EQ(applied(reason(Check::max_drop, Status::fail), {old, again}).waiver, 4);
}

TEST(WaivedVerdict, PassesAndTheHeadlineSaysBy) {
  Inputs in = inputs(.8, .9);
  EXPECT_EQ(judge(max_drop(.02), in).kind, VerdictKind::fail);
  EXPECT_FALSE(is_waived(judge(max_drop(.02), in)));
  in.waivers = {waiver("accuracy")};
  const Verdict verdict = judge(max_drop(.02), in);
  EXPECT_EQ(verdict.kind, VerdictKind::pass);
  EXPECT_EQ(exit_code(verdict.kind), 0);
  EXPECT_TRUE(is_waived(verdict));
  EXPECT_THAT(verdict.headline, StartsWith("waived: accuracy fell from 0.9 to 0.8"));
  EXPECT_THAT(verdict.headline, EndsWith("; waived until 2026-12-01 by ada (waiver 3: new labels)"));
  EXPECT_FALSE(is_waived(judge(max_drop(.2), in))) << "a waiver that nothing needed";
}

TEST(WaivedVerdict, OtherReasonsStayRed) {
  Inputs in = inputs(.8, .9);
  in.waivers = {waiver("accuracy", "max_drop")};
  Policy policy = max_drop(.02);
  policy.metrics[0].floor = .85;
  const Verdict verdict = judge(policy, in);
  EXPECT_EQ(verdict.kind, VerdictKind::fail);
  EXPECT_EQ(verdict.headline, "accuracy 0.8 is below the floor 0.85");
}

TEST(WaivedVerdict, ReadsBackFromJson) {
  Inputs in = inputs(.8, .9);
  in.waivers = {waiver("accuracy")};
  const Verdict verdict = judge(max_drop(.02), in);
  const Json json = to_json(verdict);
  EXPECT_EQ(json["reasons"][0]["status"], "waived");
  EXPECT_EQ(json["reasons"][0]["waiver"], 3);
  const auto back = verdict_from_json(json.dump());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->reasons.at(0).status, Status::waived);
  EXPECT_EQ(back->reasons.at(0).waiver, 3);
  EXPECT_TRUE(is_waived(*back));
}

// Rules that fired.

Inputs fired(double accuracy, double baseline) {
  Inputs in = inputs(accuracy, baseline);
  in.findings = {{"dead_relu", 340, 0, "relu1", "all zero", "train"}};
  in.stages = {
      {.stage = "train", .message = "rule dead_relu fired", .infrastructure = false, .only_rules = true}};
  return in;
}

TEST(WaivedRule, AStageThatOnlyRulesFailedIsJudged) {
  Inputs in = fired(.9, .9);
  EXPECT_EQ(judge(max_drop(.02), in).kind, VerdictKind::fail);
  in.waivers = {waiver("dead_relu", "finding")};
  const Verdict verdict = judge(max_drop(.02), in);
  EXPECT_EQ(verdict.kind, VerdictKind::pass);
  EXPECT_THAT(verdict.headline, StartsWith("waived: dead_relu at step 340"));
  EXPECT_THAT(verdict.headline, Not(HasSubstr("also waived")));
  EXPECT_EQ(verdict.reasons.at(2).status, Status::pass) << "the metric was compared";

  in = fired(.8, .9);
  in.waivers = {waiver("dead_relu", "finding")};
  EXPECT_EQ(judge(max_drop(.02), in).kind, VerdictKind::fail) << "and is no better for the waiver";
}

TEST(WaivedRule, AFailedStageIsNot) {
  Inputs in = fired(.9, .9);
  in.waivers = {waiver("dead_relu", "finding")};
  in.stages[0].only_rules = false;
  const Verdict verdict = judge(max_drop(.02), in);
  EXPECT_EQ(verdict.kind, VerdictKind::fail);
  EXPECT_THAT(verdict.headline, EndsWith("; its rules are waived, but what it left cannot be judged"));
  EXPECT_EQ(verdict.reasons.at(2).sentence, "accuracy was not judged: stage train did not succeed");
}

TEST(WaivedRule, EveryRuleOfTheStageHasToBeWaived) {
  Inputs in = fired(.9, .9);
  in.findings.push_back({"hang", 12, 1, "", "silent", "train"});
  in.waivers = {waiver("dead_relu", "finding")};
  EXPECT_EQ(judge(max_drop(.02), in).kind, VerdictKind::fail);
  in.waivers.push_back(waiver("hang", "finding"));
  EXPECT_EQ(judge(max_drop(.02), in).kind, VerdictKind::pass);
  in.stages.push_back({.stage = "evaluate", .message = "what it needs did not succeed"});
  EXPECT_EQ(judge(max_drop(.02), in).kind, VerdictKind::fail);
}

TEST(WaivedRule, ARequiredRuleThatSawNothingIsNot) {
  Inputs in = fired(.9, .9);
  in.findings[0].step.reset();
  in.waivers = {waiver("dead_relu", "finding")};
  EXPECT_EQ(judge(max_drop(.02), in).kind, VerdictKind::fail);
}

}  // namespace
}  // namespace pawl::gate
