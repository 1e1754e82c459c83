#include "pipelines/match.h"

#include <gtest/gtest.h>

namespace pawl::pipeline {
namespace {

Triggers with_push(EventFilter filter) {
  Triggers on;
  on.push = std::move(filter);
  return on;
}

TEST(Match, NoTriggerNoRun) {
  Decision decision = push_matches(Triggers{}, "main", std::nullopt);
  EXPECT_FALSE(decision);
  EXPECT_EQ(decision.reason, "the pipeline has no on.push");
  EXPECT_FALSE(pull_request_matches(with_push({}), "main", std::nullopt));
  EXPECT_FALSE(data_matches(Triggers{}, "mnist"));
}

TEST(Match, WithoutFiltersEverythingStarts) {
  EXPECT_TRUE(push_matches(with_push({}), "any/branch", std::nullopt));
  EXPECT_TRUE(push_matches(with_push({}), "main", ChangedPaths{std::in_place}));
}

TEST(Match, Branches) {
  Triggers on = with_push({{"main", "release/*"}, {}, {}});
  EXPECT_TRUE(push_matches(on, "release/1", std::nullopt));
  Decision decision = push_matches(on, "wip", std::nullopt);
  EXPECT_FALSE(decision);
  EXPECT_EQ(decision.reason, "branch 'wip' is not among on.push.branches");
}

TEST(Match, PathsNeedOneRelevantChange) {
  Triggers on = with_push({{}, {"src/**"}, {"**/*.md"}});
  EXPECT_TRUE(push_matches(on, "main", ChangedPaths{{"docs/x.txt", "src/a.cc"}}));
  EXPECT_FALSE(push_matches(on, "main", ChangedPaths{{"docs/x.txt"}}));
  EXPECT_FALSE(push_matches(on, "main", ChangedPaths{{"src/README.md"}}));
  EXPECT_TRUE(push_matches(on, "main", ChangedPaths{{"src/README.md", "src/a.cc"}}));
  EXPECT_FALSE(push_matches(on, "main", ChangedPaths{std::in_place}));  // known to be empty
}

TEST(Match, IgnoreAloneLetsTheRestThrough) {
  Triggers on = with_push({{}, {}, {"docs/**"}});
  EXPECT_TRUE(push_matches(on, "main", ChangedPaths{{"docs/a", "x"}}));
  EXPECT_FALSE(push_matches(on, "main", ChangedPaths{{"docs/a"}}));
}

TEST(Match, UnknownChangesStartARun) {
  EXPECT_TRUE(push_matches(with_push({{}, {"src/**"}, {}}), "main", std::nullopt));
}

TEST(Match, PullRequestsAreFilteredByTheirTarget) {
  Triggers on;
  on.pull_request = EventFilter{{"main"}, {"src/**"}, {}};
  EXPECT_TRUE(pull_request_matches(on, "main", ChangedPaths{{"src/a"}}));
  EXPECT_FALSE(pull_request_matches(on, "dev", ChangedPaths{{"src/a"}}));
  EXPECT_FALSE(pull_request_matches(on, "main", ChangedPaths{{"b"}}));
}

TEST(Match, DataByName) {
  Triggers on;
  on.data = {"mnist"};
  EXPECT_TRUE(data_matches(on, "mnist"));
  EXPECT_FALSE(data_matches(on, "cifar"));
}

TEST(Match, FilesOfADataset) {
  Dataset all{"d", "p", {}, {}};
  EXPECT_TRUE(dataset_includes(all, "any/file"));
  Dataset some{"d", "p", {"**/*.gz", "!old/**"}, {"**/tmp-*"}};
  EXPECT_TRUE(dataset_includes(some, "a.gz"));
  EXPECT_TRUE(dataset_includes(some, "x/a.gz"));
  EXPECT_FALSE(dataset_includes(some, "old/a.gz"));
  EXPECT_FALSE(dataset_includes(some, "x/tmp-a.gz"));
  EXPECT_FALSE(dataset_includes(some, "a.txt"));
}

}  // namespace
}  // namespace pawl::pipeline
