#include "engine/core/evaluation_identity.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "engine/base/files.h"

namespace pawl::core {
namespace {

store::Artifact artifact(const std::string& stage, const std::string& path, const std::string& digest) {
  return {"run", stage, path, digest, 1};
}

TEST(ModelDigest, CoversTheFilesOfItsStageAndNoScores) {
  const std::string one = model_digest({artifact("train", "model.pt", "a")}, "train");
  EXPECT_EQ(one.size(), 64u);
  EXPECT_EQ(model_digest({artifact("train", "model.pt", "a"), artifact("train", "metrics.json", "b"),
                          artifact("train", "predictions.csv", "c"), artifact("prepare", "x", "d")},
                         "train"),
            one);
  EXPECT_NE(model_digest({artifact("train", "model.pt", "b")}, "train"), one);
  EXPECT_NE(model_digest({artifact("train", "other.pt", "a")}, "train"), one);
  EXPECT_NE(model_digest({artifact("train", "model.pt", "a"), artifact("train", "vocabulary", "b")}, "train"),
            one);
  EXPECT_EQ(model_digest({artifact("train", "metrics.json", "a")}, "train"), "");
}

class EvaluatorDigest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto dir = TempDir::create("pawl-identity");
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
    ASSERT_EQ(git("init --quiet"), 0);
    write("eval.py", "1");
    write("tools/score.py", "1");
    write("lib.py", "1");
  }
  int git(const std::string& command) const {
    return std::system(
        ("cd " + dir_->path() + " && git -c user.name=a -c user.email=a@b " + command).c_str());
  }
  void write(const std::string& path, const std::string& text) const {
    ASSERT_TRUE(make_dirs(parent_path(dir_->path() + "/" + path)).ok());
    ASSERT_TRUE(write_file_atomic(dir_->path() + "/" + path, text).ok());
  }
  // Of what is in the folder now.
  std::string digest(const std::string& command, const std::string& evaluates = "train",
                     const std::vector<store::RunData>& data = {}) const {
    EXPECT_EQ(git("add -A"), 0);
    EXPECT_EQ(git("commit --quiet --allow-empty -m x"), 0);
    const trigger::Repository repository(dir_->path());
    pipeline::Stage stage;
    stage.name = "evaluate";
    stage.run = command;
    stage.evaluates = evaluates;
    auto digest = evaluator_digest(stage, repository, *repository.resolve("HEAD"), data);
    EXPECT_TRUE(digest.ok());
    return digest.ok() ? *digest : "?";
  }

  std::optional<TempDir> dir_;
};

TEST_F(EvaluatorDigest, IsTheCommandAndTheFilesItNames) {
  const std::string script = digest("cd . && python3 ./eval.py --top=5; true");
  const std::string module = digest("python3 -m tools.score");
  EXPECT_NE(script, module);
  EXPECT_NE(digest("cd . && python3 ./eval.py --top=6; true"), script);
  write("lib.py", "2");
  EXPECT_EQ(digest("cd . && python3 ./eval.py --top=5; true"), script);
  EXPECT_EQ(digest("python3 -m tools.score"), module);
  write("eval.py", "2");
  EXPECT_NE(digest("cd . && python3 ./eval.py --top=5; true"), script);
  EXPECT_EQ(digest("python3 -m tools.score"), module);
  write("tools/score.py", "2");
  EXPECT_NE(digest("python3 -m tools.score"), module);
}

TEST_F(EvaluatorDigest, FoldersAndOddWordsNameNothing) {
  const std::string before = digest("cp -r tools '../..' \"$PAWL_OUTPUT_DIR\" //x . .. ''");
  write("tools/score.py", "2");
  EXPECT_EQ(digest("cp -r tools '../..' \"$PAWL_OUTPUT_DIR\" //x . .. ''"), before);
}

TEST_F(EvaluatorDigest, TheDataThatItNamesIsPartOfIt) {
  const auto with = [&](const std::string& command, const std::string& version) {
    return digest(command, "train", {{"run", "test", version, "/data"}});
  };
  EXPECT_NE(with("score $PAWL_DATA_TEST", "a"), with("score $PAWL_DATA_TEST", "b"));
  EXPECT_EQ(with("score $PAWL_DATA_TEST_2", "a"), with("score $PAWL_DATA_TEST_2", "b"));
  EXPECT_EQ(with("python3 eval.py", "a"), with("python3 eval.py", "b"));
  write("eval.py", "os.environ['PAWL_DATA_TEST']");
  EXPECT_NE(with("python3 eval.py", "a"), with("python3 eval.py", "b"));
}

TEST_F(EvaluatorDigest, AStageThatTrainsTooHasNone) {
  EXPECT_EQ(digest("python3 eval.py", ""), "");
}

}  // namespace
}  // namespace pawl::core
