#include "engine/record/git_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "engine/base/digest.h"
#include "engine/base/files.h"
#include "tests/unit/record/samples.h"
#include "tests/unit/trigger/git_fixture.h"

namespace pawl::record {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// Clones of one bare repository.
class GitStoreTest : public trigger::GitTest {
 protected:
  void SetUp() override {
    GitTest::SetUp();
    commit("first");
    git({"clone", "--quiet", "--bare", path(), dir_->path() + "/origin.git"});
  }
  GitStore clone(const std::string& name) {
    const std::string folder = dir_->path() + "/" + name;
    git({"clone", "--quiet", dir_->path() + "/origin.git", folder});
    GitStore store(folder);
    auto opened = store.open();
    EXPECT_TRUE(opened.ok()) << opened.error().to_string();
    return store;
  }
  NewFile make_file(const std::string& content, bool judged = true) {
    const std::string path = dir_->path() + "/" + sha256_hex(content);
    EXPECT_TRUE(write_file_atomic(path, content).ok());
    return {"sha256:" + sha256_hex(content), path, content.size(), judged};
  }
};

NewEntry written(const Entry& entry) {
  return {name_of(entry), write_entry(entry)};
}

TEST_F(GitStoreTest, WhatOneAddsTheOtherHas) {
  GitStore a = clone("a"), b = clone("b");
  EXPECT_TRUE(a.list("model")->empty());
  const NewFile file = make_file("predictions");
  const NewEntry run = written(sample_run()), pin = written(sample_pin());
  auto added = a.add("model", {file}, {run, pin});
  ASSERT_TRUE(added.ok()) << added.error().to_string();
  EXPECT_THAT(*b.list("model"), UnorderedElementsAre(run.name, pin.name));
  EXPECT_TRUE(b.list("other")->empty());
  EXPECT_EQ(*b.get("model", run.name), run.text);
  const std::string to = dir_->path() + "/copy";
  ASSERT_TRUE(b.get_file(file.digest, to).ok());
  EXPECT_EQ(*read_file(to, 100), "predictions");
  EXPECT_EQ(b.get_file("sha256:" + std::string(64, '0'), to).error().code(), ErrorCode::not_found);
}

TEST_F(GitStoreTest, AWriterThatWasOvertakenAddsOnTop) {
  GitStore a = clone("a"), b = clone("b");
  const NewEntry first = written(sample_run(1)), second = written(sample_run(2)),
                 third = written(sample_run(3));
  ASSERT_TRUE(a.add("model", {}, {first}).ok());
  ASSERT_TRUE(b.add("model", {}, {second}).ok());               // it knew of no record
  ASSERT_TRUE(a.add("model", {make_file("x")}, {third}).ok());  // it knew of its own entry only
  for (GitStore* store : {&a, &b})
    EXPECT_THAT(*store->list("model"), UnorderedElementsAre(first.name, second.name, third.name));
}

TEST_F(GitStoreTest, WhatIsThereStaysAndMakesNoCommit) {
  GitStore a = clone("a"), b = clone("b");
  const NewEntry run = written(sample_run());
  ASSERT_TRUE(a.add("model", {}, {run}).ok());
  const std::string origin = dir_->path() + "/origin.git";
  const std::string before = git({"--git-dir", origin, "rev-parse", kGitRef});
  RunEntry other = sample_run();
  other.run.subject = "rewritten";
  ASSERT_TRUE(b.add("model", {}, {written(other)}).ok());
  EXPECT_EQ(git({"--git-dir", origin, "rev-parse", kGitRef}), before);
  EXPECT_EQ(*b.get("model", run.name), run.text);
}

TEST_F(GitStoreTest, ManyWritersLoseNothing) {
  constexpr int kWriters = 4, kEach = 4;
  std::vector<GitStore> stores;
  for (int i = 0; i < kWriters; ++i) stores.push_back(clone("clone-" + std::to_string(i)));
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < kEach; ++i) {
        auto added = stores[static_cast<std::size_t>(writer)].add(
            "model", {}, {written(sample_run(10 + writer * kEach + i))});
        EXPECT_TRUE(added.ok()) << added.error().to_string();
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (GitStore& store : stores)
    EXPECT_EQ(store.list("model")->size(), static_cast<std::size_t>(kWriters * kEach));
}

TEST_F(GitStoreTest, OnlySmallFilesOfTheGateAreKept) {
  GitStore a = clone("a");
  EXPECT_EQ(a.refuses(make_file("predictions")), "");
  EXPECT_THAT(a.refuses(make_file("model", false)), HasSubstr("only the files"));
  NewFile large = make_file("x");
  large.bytes = kMaxGitFileBytes + 1;
  EXPECT_THAT(a.refuses(large), HasSubstr("16"));
}

TEST_F(GitStoreTest, AFileThatIsNotItsDigestIsRefused) {
  GitStore a = clone("a");
  NewFile file = make_file("predictions");
  file.digest = "sha256:" + std::string(64, '1');
  EXPECT_FALSE(a.add("model", {file}, {written(sample_run())}).ok());
  EXPECT_TRUE(a.list("model")->empty());
}

TEST_F(GitStoreTest, ATokenInTheAddressIsNotTold) {
  git({"-C", path(), "remote", "add", "origin", "https://pawl:s3cret@127.0.0.1:1/model.git"});
  GitStore store(path());
  auto opened = store.open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(store.name(), "the record in https://127.0.0.1:1/model.git");
  EXPECT_EQ(opened.error().to_string().find("s3cret"), std::string::npos) << opened.error().to_string();
}

TEST_F(GitStoreTest, WithoutARemoteTheRepositoryKeepsIt) {
  GitStore store(path()), other(path());
  ASSERT_TRUE(store.open().ok());
  ASSERT_TRUE(other.open().ok());
  ASSERT_TRUE(store.add("model", {}, {written(sample_run(1))}).ok());
  ASSERT_TRUE(other.add("model", {}, {written(sample_run(2))}).ok());
  EXPECT_EQ(store.list("model")->size(), 2u);
}

}  // namespace
}  // namespace pawl::record
