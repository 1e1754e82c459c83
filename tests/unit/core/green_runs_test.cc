#include "engine/core/green_runs.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/store/database.h"
#include "engine/store/results.h"
#include "engine/store/verdicts.h"
#include "tests/unit/trigger/git_fixture.h"

namespace pawl::core {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A record beside a repository.
class GreenRuns : public trigger::GitTest {
 protected:
  void SetUp() override {
    GitTest::SetUp();
    db_.emplace(store::open_record(dir_->path() + "/pawl.db").value());
  }

  store::Run add_run(const std::string& commit, const std::string& branch = "main") {
    store::Run run;
    run.id = fmt::format("run{}", ++runs_);
    run.project = "model";
    run.event_key = run.id;
    run.trigger = "push";
    run.branch = branch;
    run.target = "main";
    run.commit_sha = commit;
    run.number = store::insert_run(*db_, run).value();
    return run;
  }

  // A run with a verdict and, when that has a cause, among the baselines.
  std::string judged(const std::string& commit, const std::string& verdict = "PASS",
                     const std::string& cause = "green") {
    const store::Run run = add_run(commit);
    EXPECT_TRUE(store::finish_run(*db_, run.id, verdict, "", 0, 1).ok());
    if (!cause.empty()) record(run.id, cause);
    return run.id;
  }
  void record(const std::string& run, const std::string& cause) {
    EXPECT_TRUE(store::insert_baseline(*db_, {0, "model", "main", run, cause, "ada", "why", 1}).ok());
  }

  std::vector<std::string> last(const store::Run& run, int64_t count = 10) {
    return last_green_runs(*db_, repository(), run, count).value().ids;
  }

  void add_curve(const std::string& run, double value, int64_t steps = 20,
                 const std::string& stage = "train") {
    store::Curve curve{run, stage, "loss", {}};
    for (int64_t step = 0; step < 20; ++step) curve.points.emplace_back(step, value);
    ASSERT_TRUE(store::put_curve(*db_, curve).ok());
    store::Attempt attempt;
    attempt.run_id = run;
    attempt.stage = stage;
    attempt.number = 1;
    attempt.state = "finished";
    attempt.steps = steps;
    ASSERT_TRUE(store::insert_stage(*db_, {run, stage, 0, "succeeded"}).ok());
    ASSERT_TRUE(store::insert_attempt(*db_, attempt).ok());
    ASSERT_TRUE(store::update_attempt(*db_, attempt).ok());
    ASSERT_TRUE(store::put_trace_summary(*db_, {run, stage, 1, 1, 1, 0, 19, 20, 0}).ok());
  }

  std::optional<Db> db_;
  int runs_ = 0;
};

TEST_F(GreenRuns, AreThoseOfThePastNearestFirst) {
  const std::string first = judged(commit("1"));
  judged(commit("2"), "FAIL", "");
  const std::string third = judged(commit("3"));
  const std::string now = commit("4");
  const std::string here = judged(now);
  const std::string later = judged(commit("5"));
  EXPECT_THAT(last(add_run(now)), ElementsAre(here, third, first));
  EXPECT_THAT(last(add_run(now), 2), ElementsAre(here, third));
}

TEST_F(GreenRuns, OfABranchAreThoseBeforeItLeftTheTarget) {
  const std::string first = judged(commit("1"));
  git({"checkout", "-q", "-b", "change"});
  const std::string now = commit("2");
  git({"checkout", "-q", "main"});
  judged(commit("3"));
  EXPECT_THAT(last(add_run(now, "change")), ElementsAre(first));
}

TEST_F(GreenRuns, APinSaysWhichLevelIsAcceptedButNoRedRunIsGreen) {
  judged(commit("1"));
  const std::string red = judged(commit("2"), "FAIL", "pin");
  const std::string now = commit("3");
  EXPECT_THAT(last(add_run(now)), IsEmpty());
  record(red, "unpin");
  const std::string green = judged(now);
  EXPECT_THAT(last(add_run(now)), ElementsAre(green));
  record(green, "pin");
  EXPECT_THAT(last(add_run(now)), ElementsAre(green));
}

TEST_F(GreenRuns, MakeTheBand) {
  const std::string one = judged(commit("1"));
  const std::string two = judged(commit("2"));
  const std::string three = judged(commit("3"));
  const pipeline::GreenRuns runs{{three, two, one}, ""};
  add_curve(one, 1.0);
  EXPECT_THAT(green_band(*db_, {}, runs, "train").missing, HasSubstr("only one before"));
  add_curve(two, 1.2, 40);
  EXPECT_THAT(green_band(*db_, {}, runs, "train").missing, HasSubstr("only one before"))
      << "its attempt made 40 steps, of which the curve has 20";
  add_curve(three, 1.2, 21);  // something was logged after the last step
  const rules::GreenBand band = green_band(*db_, {}, runs, "train");
  EXPECT_EQ(band.missing, "");
  ASSERT_EQ(band.stretches.size(), 20u);
  EXPECT_DOUBLE_EQ(band.stretches[0].mean, 1.1);
  EXPECT_DOUBLE_EQ(band.stretches[0].margin, 0.11);
  ASSERT_EQ(band.runs.size(), 2u);
  EXPECT_THAT(band.runs[0], HasSubstr("3 ("));
  EXPECT_THAT(green_band(*db_, {}, runs, "other").missing, HasSubstr("none before"));
  EXPECT_EQ(green_band(*db_, {}, {{}, "cut"}, "train").missing, "cut");
}

TEST_F(GreenRuns, EverySeedIsATraining) {
  const std::string one = judged(commit("1"));
  add_curve(one, 1.0, 20, "train@1");
  add_curve(one, 1.2, 20, "train@2");
  add_curve(one, 5.0, 20, "evaluate@1");
  for (const char* stage : {"train@1", "train@9", "train"}) {
    const rules::GreenBand band = green_band(*db_, {}, {{one}, ""}, stage);
    ASSERT_EQ(band.missing, "") << stage;
    EXPECT_DOUBLE_EQ(band.stretches[0].mean, 1.1);
    EXPECT_EQ(band.runs.size(), 1u);
  }
}

}  // namespace
}  // namespace pawl::core
