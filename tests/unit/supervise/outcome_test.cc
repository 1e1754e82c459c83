#include "engine/supervise/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

namespace pawl::supervise {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

ObservedExit exited(int rank, int code, int64_t at_ms = 0, bool after_stop = false) {
  return {{rank, ExitStatus::exited(code)}, at_ms, after_stop};
}
ObservedExit killed(int rank, int signal, int64_t at_ms = 0, bool after_stop = false) {
  return {{rank, ExitStatus::killed(signal)}, at_ms, after_stop};
}

rules::Finding finding(rules::Action action) {
  rules::Finding finding;
  finding.rule = "exploding_tensor";
  finding.action = action;
  finding.severity = rules::severity_of(action);
  finding.first_step = 12;
  finding.rank = 1;
  finding.tensor = "fc1.weight";
  finding.kind = "gradient";
  finding.message = "it grew";
  return finding;
}

Story good() {
  Story story;
  story.exits = {exited(0, 0), exited(1, 0)};
  story.capture_asked = true;
  story.trace_seen = true;
  return story;
}

TEST(Conclude, AllRanksWell) {
  Conclusion conclusion = conclude(good());
  EXPECT_EQ(conclusion.outcome, Outcome::succeeded);
  EXPECT_EQ(conclusion.reason, "succeeded");
}

TEST(Conclude, AWarningIsNoFailure) {
  Story story = good();
  story.rules.findings = {finding(rules::Action::warn)};
  EXPECT_EQ(conclude(story).outcome, Outcome::succeeded);
}

TEST(Conclude, ARuleThatFailsTheStageIsNamed) {
  Story story = good();
  story.rules.findings = {finding(rules::Action::warn), finding(rules::Action::fail)};
  Conclusion conclusion = conclude(story);
  EXPECT_EQ(conclusion.outcome, Outcome::failed);
  EXPECT_EQ(conclusion.reason,
            "rule exploding_tensor fired at step 12 on rank 1, gradient fc1.weight: it grew");
}

TEST(Conclude, TheFirstFailureIsNamed) {
  Story story = good();
  story.cause = StopCause::rank_failed;
  story.exits = {exited(1, 3, 1000), killed(0, SIGTERM, 3000, true)};
  Conclusion conclusion = conclude(story);
  EXPECT_EQ(conclusion.outcome, Outcome::failed);
  EXPECT_EQ(conclusion.reason, "rank 1 ended with exit code 3");
  EXPECT_EQ(conclusion.first_failing_rank, 1);
}

TEST(Conclude, ACrashGoesBeforeThoseWhoFellOverIt) {
  Story story = good();
  story.cause = StopCause::rank_failed;
  story.exits = {exited(0, 1, 1000), killed(1, SIGSEGV, 1004)};
  Conclusion conclusion = conclude(story);
  EXPECT_EQ(conclusion.first_failing_rank, 1);
  EXPECT_THAT(conclusion.reason, StartsWith("rank 1 ended with signal 11"));
  EXPECT_THAT(conclusion.reason, HasSubstr("memory fault"));

  story.exits = {exited(0, 1, 1000), killed(1, SIGSEGV, 1500)};  // half a second later is another matter
  EXPECT_EQ(conclude(story).first_failing_rank, 0);
}

TEST(Conclude, AFailedRankAndARuleAreBothTold) {
  Story story = good();
  story.exits = {exited(0, 1)};
  story.rules.findings = {finding(rules::Action::stop)};
  Conclusion conclusion = conclude(story);
  EXPECT_EQ(conclusion.outcome, Outcome::failed);
  EXPECT_EQ(conclusion.reason,
            "rank 0 ended with exit code 1; rule exploding_tensor fired at step 12 on rank 1, gradient "
            "fc1.weight: it grew");
}

TEST(Conclude, TheCauseOfAStopStands) {
  Story story = good();
  story.exits = {killed(0, SIGTERM, 0, true), exited(1, 1, 0, true)};
  story.stop_reason = "because";
  for (auto [cause, outcome] : {std::pair{StopCause::rule, Outcome::stopped_by_rule},
                                std::pair{StopCause::timeout, Outcome::timed_out},
                                std::pair{StopCause::cancelled, Outcome::cancelled}}) {
    story.cause = cause;
    EXPECT_EQ(conclude(story).outcome, outcome);
    EXPECT_EQ(conclude(story).reason, "because");
    EXPECT_FALSE(conclude(story).first_failing_rank);
  }
}

TEST(Conclude, ARequiredRuleMustHaveBeenEvaluated) {
  Story story = good();
  story.rules.rules = {{"loss_divergence", rules::Outcome::not_evaluated, true, "no loss was recorded"}};
  EXPECT_EQ(conclude(story).outcome, Outcome::failed);
  EXPECT_EQ(conclude(story).reason, "required rule loss_divergence was not evaluated: no loss was recorded");

  story.trace_seen = false;
  EXPECT_EQ(conclude(story).reason,
            "required rule loss_divergence was not evaluated: the stage recorded no trace");

  story.rules.rules[0].required = false;
  EXPECT_EQ(conclude(story).outcome, Outcome::succeeded);
  EXPECT_EQ(conclude(story).reason, "succeeded; it recorded no trace, so no rule was evaluated");
}

TEST(Conclude, WhatCannotBeEndedIsAnError) {
  Story story = good();
  story.survivors = {"python3 (17)"};
  EXPECT_EQ(conclude(story).outcome, Outcome::error);
  EXPECT_EQ(conclude(story).reason, "processes could not be ended: python3 (17) (succeeded)");
}

TEST(DescribeFinding, NamesTheSeriesOnce) {
  rules::Finding finding;
  finding.rule = "non_finite";
  finding.first_step = 3;
  finding.rank = 1;
  finding.kind = finding.tensor = "loss";
  finding.message = "the loss is NaN";
  EXPECT_EQ(describe_finding(finding), "rule non_finite fired at step 3 on rank 1, loss: the loss is NaN");
  finding.tensor = "loss.1";
  EXPECT_EQ(describe_finding(finding), "rule non_finite fired at step 3 on rank 1, loss.1: the loss is NaN");
  finding.kind = "gradient";
  finding.tensor = "fc1.weight";
  finding.message = "NaN";
  EXPECT_EQ(describe_finding(finding), "rule non_finite fired at step 3 on rank 1, gradient fc1.weight: NaN");
  finding.tensor.clear();
  EXPECT_EQ(describe_finding(finding), "rule non_finite fired at step 3 on rank 1: NaN");
}

TEST(DescribeExit, SaysWhatItUsuallyMeans) {
  EXPECT_EQ(describe_exit(ExitStatus::exited(1)), "exit code 1");
  EXPECT_EQ(describe_exit(ExitStatus::exited(127)), "exit code 127: command not found");
  EXPECT_EQ(describe_exit(ExitStatus::killed(SIGKILL)), "signal 9 (Killed): often the kernel, out of memory");
  EXPECT_EQ(describe_exit(ExitStatus::exited(137)),
            "exit code 137, signal 9 (Killed): often the kernel, out of memory");
  EXPECT_EQ(describe_exit(ExitStatus::exited(200)), "exit code 200");
  EXPECT_THAT(describe_exit(ExitStatus::killed(SIGBUS)), HasSubstr("/dev/shm"));
}

}  // namespace
}  // namespace pawl::supervise
