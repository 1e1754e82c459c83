// What a run leaves: numbers, findings, curves, data, verdicts, baselines.
#include "engine/store/results.h"

#include <cmath>
#include <limits>

#include "engine/store/data.h"
#include "engine/store/verdicts.h"
#include "record_fixture.h"

namespace pawl::store {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const double kNumbers[] = {0.0,  -0.0, 0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 123456789012345680.0,
                           kInf, -kInf};

class ResultsTest : public RecordTest {
 protected:
  void SetUp() override {
    RecordTest::SetUp();
    id_ = add_run(make_run("AA")).id;
  }
  std::string id_;
};

TEST(NumberText, ReadsBackTheSameNumber) {
  for (double value : kNumbers) {
    double back = number_from_text(number_text(value));
    EXPECT_EQ(back, value) << number_text(value);
    EXPECT_EQ(std::signbit(back), std::signbit(value));
  }
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(number_text(kNan), "NaN");
  EXPECT_EQ(number_text(-kInf), "-Infinity");
  for (const char* text : {"NaN", "", "1 ", "1,5", "0x10", "one"})
    EXPECT_TRUE(std::isnan(number_from_text(text)));
}

TEST_F(ResultsTest, MetricsKeepEveryNumber) {
  int position = 0;
  for (double value : kNumbers)
    ASSERT_TRUE(put_metric(db(), {id_, "train", "m" + std::to_string(position++), value, "", {}}).ok());
  ASSERT_TRUE(put_metric(db(), {id_, "train", "nan", kNan, "%", 1000}).ok());
  auto metrics = metrics_of(db(), id_);
  ASSERT_EQ(metrics->size(), std::size(kNumbers) + 1);
  for (size_t i = 0; i < std::size(kNumbers); ++i) EXPECT_EQ((*metrics)[i].value, kNumbers[i]);
  EXPECT_TRUE(std::isnan(metrics->back().value));
  EXPECT_EQ(metrics->back().n, 1000);
  EXPECT_EQ(metrics->back().unit, "%");
  EXPECT_FALSE(metrics->front().n);
}

TEST_F(ResultsTest, PuttingAgainReplaces) {
  ASSERT_TRUE(put_metric(db(), {id_, "train", "accuracy", 0.5, "", {}}).ok());
  ASSERT_TRUE(put_metric(db(), {id_, "train", "accuracy", 0.75, "", {}}).ok());
  ASSERT_EQ(metrics_of(db(), id_)->size(), 1u);
  EXPECT_EQ(metrics_of(db(), id_)->front().value, 0.75);
  EXPECT_FALSE(put_metric(db(), {"no run", "train", "accuracy", 0.5, "", {}}).ok());
}

TEST_F(ResultsTest, CurvesKeepWhatIsNotFinite) {
  CurvePoints points = {{0, 2.3}, {10, kInf}, {20, kNan}};
  ASSERT_TRUE(put_curve(db(), {id_, "train", "loss", points}).ok());
  auto back = curve_of(db(), id_, "train", "loss");
  ASSERT_TRUE(back.ok() && *back);
  ASSERT_EQ((*back)->size(), 3u);
  EXPECT_EQ((**back)[0], points[0]);
  EXPECT_EQ((**back)[1], points[1]);
  EXPECT_EQ((**back)[2].first, 20);
  EXPECT_TRUE(std::isnan((**back)[2].second));
  EXPECT_FALSE(*curve_of(db(), id_, "train", "steps_per_s"));
}

TEST_F(ResultsTest, FindingsOfAnAttemptAreReplacedTogether) {
  Finding finding;
  finding.rule = "non_finite";
  finding.severity = "fail";
  finding.action = "stop";
  finding.tensor = "fc1.weight";
  finding.value = kNan;
  finding.limit = kInf;
  ASSERT_TRUE(put_findings(db(), id_, "train", 1, {finding, finding}).ok());
  ASSERT_TRUE(put_findings(db(), id_, "train", 2, {finding}).ok());
  finding.tensor = "fc2.weight";
  ASSERT_TRUE(put_findings(db(), id_, "train", 1, {finding}).ok());
  auto findings = findings_of(db(), id_);
  ASSERT_EQ(findings->size(), 2u);
  EXPECT_EQ(findings->back().tensor, "fc2.weight");
  EXPECT_EQ(findings->back().attempt, 1);
  EXPECT_TRUE(std::isnan(findings->back().value));
  EXPECT_EQ(findings->back().limit, kInf);
}

TEST_F(ResultsTest, TheDigestSeenLastIsTheLatest) {
  auto version = [](const std::string& digest, int64_t seen_ms) {
    return DataVersion{"model", "images", digest, "/srv/images", 1, 2, seen_ms, "manifest"};
  };
  EXPECT_FALSE(*latest_digest(db(), "model", "images"));
  ASSERT_TRUE(put_data_version(db(), version("sha256:a", 10)).ok());
  ASSERT_TRUE(put_data_version(db(), version("sha256:b", 20)).ok());
  EXPECT_EQ(*latest_digest(db(), "model", "images"), "sha256:b");
  ASSERT_TRUE(put_data_version(db(), version("sha256:a", 30)).ok());  // changed back
  EXPECT_EQ(*latest_digest(db(), "model", "images"), "sha256:a");
  EXPECT_FALSE(*latest_digest(db(), "other", "images"));
}

TEST_F(ResultsTest, BranchHeadsMoveAndAreForgotten) {
  ASSERT_TRUE(put_branch_head(db(), "model", "main", "a", 1).ok());
  ASSERT_TRUE(put_branch_head(db(), "model", "main", "b", 2).ok());
  ASSERT_TRUE(put_branch_head(db(), "other", "main", "c", 2).ok());
  EXPECT_EQ(*branch_heads(db(), "model"), (std::map<std::string, std::string>{{"main", "b"}}));
  ASSERT_TRUE(forget_branch(db(), "model", "main").ok());
  EXPECT_TRUE(branch_heads(db(), "model")->empty());
  EXPECT_EQ(branch_heads(db(), "other")->size(), 1u);
}

TEST_F(ResultsTest, AVerdictIsWrittenOnce) {
  Verdict verdict{id_, "FAIL", "worse", std::nullopt, "{}", {{"accuracy", "floor", "fail", "too low"}}, 7};
  ASSERT_TRUE(insert_verdict(db(), verdict).ok());
  verdict.kind = "PASS";
  auto again = insert_verdict(db(), verdict);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code(), ErrorCode::conflict);
  auto back = verdict_of(db(), id_);
  ASSERT_TRUE(back.ok() && *back);
  EXPECT_EQ((*back)->kind, "FAIL");
  ASSERT_EQ((*back)->reasons.size(), 1u);
  EXPECT_EQ((*back)->reasons[0].sentence, "too low");
  EXPECT_FALSE((*back)->baseline_run);
}

