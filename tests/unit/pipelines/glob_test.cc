#include "pipelines/glob.h"

#include <gtest/gtest.h>

namespace pawl::pipeline {
namespace {

TEST(Glob, Table) {
  struct Case {
    const char* pattern;
    const char* text;
    bool matches;
  };
  const Case cases[] = {
      {"main", "main", true},
      {"main", "mai", false},
      {"main", "main2", false},
      {"main", "Main", false},
      {"*", "main", true},
      {"*", "feature/x", false},
      {"*", "", true},
      {"**", "feature/x", true},
      {"release/*", "release/1", true},
      {"release/*", "release/", true},
      {"release/*", "release", false},
      {"release/*", "release/1/2", false},
      {"src/**", "src/a", true},
      {"src/**", "src/a/b/c", true},
      {"src/**", "src", false},
      {"src/**", "lib/src/a", false},
      {"**/*.py", "a.py", true},
      {"**/*.py", "a/b/c.py", true},
      {"**/*.py", "a/b/c.pyc", false},
      {"a/**/b", "a/b", true},
      {"a/**/b", "a/x/b", true},
      {"a/**/b", "a/x/y/b", true},
      {"a/**/b", "ab", false},
      {"a/**/b", "a/xb", false},
      {"**/test/**", "test/x", true},
      {"**/test/**", "a/test/x", true},
      {"**/test/**", "a/atest/x", false},
      {"*.py", "a/b.py", false},
      {"**.py", "a/b.py", true},
      {"a?c", "abc", true},
      {"a?c", "a/c", false},
      {"a?c", "ac", false},
      {"a?c",
       "a\xc3\xa9"
       "c",
       true},
      {"a??c",
       "a\xc3\xa9"
       "c",
       false},
      {"?", "\xf0\x9f\x98\x80", true},
      {"a*b*c", "aXbYbZc", true},
      {"a*b*c", "aXbYbZ", false},
      {"v1.*", "v1.2", true},
      {"v1.*", "v1x2", false},
      {"a+(b)", "a+(b)", true},
      {"**/**/x", "x", true},
      {"**/**/x", "a/x", true},
      {"**/", "a/", true},
      {"a**", "a/b/c", true},
  };
  for (const Case& c : cases)
    EXPECT_EQ(glob_matches(c.pattern, c.text), c.matches) << c.pattern << " " << c.text;
}

TEST(Glob, TimeDoesNotExplode) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern, std::string(4000, 'a') + "b"));
  std::string folders;
  for (int i = 0; i < 100; ++i) folders += "**/";
  std::string path;
  for (int i = 0; i < 1000; ++i) path += "a/";
  EXPECT_FALSE(glob_matches(folders + "x", path + "y"));
}

TEST(Glob, BytesOfAnyKindAreJustBytes) {
  EXPECT_TRUE(glob_matches("a*", std::string("a\xff\x00\x80", 4)));
  EXPECT_FALSE(glob_matches("b*", std::string("\xff\xfe", 2)));
}

TEST(Glob, LastMatchDecides) {
  const std::vector<std::string> patterns = {"release/*", "!release/old*", "release/old-but-kept"};
  EXPECT_TRUE(any_glob_matches(patterns, "release/1"));
  EXPECT_FALSE(any_glob_matches(patterns, "release/old"));
  EXPECT_TRUE(any_glob_matches(patterns, "release/old-but-kept"));
  EXPECT_FALSE(any_glob_matches(patterns, "main"));
  EXPECT_TRUE(any_glob_matches({}, "anything"));
}

TEST(Glob, CheckRefusesWhatCannotMatchOrMeansSomethingElsewhere) {
  for (const char* bad :
       {"", "/a", "a/", "a//b", "./a", "a/./b", "a/..", "..", "a[b]", "{a,b}", "a\\*", "***"})
    EXPECT_FALSE(check_glob(bad).ok()) << bad;
  EXPECT_FALSE(check_glob(std::string(513, 'a')).ok());
  for (const char* good :
       {"a", "*", "**", "a/**", "**/a", "a?b", ".github/*", "a.b", "..a", "a b", "\xc3\xa9"})
    EXPECT_TRUE(check_glob(good).ok()) << good;
}

}  // namespace
}  // namespace pawl::pipeline
