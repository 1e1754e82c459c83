#include "engine/base/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <thread>

#include "engine/base/subprocess.h"

namespace pawl {
namespace {

using ::testing::ElementsAre;

class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto dir = TempDir::create("pawl-files");
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
  }
  std::string path(const std::string& name) const { return dir_->path() + "/" + name; }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    auto entries = list_dir(dir_->path());
    for (const DirEntry& entry : *entries) out.push_back(entry.name);
    return out;
  }
  std::optional<TempDir> dir_;
};

TEST_F(FilesTest, AnAtomicWriteReplacesAndLeavesNothingElse) {
  ASSERT_TRUE(write_file_atomic(path("a"), "old").ok());
  ASSERT_TRUE(write_file_atomic(path("a"), std::string("new\0", 4), 0600).ok());
  EXPECT_EQ(*read_file(path("a"), 100), std::string("new\0", 4));
  struct stat st{};
  ASSERT_EQ(stat(path("a").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(FilesTest, AFailedWriteLeavesEverythingAsItWas) {
  ASSERT_TRUE(make_dirs(path("folder/inside")).ok());
  EXPECT_FALSE(write_file_atomic(path("folder"), "x").ok());
  EXPECT_FALSE(write_file_atomic(path("missing/a"), "x").ok());
  EXPECT_THAT(names(), ElementsAre("folder"));
}

TEST_F(FilesTest, AReaderSeesOldOrNewNeverHalf) {
  const std::string versions[] = {std::string(200'000, 'a'), std::string(300'000, 'b')};
  ASSERT_TRUE(write_file_atomic(path("a"), versions[0]).ok());
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(write_file_atomic(path("a"), versions[i % 2]).ok());
    stop = true;
  });
  while (!stop) {
    auto text = read_file(path("a"), 1 << 20);
    if (!text.ok() || (*text != versions[0] && *text != versions[1])) {
      ADD_FAILURE() << "half a file";
      break;
    }
  }
  writer.join();
}

TEST_F(FilesTest, ReadsAreBounded) {
  ASSERT_TRUE(write_file_atomic(path("a"), "12345").ok());
  EXPECT_EQ(*read_file(path("a"), 5), "12345");
  auto refused = read_file(path("a"), 4);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::invalid);
  EXPECT_EQ(read_file(path("missing"), 4).error().code(), ErrorCode::not_found);
  EXPECT_GT(read_file("/proc/self/status", 1 << 20)->size(), 100u);  // says that its size is 0
}

TEST_F(FilesTest, WhatIsNoFileIsNotReadAndDoesNotHang) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(read_file(path("pipe"), 100).ok());
  EXPECT_FALSE(read_file(dir_->path(), 100).ok());
  EXPECT_FALSE(read_file("/dev/zero", 100).ok());
}

TEST_F(FilesTest, FoldersAreMadeAndAFileInTheWayIsAnError) {
  ASSERT_TRUE(make_dirs(path("a/b/c")).ok());
  ASSERT_TRUE(make_dirs(path("a/b/c")).ok());
  ASSERT_TRUE(write_file_atomic(path("file"), "").ok());
  EXPECT_FALSE(make_dirs(path("file")).ok());
  EXPECT_FALSE(make_dirs(path("file/below")).ok());
}

TEST_F(FilesTest, RemovingATreeDoesNotFollowLinks) {
  ASSERT_TRUE(make_dirs(path("kept")).ok());
  ASSERT_TRUE(write_file_atomic(path("kept/a"), "x").ok());
  ASSERT_TRUE(make_dirs(path("tree/deep")).ok());
  ASSERT_EQ(symlink("../../kept", path("tree/deep/link").c_str()), 0);
  ASSERT_EQ(symlink("nowhere", path("tree/broken").c_str()), 0);
  ASSERT_TRUE(remove_tree(path("tree")).ok());
  EXPECT_FALSE(path_exists(path("tree")));
  EXPECT_TRUE(path_exists(path("kept/a")));
  ASSERT_EQ(symlink("kept", path("link").c_str()), 0);
  ASSERT_TRUE(remove_tree(path("link")).ok());
  EXPECT_TRUE(path_exists(path("kept/a")));
  EXPECT_TRUE(remove_tree(path("missing")).ok());
}

TEST_F(FilesTest, ListingIsSortedAndTyped) {
  using Type = DirEntry::Type;
  ASSERT_TRUE(make_dirs(path("b")).ok());
  ASSERT_TRUE(write_file_atomic(path("a"), "").ok());
  ASSERT_EQ(symlink("a", path("c").c_str()), 0);
  ASSERT_EQ(mkfifo(path(".d").c_str(), 0600), 0);
  auto entries = list_dir(dir_->path());
  ASSERT_TRUE(entries.ok());
  ASSERT_THAT(names(), ElementsAre(".d", "a", "b", "c"));
  EXPECT_EQ((*entries)[0].type, Type::other);
  EXPECT_EQ((*entries)[1].type, Type::file);
  EXPECT_EQ((*entries)[2].type, Type::directory);
  EXPECT_EQ((*entries)[3].type, Type::symlink);
  EXPECT_FALSE(list_dir(path("missing")).ok());
}

TEST_F(FilesTest, ALockHasOneHolderAndIsNotInherited) {
  EXPECT_FALSE(*FileLock::is_held(path("lock")));
  {
    auto lock = FileLock::try_acquire(path("lock"));
    ASSERT_TRUE(lock.ok());
    EXPECT_TRUE(*FileLock::is_held(path("lock")));
    auto second = FileLock::try_acquire(path("lock"));
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code(), ErrorCode::conflict);
    EXPECT_TRUE(*FileLock::is_held(path("lock")));  // asking changed nothing
  }
  EXPECT_FALSE(*FileLock::is_held(path("lock")));
  EXPECT_TRUE(FileLock::try_acquire(path("lock")).ok());
}

TEST_F(FilesTest, ATemporaryFolderIsPrivateAndGoesWithItsOwner) {
  std::string gone;
  {
    auto dir = TempDir::create("pawl-files");
    ASSERT_TRUE(dir.ok());
    gone = dir->path();
    struct stat st{};
    ASSERT_EQ(stat(gone.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0700u);
    TempDir moved = std::move(*dir);
    ASSERT_TRUE(write_file_atomic(moved.path() + "/a", "x").ok());
    EXPECT_TRUE(path_exists(gone));
  }
  EXPECT_FALSE(path_exists(gone));
}

TEST_F(FilesTest, DescriptorsHaveOneOwner) {
  UniqueFd a(open("/dev/null", O_RDONLY | O_CLOEXEC));
  int number = a.get();
  UniqueFd b = std::move(a);
  EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): what is tested
  EXPECT_EQ(b.get(), number);
  b.reset();
  EXPECT_EQ(fcntl(number, F_GETFD), -1);
}

TEST(Paths, ParentAndJoin) {
  EXPECT_EQ(parent_path("/a/b"), "/a");
  EXPECT_EQ(parent_path("/a"), "/");
  EXPECT_EQ(parent_path("a"), ".");
  EXPECT_EQ(join_path("/a", "b"), "/a/b");
  EXPECT_EQ(join_path("/a", "/b"), "/b");
}

}  // namespace
}  // namespace pawl
