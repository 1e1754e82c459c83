#include "engine/forge/git_ref.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/base/subprocess.h"

namespace pawl::forge {
namespace {

// Names on both sides of every rule of git check-ref-format(1).
const std::vector<std::string>& interesting_names() {
  static const std::vector<std::string> kNames = {"refs/heads/main",
                                                  "refs/heads/a/b/c",
                                                  "refs/tags/v1.0",
                                                  "heads/x",
                                                  "main",
                                                  "refs/heads/.hidden",
                                                  "refs/.heads/x",
                                                  "refs/heads/a.lock",
                                                  "refs/a.lock/b",
                                                  "refs/heads/a.lockx",
                                                  "refs/heads/a..b",
                                                  "refs/heads/a.",
                                                  "refs/heads/a./b",
                                                  "refs/heads/",
                                                  "refs//heads",
                                                  "/refs/heads/a",
                                                  "refs/heads/a b",
                                                  "refs/heads/a~b",
                                                  "refs/heads/a^b",
                                                  "refs/heads/a:b",
                                                  "refs/heads/a?b",
                                                  "refs/heads/a*",
                                                  "refs/heads/a[b",
                                                  "refs/heads/a]b",
                                                  "refs/heads/a\\b",
                                                  "refs/heads/@{a",
                                                  "refs/heads/a@{1}",
                                                  "refs/heads/@",
                                                  "refs/heads/a@b",
                                                  "@",
                                                  "refs/heads/-a",
                                                  "-refs/heads/a",
                                                  "refs/heads/a\x7f",
                                                  "refs/heads/\x01",
                                                  "refs/heads/a\tb",
                                                  "refs/heads/a\nb",
                                                  "refs/heads/\xc3\xa9t",
                                                  "refs/heads/\xff\xfe",
                                                  "refs/heads/{a}",
                                                  "refs/heads/a,b;c$(d)",
                                                  "refs/heads/a\"b'c",
                                                  "refs/heads/...",
                                                  "refs/heads/HEAD",
                                                  "refs/pull/1/head"};
  return kNames;
}

TEST(GitRef, AgreesWithGitItself) {
  for (const std::string& name : interesting_names()) {
    CommandOptions options;
    options.argv = {"git", "check-ref-format", name};
    auto git = run_command(options);
    ASSERT_TRUE(git.ok()) << git.error().to_string();
    EXPECT_EQ(valid_ref_name(name), git->status.success()) << name;
  }
}

TEST(GitRef, EmptyAndOverlongAreRefused) {
  EXPECT_FALSE(valid_ref_name(""));
  EXPECT_TRUE(valid_ref_name("refs/heads/" + std::string(1000, 'a')));
  EXPECT_FALSE(valid_ref_name("refs/heads/" + std::string(1100, 'a')));
  EXPECT_FALSE(valid_ref_name(std::string_view("refs/heads/a\0b", 14)));
}

TEST(GitRef, BranchNamesCannotBeOptions) {
  EXPECT_TRUE(valid_branch_name("main"));
  EXPECT_TRUE(valid_branch_name("release/1.x"));
  EXPECT_FALSE(valid_branch_name("--upload-pack=touch x"));
  EXPECT_FALSE(valid_branch_name("-b"));
  EXPECT_FALSE(valid_branch_name("HEAD"));
  EXPECT_FALSE(valid_branch_name(""));
  EXPECT_FALSE(valid_branch_name("a..b"));
}

TEST(GitRef, ObjectIds) {
  EXPECT_TRUE(is_object_id(std::string(40, 'a')));
  EXPECT_TRUE(is_object_id(std::string(64, '0')));
  EXPECT_FALSE(is_object_id(std::string(40, 'A')));
  EXPECT_FALSE(is_object_id(std::string(39, 'a')));
  EXPECT_FALSE(is_object_id(std::string(63, 'a')));
  EXPECT_FALSE(is_object_id(std::string(39, 'a') + "g"));
  EXPECT_TRUE(is_zero_id(std::string(40, '0')));
  EXPECT_FALSE(is_zero_id(std::string(39, '0') + "1"));
  EXPECT_FALSE(is_zero_id(""));
}

}  // namespace
}  // namespace pawl::forge
