#include "engine/store/runs.h"

#include "record_fixture.h"

namespace pawl::store {
namespace {

using RunsTest = RecordTest;

TEST_F(RunsTest, NumbersCountFromOneAndRowsReadBack) {
  Run run = make_run("AA");
  run.trigger_note = "pushed by ada";
  run.subject = "better 'model'; DROP TABLE runs";
  run.author = "Ada";
  EXPECT_EQ(add_run(run).number, 1);
  EXPECT_EQ(add_run(make_run("AB")).number, 2);
  auto found = find_run(db(), run.id);
  ASSERT_TRUE(found.ok() && *found);
  EXPECT_EQ((*found)->subject, run.subject);
  EXPECT_EQ((*found)->author, "Ada");
  EXPECT_EQ((*found)->trigger_note, "pushed by ada");
  EXPECT_EQ((*found)->state, "queued");
  EXPECT_FALSE((*found)->verdict || (*found)->exit_code || (*found)->started_ms || (*found)->finished_ms);
  EXPECT_TRUE(*has_run(db(), "model", "main", run.commit_sha));
  EXPECT_FALSE(*has_run(db(), "model", "other", run.commit_sha));
  EXPECT_FALSE(*find_run(db(), "nobody"));
}

TEST_F(RunsTest, TheSameEventNeverMakesTwoRuns) {
  add_run(make_run("AA"));
  Run again = make_run("AB");
  again.event_key = "delivery:AA";
  auto refused = insert_run(db(), again);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::conflict);
  EXPECT_EQ(*db().query_int("SELECT count(*) FROM runs"), 1);
  EXPECT_EQ(insert_run(db(), make_run("AA")).error().code(), ErrorCode::conflict);
}

TEST_F(RunsTest, AFinishedRunIsNeverChanged) {
  std::string id = add_run(make_run("AA")).id;
  ASSERT_TRUE(set_run_state(db(), id, "preparing", 2000).ok());
  ASSERT_TRUE(set_run_state(db(), id, "running", 3000).ok());
  ASSERT_TRUE(finish_run(db(), id, "PASS", "fine", 0, 4000).ok());
  ASSERT_TRUE(finish_run(db(), id, "FAIL", "no", 1, 5000).ok());
  ASSERT_TRUE(set_run_cancel(db(), id, "too late").ok());
  EXPECT_FALSE(set_run_state(db(), id, "running", 6000).ok());
  Run run = **find_run(db(), id);
  EXPECT_EQ(run.verdict, "PASS");
  EXPECT_EQ(run.headline, "fine");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.started_ms, 2000);
  EXPECT_EQ(run.finished_ms, 4000);
  EXPECT_EQ(run.cancel, "");
  EXPECT_TRUE(open_runs(db())->empty());
}

TEST_F(RunsTest, ValuesOutsideTheSchemaAreRefused) {
  Run run = make_run("AA");
  run.trigger = "carrier pigeon";
  EXPECT_FALSE(insert_run(db(), run).ok());
  std::string id = add_run(make_run("AB")).id;
  EXPECT_FALSE(set_run_state(db(), id, "dreaming", 1).ok());
  EXPECT_FALSE(set_run_state(db(), id, "finished", 1).ok());  // without a verdict
  EXPECT_FALSE(finish_run(db(), id, "GREENISH", "", 0, 1).ok());
}

class LookUpTest : public RecordTest {
 protected:
  void SetUp() override {
    RecordTest::SetUp();
    Run first = make_run("AA");
    Run second = make_run("AB");
    second.commit_sha = "abcdef9999999999999999999999999999999999";
    Run third = make_run("BC");  // the same commit again
    add_run(first);
    add_run(second);
    add_run(third);
  }
  int64_t number(std::string_view name) {
    auto run = look_up_run(db(), name);
    return run.ok() ? run->number : -1 - static_cast<int64_t>(run.error().code());
  }
  static int64_t error(ErrorCode code) { return -1 - static_cast<int64_t>(code); }
};

TEST_F(LookUpTest, ByNumberAndLast) {
  EXPECT_EQ(number("2"), 2);
  EXPECT_EQ(number("#2"), 2);
  EXPECT_EQ(number("last"), 3);
  EXPECT_EQ(number("4"), error(ErrorCode::not_found));
  EXPECT_EQ(number("-1"), error(ErrorCode::not_found));
}

TEST_F(LookUpTest, ByIdAndItsPrefix) {
  EXPECT_EQ(number("01HZZZZZZZZZZZZZZZZZZZZZAB"), 2);
  EXPECT_EQ(number("01HZZZZZZZZZZZZZZZZZZZZZB"), 3);
  EXPECT_EQ(number("01HZZZZZZZZZZZZZZZZZZZZZA"), error(ErrorCode::invalid));
  EXPECT_EQ(number("01HZZ"), error(ErrorCode::not_found));  // too short to mean anything
  EXPECT_EQ(number("01HZZZZZZZZZZZZZZZZZZZZZABC"), error(ErrorCode::not_found));
}

