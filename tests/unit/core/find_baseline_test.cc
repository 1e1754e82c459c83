#include "engine/core/find_baseline.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/core/unpin.h"
#include "engine/store/database.h"
#include "engine/store/results.h"
#include "engine/store/verdicts.h"
#include "tests/unit/trigger/git_fixture.h"

namespace pawl::core {
namespace {

using ::testing::HasSubstr;

// A record beside a repository.
class FindBaseline : public trigger::GitTest {
 protected:
  void SetUp() override {
    GitTest::SetUp();
    auto db = store::open_record(dir_->path() + "/pawl.db");
    ASSERT_TRUE(db.ok()) << db.error().to_string();
    db_.emplace(std::move(*db));
    gate::MetricRule rule;
    rule.metric = "accuracy";
    rule.max_drop = 0.01;
    policy_.metrics = {rule};
  }

  store::Run add_run(const std::string& commit, const std::string& branch = "main") {
    store::Run run;
    run.id = fmt::format("01HZZZZZZZZZZZZZZZZZZZZZ{:02}", ++runs_);
    run.project = "model";
    run.event_key = run.id;
    run.trigger = "push";
    run.branch = branch;
    run.target = "main";
    run.commit_sha = commit;
    auto number = store::insert_run(*db_, run);
    EXPECT_TRUE(number.ok()) << number.error().to_string();
    run.number = number.ok() ? *number : 0;
    return run;
  }

  // Records an event about the run, after it was placed as the engine does it.
  void add_event(const store::Run& run, const std::string& cause = "green") {
    auto placed = place_green_run(*db_, repository(), run);
    ASSERT_TRUE(placed.ok()) << placed.error().to_string();
    store::Baseline event{0, "model", "main", run.id, cause, "ada", "why", 1};
    if (cause == "green") event.newer_run = placed->newer_run;
    ASSERT_TRUE(store::insert_baseline(*db_, event).ok());
  }

  Result<ComparedWith> find(const store::Run& run) {
    const store::Cas cas(dir_->path() + "/cas");
    const trigger::Repository git = repository();
    return find_baseline({*db_, cas, git, run, policy_, candidate_});
  }
  // Its number and note; 0 when there is none.
  std::pair<int64_t, std::string> found(const store::Run& run) {
    auto compared = find(run);
    EXPECT_TRUE(compared.ok()) << compared.error().to_string();
    if (!compared.ok() || !compared->baseline) return {0, ""};
    return {compared->baseline->run.number, compared->baseline->run.note};
  }
  int64_t latest() { return (*store::latest_green(*db_, "model", "main"))->run_number; }

