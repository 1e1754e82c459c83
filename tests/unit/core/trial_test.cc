#include "engine/core/trial.h"

#include <gtest/gtest.h>

namespace pawl::core {
namespace {

const std::string kCommit(40, 'a');

struct Open {
  store::Run run;
  RunSource source;
};

Open open_trial() {
  Open out;
  out.run.project = "model";
  out.run.event_key = "trial:01J";
  out.run.commit_sha = kCommit;
  out.run.state = "running";
  out.source = {"/mirror", {{"train", "/data/train"}, {"words", "/data/words"}}, {{"train", "sha256:1"}}};
  return out;
}

NewRun asked() {
  NewRun out;
  out.project = "model";
  out.sha = kCommit;
  out.source = open_trial().source;
  return out;
}

TEST(Trial, OfTheSameCommitAndVersionsTrainsTheSame) {
  const Open open = open_trial();
  EXPECT_TRUE(trains_the_same(open.run, open.source, asked()));
  NewRun elsewhere = asked();
  elsewhere.source.data["train"] = "/copy/of/train";  // of the same version
  EXPECT_TRUE(trains_the_same(open.run, open.source, elsewhere));
}

TEST(Trial, OfAnotherCommitOrOtherDataTrainsSomethingElse) {
  const Open open = open_trial();
  NewRun other = asked();
  other.sha = std::string(40, 'b');
  EXPECT_FALSE(trains_the_same(open.run, open.source, other));
  other = asked();
  other.project = "another";
  EXPECT_FALSE(trains_the_same(open.run, open.source, other));
  other = asked();
  other.source.versions["train"] = "sha256:2";
  EXPECT_FALSE(trains_the_same(open.run, open.source, other));
  other = asked();
  other.source.versions.clear();
  EXPECT_FALSE(trains_the_same(open.run, open.source, other));
  other = asked();
  other.source.data["words"] = "/other/words";  // no version says that they are the same
  EXPECT_FALSE(trains_the_same(open.run, open.source, other));
}

TEST(Trial, IsNotWaitedForWhenItWillMeasureNothing) {
  Open cancelled = open_trial();
  cancelled.run.cancel = "cancelled by ada";
  EXPECT_FALSE(trains_the_same(cancelled.run, cancelled.source, asked()));
  Open finished = open_trial();
  finished.run.verdict = "FAIL";
  EXPECT_FALSE(trains_the_same(finished.run, finished.source, asked()));
  Open push = open_trial();  // `early` may stop it
  push.run.event_key = "push:1";
  EXPECT_FALSE(trains_the_same(push.run, push.source, asked()));
}

}  // namespace
}  // namespace pawl::core