TEST_F(LookUpTest, ByCommitTheNewestRun) {
  EXPECT_EQ(number("abcdef0123456789abcdef0123456789abcdef01"), 3);
  EXPECT_EQ(number("abcdef0"), 3);
  EXPECT_EQ(number("abcdef9"), 2);
  EXPECT_EQ(number("abcdef"), error(ErrorCode::not_found));  // 6 characters
}

TEST_F(LookUpTest, AnythingElseIsNotFound) {
  for (std::string_view name :
       {"", "#", "%", "______", "abcdef%", "last ", "' OR 1=1 --", "99999999999999999999"})
    EXPECT_EQ(number(name), error(ErrorCode::not_found)) << name;
  auto hostile = look_up_run(db(), "run\x1b[2J\xff\xff");
  ASSERT_FALSE(hostile.ok());
  EXPECT_EQ(hostile.error().to_string().find('\xff'), std::string::npos);
}

TEST_F(LookUpTest, AnEmptyRecordHasNoLast) {
  ASSERT_TRUE(db().exec("DELETE FROM runs").ok());
  EXPECT_EQ(number("last"), error(ErrorCode::not_found));
}

TEST_F(RunsTest, ListsNewestFirstAndFiltered) {
  add_run(make_run("AA"));
  add_run(make_run("AB", "feature"));
  std::string id = add_run(make_run("AC")).id;
  ASSERT_TRUE(finish_run(db(), id, "FAIL", "", 1, 1).ok());
  auto numbers = [&](const RunFilter& filter) {
    std::vector<int64_t> out;
    auto runs = list_runs(db(), filter);
    EXPECT_TRUE(runs.ok());
    for (const Run& run : *runs) out.push_back(run.number);
    return out;
  };
  using Numbers = std::vector<int64_t>;
  EXPECT_EQ(numbers(RunFilter()), (Numbers{3, 2, 1}));
  RunFilter branch, verdict, project, page;
  branch.branch = "main";
  verdict.verdict = "FAIL";
  project.project = "other";
  page.limit = 1;
  page.before_number = 3;
  EXPECT_EQ(numbers(branch), (Numbers{3, 1}));
  EXPECT_EQ(numbers(verdict), (Numbers{3}));
  EXPECT_EQ(numbers(project), Numbers{});
  EXPECT_EQ(numbers(page), (Numbers{2}));
  ASSERT_EQ(open_runs(db())->size(), 2u);
  EXPECT_EQ(open_runs(db())->front().number, 1);
}

TEST_F(RunsTest, StagesAndAttemptsInOrder) {
  std::string id = add_run(make_run("AA")).id;
  ASSERT_TRUE(insert_stage(db(), {id, "train", 1, "waiting"}).ok());
  ASSERT_TRUE(insert_stage(db(), {id, "build", 0, "waiting"}).ok());
  ASSERT_TRUE(set_stage_state(db(), id, "build", "succeeded").ok());
  EXPECT_FALSE(set_stage_state(db(), id, "build", "great").ok());
  EXPECT_FALSE(insert_stage(db(), {"no run", "train", 0, "waiting"}).ok());
  auto stages = stages_of(db(), id);
  ASSERT_EQ(stages->size(), 2u);
  EXPECT_EQ((*stages)[0].name, "build");
  EXPECT_EQ((*stages)[0].state, "succeeded");

  for (auto [stage, number] : {std::pair("train", 2), std::pair("train", 1), std::pair("build", 1)}) {
    Attempt attempt;
    attempt.run_id = id;
    attempt.stage = stage;
    attempt.number = number;
    attempt.state = "starting";
    attempt.cpus = 2;
    ASSERT_TRUE(insert_attempt(db(), attempt).ok());
  }
  Attempt last = (*attempts_of(db(), id))[2];
  EXPECT_EQ(last.number, 2);
  EXPECT_FALSE(last.outcome || last.last_loss || last.steps);
  last.fence = 3;
  last.state = "finished";
  last.outcome = "succeeded";
  last.last_loss = 0.25;
  last.steps = 900;
  ASSERT_TRUE(update_attempt(db(), last).ok());
  auto attempts = attempts_of(db(), id);
  ASSERT_EQ(attempts->size(), 3u);
  EXPECT_EQ((*attempts)[0].stage, "build");
  EXPECT_EQ((*attempts)[1].number, 1);
  EXPECT_EQ((*attempts)[2].fence, 3);
  EXPECT_EQ((*attempts)[2].outcome, "succeeded");
  EXPECT_EQ((*attempts)[2].last_loss, 0.25);
}

}  // namespace
}  // namespace pawl::store