TEST_F(ResultsTest, TheNewestBaselineCountsAndHistoryStays) {
  std::string second = add_run(make_run("AB")).id;
  EXPECT_FALSE(*current_baseline(db(), "model", "main"));
  ASSERT_TRUE(insert_baseline(db(), {0, "model", "main", id_, "bootstrap", "", "", 1}).ok());
  ASSERT_TRUE(insert_baseline(db(), {0, "model", "main", second, "green", "", "", 2}).ok());
  ASSERT_TRUE(
      insert_baseline(db(), {0, "model", "main", id_, "pin", "ada", "the last one was luck", 3}).ok());
  auto current = current_baseline(db(), "model", "main");
  ASSERT_TRUE(current.ok() && *current);
  EXPECT_EQ((*current)->run_id, id_);
  EXPECT_EQ((*current)->who, "ada");
  auto history = baseline_history(db(), "");
  ASSERT_EQ(history->size(), 3u);
  EXPECT_EQ((*history)[0].cause, "pin");
  EXPECT_EQ((*history)[2].cause, "bootstrap");
  EXPECT_FALSE(*current_baseline(db(), "model", "feature"));
  EXPECT_FALSE(insert_baseline(db(), {0, "model", "main", "no run", "green", "", "", 4}).ok());
  EXPECT_FALSE(insert_baseline(db(), {0, "model", "main", id_, "whim", "", "", 4}).ok());
}

