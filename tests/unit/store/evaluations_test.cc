#include "engine/store/evaluations.h"

#include "record_fixture.h"

namespace pawl::store {
namespace {

using EvaluationsTest = RecordTest;

Evaluation make(const std::string& run, const std::string& model, const std::string& testset) {
  return {run, "evaluate", "model", model, "e", {{"predictions.csv", testset}}};
}

TEST_F(EvaluationsTest, ReadsBackWhatWasWritten) {
  const Run run = add_run(make_run("AA"));
  Evaluation evaluation = make(run.id, "m", "t");
  evaluation.testsets["shift.csv"] = "u";
  ASSERT_TRUE(insert_evaluation(db(), evaluation).ok());
  const auto found = evaluation_of(db(), run.id, "evaluate");
  ASSERT_TRUE(found.ok() && *found);
  EXPECT_EQ((*found)->model, "m");
  EXPECT_EQ((*found)->evaluator, "e");
  EXPECT_EQ((*found)->testsets, evaluation.testsets);
  EXPECT_FALSE(*evaluation_of(db(), run.id, "train"));
  EXPECT_FALSE(insert_evaluation(db(), evaluation).ok());
}

TEST_F(EvaluationsTest, TheKeyIsAllOfModelEvaluatorAndTestSets) {
  const Run first = add_run(make_run("AA"));
  const Run second = add_run(make_run("BB"));
  const Run third = add_run(make_run("CC"));
  ASSERT_TRUE(insert_evaluation(db(), make(first.id, "m", "t")).ok());
  ASSERT_TRUE(insert_evaluation(db(), make(second.id, "m", "t")).ok());
  ASSERT_TRUE(insert_evaluation(db(), make(third.id, "m", "other")).ok());
  const auto find = [&](std::string_view project, std::string_view model, std::string_view evaluator,
                        const std::map<std::string, std::string>& testsets) {
    auto found = find_evaluation(db(), project, model, evaluator, testsets);
    EXPECT_TRUE(found.ok());
    return found.ok() && *found ? (*found)->run_id : "";
  };
  EXPECT_EQ(find("model", "m", "e", {{"predictions.csv", "t"}}), second.id);
  EXPECT_EQ(find("model", "m", "e", {{"predictions.csv", "other"}}), third.id);
  EXPECT_EQ(find("model", "m", "e", {{"predictions.csv", "t"}, {"shift.csv", "t"}}), "");
  EXPECT_EQ(find("model", "m", "other", {{"predictions.csv", "t"}}), "");
  EXPECT_EQ(find("model", "other", "e", {{"predictions.csv", "t"}}), "");
  EXPECT_EQ(find("other", "m", "e", {{"predictions.csv", "t"}}), "");
}

}  // namespace
}  // namespace pawl::store
