#include "engine/record/directory_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "engine/base/digest.h"
#include "engine/base/files.h"
#include "tests/unit/record/samples.h"

namespace pawl::record {
namespace {

using ::testing::UnorderedElementsAre;

class DirectoryStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto dir = TempDir::create("pawl-record");
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
    store_.emplace(dir_->path());
    ASSERT_TRUE(store_->open().ok());
  }
  NewFile make_file(const std::string& content) {
    const std::string path = dir_->path() + "/" + sha256_hex(content);
    EXPECT_TRUE(write_file_atomic(path, content).ok());
    return {"sha256:" + sha256_hex(content), path, content.size(), true};
  }

  std::optional<TempDir> dir_;
  std::optional<DirectoryStore> store_;
};

NewEntry written(const Entry& entry) {
  return {name_of(entry), write_entry(entry)};
}

TEST_F(DirectoryStoreTest, WhatIsAddedIsThere) {
  const NewFile file = make_file("predictions");
  const NewEntry run = written(sample_run()), pin = written(sample_pin());
  ASSERT_TRUE(store_->add("model", {file}, {pin, run}).ok());
  EXPECT_THAT(*store_->list("model"), UnorderedElementsAre(run.name, pin.name));
  EXPECT_TRUE(store_->list("other")->empty());
  EXPECT_EQ(*store_->get("model", run.name), run.text);
  const std::string to = dir_->path() + "/copy";
  ASSERT_TRUE(store_->get_file(file.digest, to).ok());
  EXPECT_EQ(*read_file(to, 100), "predictions");
  EXPECT_EQ(store_->get_file("sha256:" + std::string(64, '0'), to + "2").error().code(),
            ErrorCode::not_found);
}

TEST_F(DirectoryStoreTest, WhatIsThereStays) {
  const NewEntry run = written(sample_run());
  ASSERT_TRUE(store_->add("model", {}, {run}).ok());
  RunEntry other = sample_run();
  other.run.subject = "rewritten";
  ASSERT_TRUE(store_->add("model", {}, {written(other)}).ok());
  EXPECT_EQ(*store_->get("model", run.name), run.text);
}

TEST_F(DirectoryStoreTest, AFileThatIsNotItsDigestIsRefused) {
  NewFile file = make_file("predictions");
  file.digest = "sha256:" + std::string(64, '1');
  EXPECT_FALSE(store_->add("model", {file}, {written(sample_run())}).ok());
  EXPECT_TRUE(store_->list("model")->empty());
}

TEST_F(DirectoryStoreTest, AWriteThatFailsLeavesNothingHalf) {
  // A file lies where the folder of pins would be made: the run before it is there, whole, and the next try
  // goes on from there.
  const NewEntry run = written(sample_run()), pin = written(sample_pin());
  const std::string blocked = dir_->path() + "/pawl-record-1/" + entry_folder("model", Kind::pin);
  ASSERT_TRUE(make_dirs(parent_path(blocked)).ok());
  ASSERT_TRUE(write_file_atomic(blocked, "").ok());
  EXPECT_FALSE(store_->add("model", {}, {pin, run}).ok());
  EXPECT_EQ(*store_->get("model", run.name), run.text);
  ASSERT_TRUE(remove_tree(blocked).ok());
  ASSERT_TRUE(store_->add("model", {}, {pin, run}).ok());
  EXPECT_THAT(*store_->list("model"), UnorderedElementsAre(run.name, pin.name));
}

TEST_F(DirectoryStoreTest, ManyWritersLoseNothing) {
  constexpr int kWriters = 8, kEach = 10;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      DirectoryStore mine(dir_->path());
      for (int i = 0; i < kEach; ++i) {
        // Each run by two writers, so that the same name is written twice at once.
        EXPECT_TRUE(mine.add("model", {}, {written(sample_run(10 + (writer / 2) * kEach + i))}).ok());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  auto names = store_->list("model");
  ASSERT_TRUE(names.ok());
  EXPECT_EQ(names->size(), static_cast<std::size_t>(kWriters / 2 * kEach));
  for (const std::string& name : *names) EXPECT_TRUE(read_entry(name, *store_->get("model", name)).ok());
}

TEST_F(DirectoryStoreTest, ARecordThatIsGoneIsNotAnEmptyOne) {
  ASSERT_TRUE(remove_tree(dir_->path() + "/pawl-record-1").ok());
  EXPECT_EQ(store_->list("model").error().code(), ErrorCode::unavailable);
  EXPECT_EQ(store_->add("model", {}, {written(sample_run())}).error().code(), ErrorCode::unavailable);
}

}  // namespace
}  // namespace pawl::record