TEST_F(ResultsTest, APinHoldsUntilItIsTakenBack) {
  std::string second = add_run(make_run("AB")).id;
  ASSERT_TRUE(insert_baseline(db(), {0, "model", "main", id_, "pin", "ada", "by hand", 1}).ok());
  ASSERT_TRUE(insert_baseline(db(), {0, "model", "main", second, "green", "", "", 2}).ok());
  EXPECT_EQ((*current_baseline(db(), "model", "main"))->run_id, id_);
  EXPECT_EQ((*latest_green(db(), "model", "main"))->run_id, second);
  EXPECT_TRUE(*pinned_baseline(db(), "model", "main"));
  ASSERT_TRUE(insert_baseline(db(), {0, "model", "main", id_, "unpin", "ada", "enough", 3}).ok());
  EXPECT_FALSE(*pinned_baseline(db(), "model", "main"));
  EXPECT_EQ((*current_baseline(db(), "model", "main"))->run_id, second);
  EXPECT_EQ(baseline_history(db(), "model")->size(), 3u);
}

TEST_F(ResultsTest, AGreenRunOfAnEarlierCommitIsRecordedButNotCurrent) {
  std::string late = add_run(make_run("AB")).id;
  ASSERT_TRUE(insert_baseline(db(), {0, "model", "main", id_, "green", "", "", 1}).ok());
  ASSERT_TRUE(
      insert_baseline(db(), {0, "model", "main", late, "green", "", "", 2, id_, "{\"p.csv\":\"00\"}"}).ok());
  EXPECT_EQ((*current_baseline(db(), "model", "main"))->run_id, id_);
  auto events = baseline_events(db(), "model", "main");
  ASSERT_EQ(events->size(), 2u);
  EXPECT_EQ((*events)[1].newer_run, id_);
  EXPECT_EQ((*events)[1].testsets, "{\"p.csv\":\"00\"}");
  EXPECT_EQ((*events)[1].run_number, 2);
  EXPECT_EQ((*events)[1].commit, make_run("AB").commit_sha);
}

TEST_F(ResultsTest, TheCurrentOneOfEachBranch) {
  std::string feature = add_run(make_run("AB", "feature")).id;
  ASSERT_TRUE(insert_baseline(db(), {0, "model", "main", id_, "green", "", "", 1}).ok());
  ASSERT_TRUE(insert_baseline(db(), {0, "model", "main", id_, "green", "", "", 2}).ok());
  ASSERT_TRUE(insert_baseline(db(), {0, "other", "dev", feature, "pin", "", "", 3}).ok());
  auto all = current_baselines(db(), "");
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].id, 2);
  EXPECT_TRUE((*all)[1].is_pin());
  EXPECT_EQ(current_baselines(db(), "other")->size(), 1u);
}

TEST_F(ResultsTest, EverGreenMeansABaselineOfTheBranch) {
  std::string feature = add_run(make_run("AB", "feature")).id;
  ASSERT_TRUE(insert_baseline(db(), {0, "model", "feature", feature, "green", "", "", 1}).ok());
  // Passed with the gate off: nothing was judged.
  ASSERT_TRUE(finish_run(db(), id_, "PASS", "", 0, 1).ok());
  EXPECT_FALSE(*ever_green(db(), "model", "main"));
  ASSERT_TRUE(insert_baseline(db(), {0, "model", "main", id_, "bootstrap", "", "", 2}).ok());
  EXPECT_TRUE(*ever_green(db(), "model", "main"));
}

}  // namespace
}  // namespace pawl::store
