#include "engine/trigger/ancestry.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/trigger/git_fixture.h"

namespace pawl::trigger {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AncestryTest : public GitTest {
 protected:
  Ancestry find(const AncestryQuery& query) {
    auto found = find_ancestors(repository(), query);
    EXPECT_TRUE(found.ok()) << found.error().to_string();
    return found.ok() ? *found : Ancestry();
  }

  static std::vector<std::string> commits(const Ancestry& ancestry) {
    std::vector<std::string> out;
    for (const Ancestor& ancestor : ancestry.found) out.push_back(ancestor.commit);
    return out;
  }
};

TEST_F(AncestryTest, TheNearestIsFoundWithItsDistance) {
  const std::string a = commit("a"), b = commit("b");
  commit("c");
  const std::string d = commit("d");
  const Ancestry nearest = find({.commit = d, .heads = {}, .wanted = {a, b}});
  EXPECT_THAT(commits(nearest), ElementsAre(b));
  EXPECT_EQ(nearest.found[0].distance, 2);
  EXPECT_EQ(nearest.base, d);
  EXPECT_FALSE(nearest.cut);
  EXPECT_THAT(commits(find({.commit = d, .heads = {}, .wanted = {a, b}, .enough = 9})), ElementsAre(b, a));
  EXPECT_THAT(commits(find({.commit = d, .heads = {}, .wanted = {a, d}})), ElementsAre(d))
      << "the commit itself";
  EXPECT_THAT(commits(find({.commit = a, .heads = {}, .wanted = {b, d}})), IsEmpty()) << "descendants";
}

TEST_F(AncestryTest, OnlyWhatTheBranchHasTooCounts) {
  const std::string a = commit("a"), b = commit("b");
  git({"checkout", "--quiet", "-b", "feature"});
  const std::string f = commit("f");
  const std::string g = commit("g");
  git({"checkout", "--quiet", "main"});
  std::string main;
  for (int i = 0; i < 5; ++i) main = commit(fmt::format("main {}", i));
  const Ancestry ancestry = find({.commit = g, .heads = {main}, .wanted = {a, f, main}, .enough = 9});
  EXPECT_EQ(ancestry.base, b);
  EXPECT_THAT(commits(ancestry), ElementsAre(a));
  EXPECT_EQ(ancestry.found[0].distance, 1) << "from the merge base";
  EXPECT_EQ(find({.commit = g, .heads = {main}, .wanted = {}}).base, b);
  EXPECT_EQ(find({.commit = g, .heads = {a, main}, .wanted = {}}).base, b) << "the branch is what either has";
}

TEST_F(AncestryTest, MergesAreFollowedToBothSides) {
  const std::string a = commit("a");
  git({"checkout", "--quiet", "-b", "feature"});
  const std::string f = commit("f");
  git({"checkout", "--quiet", "main"});
  git({"merge", "--quiet", "--no-ff", "-m", "merge", "feature"});
  const std::string merged = git({"rev-parse", "HEAD"});
  const Ancestry ancestry = find({.commit = merged, .heads = {}, .wanted = {a, f}, .enough = 9});
  EXPECT_EQ(ancestry.found.size(), 2u);
  for (const Ancestor& ancestor : ancestry.found) EXPECT_EQ(ancestor.distance, 1);
}

// As a rebase leaves them: every commit of the same second, the short way to an old one beside the long way
// to a newer one.
TEST_F(AncestryTest, OneSecondIsNoReasonForDisorder) {
  const std::string old = commit("old");
  git({"checkout", "--quiet", "-b", "feature"});
  commit("f");
  git({"checkout", "--quiet", "main"});
  std::string newer;
  for (int i = 0; i < 4; ++i) newer = commit(fmt::format("main {}", i));
  commit("one more");
  commit("and another");
  git({"checkout", "--quiet", "feature"});
  git({"merge", "--quiet", "--no-ff", "-m", "merge", "main"});
  const std::string merged = git({"rev-parse", "HEAD"});
  EXPECT_THAT(commits(find({.commit = merged, .heads = {}, .wanted = {old, newer}})), ElementsAre(newer));
  EXPECT_THAT(commits(find({.commit = merged, .heads = {}, .wanted = {old, newer}, .enough = 2})),
              ElementsAre(newer, old));
}

TEST_F(AncestryTest, HistoriesThatShareNothing) {
  const std::string a = commit("a");
  git({"checkout", "--quiet", "--orphan", "other"});
  const std::string b = commit("b");
  const Ancestry ancestry = find({.commit = b, .heads = {a}, .wanted = {a, b}, .enough = 9});
  EXPECT_EQ(ancestry.base, "");
  EXPECT_THAT(ancestry.found, IsEmpty());
  EXPECT_FALSE(ancestry.cut);
  auto missing = find_ancestors(repository(), {.commit = std::string(40, '1'), .heads = {}, .wanted = {}});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), ErrorCode::not_found);
}

TEST_F(AncestryTest, AShallowCloneSaysThatItsHistoryIsCut) {
  const std::string a = commit("a"), b = commit("b"), c = commit("c");
  const std::string clone = dir_->path() + "/clone";
  git({"clone", "--quiet", "--depth=2", "file://" + path(), clone});
  const Repository shallow(clone);
  EXPECT_TRUE(*is_shallow(shallow));
  EXPECT_FALSE(*is_shallow(repository()));
  const auto near = find_ancestors(shallow, {.commit = c, .heads = {}, .wanted = {a, b}});
  ASSERT_TRUE(near.ok()) << near.error().to_string();
  EXPECT_THAT(commits(*near), ElementsAre(b));
  EXPECT_FALSE(near->cut) << "found before the end";
  const auto far = find_ancestors(shallow, {.commit = c, .heads = {}, .wanted = {a}});
  ASSERT_TRUE(far.ok()) << far.error().to_string();
  EXPECT_THAT(far->found, IsEmpty());
  EXPECT_TRUE(far->cut);
}

TEST_F(AncestryTest, HeadsOfABranchAreLocalAndOfTheOrigin) {
  const std::string a = commit("a");
  const std::string clone = dir_->path() + "/clone";
  git({"clone", "--quiet", path(), clone});
  const std::string b = commit("b");
  git({"-C", clone, "fetch", "--quiet"});
  EXPECT_THAT(heads_of_branch(Repository(clone), "main"), ElementsAre(a, b));
  EXPECT_THAT(heads_of_branch(Repository(clone), "nobody"), IsEmpty());
  EXPECT_EQ(shared_head_of_branch(Repository(clone), "main"), b);
  EXPECT_EQ(shared_head_of_branch(repository(), "main"), b);
  EXPECT_EQ(shared_head_of_branch(Repository(clone), "nobody"), std::nullopt);
  git({"tag", "refs/heads/nobody"});
  EXPECT_EQ(shared_head_of_branch(repository(), "nobody"), std::nullopt) << "that is a tag";
}

TEST_F(AncestryTest, TagsByPattern) {
  const std::string a = commit("a");
  git({"tag", "v1"});
  const std::string b = commit("b");
  git({"tag", "-a", "-m", "annotated", "v2"});
  git({"tag", "other"});
  const auto tagged = tagged_commits(repository(), "v*");
  ASSERT_TRUE(tagged.ok());
  EXPECT_EQ(*tagged, (std::set<std::string>{a, b}));
  EXPECT_EQ(*tagged_commits(repository(), "v1"), (std::set<std::string>{a}));
  EXPECT_THAT(*tagged_commits(repository(), "w*"), IsEmpty());
}

}  // namespace
}  // namespace pawl::trigger