  std::optional<Db> db_;
  gate::Policy policy_;
  gate::Evidence candidate_;
  int runs_ = 0;
};

using Found = std::pair<int64_t, std::string>;

TEST_F(FindBaseline, GreenRunsThatFinishInAnyOrder) {
  const std::string a = commit("a"), b = commit("b"), c = commit("c");
  const store::Run first = add_run(a), second = add_run(b), third = add_run(c);
  for (const store::Run& run : {first, third, second}) add_event(run);
  EXPECT_EQ(latest(), third.number);
  EXPECT_EQ(found(add_run(commit("d"))), Found(third.number, ""));
  EXPECT_EQ(found(add_run(b)), Found(second.number, "")) << "the commit's own run";
}

TEST_F(FindBaseline, OfOneCommitTheLaterRunIsTheBaseline) {
  const std::string a = commit("a");
  const store::Run older = add_run(a), newer = add_run(a);
  add_event(newer);
  add_event(older);
  EXPECT_EQ(latest(), newer.number);
  EXPECT_EQ(found(add_run(a)), Found(newer.number, ""));
}

TEST_F(FindBaseline, APlacementIsOfTheRowThatWasSeen) {
  const std::string a = commit("a"), b = commit("b");
  const store::Run older = add_run(a), newer = add_run(b);
  EXPECT_EQ(place_green_run(*db_, repository(), older)->seen, 0);
  add_event(newer);
  const Placement again = *place_green_run(*db_, repository(), older);
  EXPECT_EQ(again.seen, (*store::latest_green(*db_, "model", "main"))->id);
  EXPECT_EQ(again.newer_run, newer.id);
  EXPECT_FALSE(place_green_run(*db_, repository(), add_run(commit("c")))->newer_run);
}

TEST_F(FindBaseline, WhatTheBranchNoLongerHasGivesWay) {
  const std::string a = commit("a"), b = commit("b");
  const store::Run dropped = add_run(b), first = add_run(a);
  add_event(dropped);
  git({"reset", "--quiet", "--hard", a});
  add_event(first);
  EXPECT_EQ(latest(), first.number);
  EXPECT_EQ(found(add_run(commit("c"))), Found(first.number, ""));
}

TEST_F(FindBaseline, TheDistanceIsSaidWhereItIsNotExpected) {
  const store::Run run = add_run(commit("a"));
  add_event(run);
  EXPECT_EQ(found(add_run(commit("b"))), Found(run.number, ""));
  const std::string c = commit("c");
  EXPECT_EQ(found(add_run(c)), Found(run.number, "2 commits before"));
  git({"checkout", "--quiet", "-b", "feature"});
  EXPECT_EQ(found(add_run(commit("f"), "feature")), Found(run.number, "2 commits before the merge base"));
}

TEST_F(FindBaseline, APinNeedsNoHistory) {
  add_event(add_run(commit("a")));
  const store::Run pinned = add_run(commit("b"));
  add_event(pinned, "pin");
  // The commit is in no repository: only a walk would mind.
  const store::Run elsewhere = add_run(std::string(40, '1'));
  EXPECT_EQ(found(elsewhere), Found(pinned.number, "pinned"));
  ASSERT_TRUE(unpin_baseline(*db_, {"", "", "ada", "enough"}, 2).ok());
  EXPECT_FALSE(find(elsewhere).ok());
  policy_.metrics[0].max_drop.reset();
  EXPECT_EQ(found(elsewhere), Found(0, "")) << "nothing is compared";
}

TEST_F(FindBaseline, AShallowCloneIsToldBeforeAnythingIsTrained) {
  commit("a");
  const std::string b = commit("b");
  const store::Run run = add_run(commit("c"));
  const auto clone = [&](int depth) {
    const std::string to = fmt::format("{}/clone-{}", dir_->path(), depth);
    git({"clone", "--quiet", fmt::format("--depth={}", depth), "file://" + path(), to});
    return trigger::Repository(to);
  };
  const trigger::Repository cut = clone(1), deep = clone(2);
  const auto told = [&](const trigger::Repository& in) {
    auto checked = check_history(*db_, in, run, policy_);
    return checked.ok() ? std::string() : checked.error().to_string();
  };
  EXPECT_EQ(told(cut), "") << "there is no green run to be found";
  add_event(add_run(b));
  EXPECT_THAT(told(cut), HasSubstr("git fetch --unshallow"));
  EXPECT_EQ(told(deep), "");
  EXPECT_EQ(told(repository()), "");
  policy_.metrics.clear();
  EXPECT_EQ(told(cut), "") << "nothing is compared";
  policy_.conditions.emplace_back().condition = *gate::parse_condition("n - o > 0.1 +/- 0.05", "");
  EXPECT_THAT(told(cut), HasSubstr("git fetch --unshallow"));
}

TEST_F(FindBaseline, AnEmptyPastHasAName) {
  const store::Run run = add_run(commit("a"));
  EXPECT_EQ(find(run)->branch, "main");
  add_event(add_run(commit("b")));
  EXPECT_EQ(find(run)->branch, "main up to commit " + run.commit_sha.substr(0, 7));
}

TEST_F(FindBaseline, SustainedLooksBackToTheLastPin) {
  policy_.sustained = gate::SustainedRule{};
  const auto past = [&] {
    std::vector<int64_t> out;
    auto compared = find(add_run(git({"rev-parse", "HEAD"})));
    EXPECT_TRUE(compared.ok()) << compared.error().to_string();
    for (const gate::GreenRun& run : compared->past) out.push_back(run.number);
    return out;
  };
  add_event(add_run(commit("a")));
  add_event(add_run(commit("b")));
  EXPECT_EQ(past(), (std::vector<int64_t>{1, 2}));
  const store::Run lower = add_run(commit("c"));
  add_event(lower, "pin");
  const store::Run after = add_run(commit("d"));
  add_event(after);
  EXPECT_EQ(past(), (std::vector<int64_t>{lower.number, after.number}));
  ASSERT_TRUE(unpin_baseline(*db_, {"model", "main", "ada", "enough"}, 2).ok());
  EXPECT_EQ(past(), (std::vector<int64_t>{lower.number, after.number}));
}

TEST_F(FindBaseline, UnpinNeedsOnePinAndAReason) {
  const store::Run run = add_run(commit("a"));
  EXPECT_EQ(unpin_baseline(*db_, {"", "", "ada", "why"}, 1).error().code(), ErrorCode::not_found);
  add_event(run, "pin");
  EXPECT_EQ(unpin_baseline(*db_, {"", "", "ada", " "}, 1).error().code(), ErrorCode::invalid);
  EXPECT_EQ(unpin_baseline(*db_, {"other", "", "ada", "why"}, 1).error().code(), ErrorCode::not_found);
  EXPECT_EQ(unpin_baseline(*db_, {"", "dev", "ada", "why"}, 1).error().code(), ErrorCode::not_found);
  ASSERT_TRUE(store::insert_baseline(*db_, {0, "model", "dev", run.id, "pin", "ada", "why", 1}).ok());
  EXPECT_EQ(unpin_baseline(*db_, {"", "", "ada", "why"}, 1).error().code(), ErrorCode::invalid);
  auto event = unpin_baseline(*db_, {"", "dev", "ada", "why"}, 1);
  ASSERT_TRUE(event.ok()) << event.error().to_string();
  EXPECT_EQ(event->branch, "dev");
}

}  // namespace
}  // namespace pawl::core
