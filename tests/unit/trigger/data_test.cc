#include "engine/trigger/data.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <optional>
#include <thread>

#include "engine/base/digest.h"
#include "engine/base/files.h"

namespace pawl::trigger {
namespace {

TEST(Manifest, DoesNotDependOnTheOrderOfListing) {
  DataFile a{"a/x", 1, sha256_hex("1")}, b{"a.gz", 2, sha256_hex("2")}, c{"b", 3, sha256_hex("3")};
  DataVersion version = make_version({a, b, c});
  EXPECT_EQ(make_version({c, b, a}).digest, version.digest);
  EXPECT_EQ(make_version({b, a, c}).manifest, version.manifest);
  EXPECT_EQ(version.manifest,
            sha256_hex("2") + "  2  a.gz\n" + sha256_hex("1") + "  1  a/x\n" + sha256_hex("3") + "  3  b\n");
  EXPECT_EQ(version.digest, "sha256:" + sha256_hex(version.manifest));
  const auto files = parse_manifest(version.manifest);
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(make_version(*files).digest, version.digest);
  EXPECT_EQ(version.files, 3u);
  EXPECT_EQ(version.bytes, 6u);
}

TEST(Manifest, WhatLeadsOutOfTheDatasetIsNoFileOfIt) {
  const std::string digest(64, 'a');
  EXPECT_TRUE(parse_manifest(digest + "  3  a/b  c\n").ok());
  for (const std::string path : {"", "/etc/passwd", "../x", "a/../../x", "a//b", ".."}) {
    EXPECT_FALSE(parse_manifest(digest + "  3  " + path + "\n").ok()) << path;
  }
  for (const std::string line : {"x  3  a", "  3  a", "3  a"}) EXPECT_FALSE(parse_manifest(line).ok()) << line;
  EXPECT_FALSE(parse_manifest(digest + "  x  a\n").ok());
  EXPECT_FALSE(parse_manifest(digest + "  -3  a\n").ok());
  EXPECT_FALSE(parse_manifest(digest + "  99999999999999999999999  a\n").ok());
}

TEST(Manifest, NamesSizesAndContentCount) {
  DataFile file{"a", 1, sha256_hex("1")};
  std::string digest = make_version({file}).digest;
  EXPECT_NE(make_version({{"b", 1, file.sha256}}).digest, digest);
  EXPECT_NE(make_version({{"a", 1, sha256_hex("2")}}).digest, digest);
  EXPECT_NE(make_version({file, {"b", 0, sha256_hex("")}}).digest, digest);
}

class DataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto dir = TempDir::create("pawl-data");
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
    spec_.root = dir_->path() + "/images";
    ASSERT_TRUE(make_dirs(spec_.root + "/deep/er").ok());
    write("train.gz", "train");
    write("deep/er/test.gz", "test");
  }
  std::string path(const std::string& name) const { return spec_.root + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  // Paths of the manifest.
  std::vector<std::string> scanned() {
    auto version = scan_data(spec_, cache_);
    EXPECT_TRUE(version.ok()) << version.error().to_string();
    std::vector<std::string> out;
    std::istringstream lines(version.ok() ? version->manifest : "");
    for (std::string digest, bytes, name; lines >> digest >> bytes >> name;) out.push_back(name);
    return out;
  }
  std::string digest() {
    auto version = scan_data(spec_, cache_);
    return version.ok() ? version->digest : version.error().to_string();
  }

  std::optional<TempDir> dir_;
  DataSpec spec_;
  StatCache cache_;
};
using ::testing::ElementsAre;

TEST_F(DataTest, FilesOfAllFoldersSorted) {
  write("a.gz", "");
  EXPECT_THAT(scanned(), ElementsAre("a.gz", "deep/er/test.gz", "train.gz"));
}

TEST_F(DataTest, UnfinishedFilesDoNotCount) {
  std::string before = digest();
  for (const char* name : {".hidden", "new.gz.tmp", "new.gz.part", "new.gz~"}) write(name, "half");
  ASSERT_TRUE(make_dirs(path(".git/objects")).ok());
  write(".git/objects/a", "x");
  EXPECT_EQ(digest(), before);
  ASSERT_EQ(rename(path("new.gz.tmp").c_str(), path("new.gz").c_str()), 0);
  EXPECT_NE(digest(), before);
}

TEST_F(DataTest, IncludeAndExclude) {
  write("notes.txt", "x");
  spec_.include = {"*.gz", "deep/**"};
  EXPECT_THAT(scanned(), ElementsAre("deep/er/test.gz", "train.gz"));
  spec_.exclude = {"deep/**"};
  EXPECT_THAT(scanned(), ElementsAre("train.gz"));
}

TEST_F(DataTest, LinksLeadToFilesOfTheDatasetOrNowhere) {
  ASSERT_TRUE(write_file_atomic(dir_->path() + "/secret", "key").ok());
  ASSERT_TRUE(make_dirs(dir_->path() + "/images-private").ok());
  ASSERT_TRUE(write_file_atomic(dir_->path() + "/images-private/x", "key").ok());
  for (auto [target, name] : {std::pair("../secret", "up"), std::pair("/etc/passwd", "absolute"),
                              std::pair("../images-private/x", "same-prefix"), std::pair("deep", "folder"),
                              std::pair("nowhere", "broken"), std::pair("circle", "circle"),
                              std::pair("deep/er/test.gz", "inside")}) {
    ASSERT_EQ(symlink(target, path(name).c_str()), 0);
  }
  EXPECT_THAT(scanned(), ElementsAre("deep/er/test.gz", "inside", "train.gz"));
  std::string before = digest();
  write("deep/er/test.gz", "other");
  std::string after = digest();
  EXPECT_NE(after, before);
  EXPECT_NE(after.find("sha256:"), std::string::npos) << after;
}

TEST_F(DataTest, WhatIsNoFileIsNotRead) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_THAT(scanned(), ElementsAre("deep/er/test.gz", "train.gz"));
}

TEST_F(DataTest, ADatasetOfOneFile) {
  spec_.root = path("train.gz");
  EXPECT_THAT(scanned(), ElementsAre("train.gz"));
}

TEST_F(DataTest, NothingIsAnError) {
  spec_.exclude = {"**"};
  EXPECT_EQ(scan_data(spec_, cache_).error().code(), ErrorCode::not_found);
  spec_.root += "/missing";
  EXPECT_EQ(scan_data(spec_, cache_).error().code(), ErrorCode::not_found);
  EXPECT_FALSE(data_fingerprint(spec_).ok());
}

TEST_F(DataTest, ANewlineInANameCannotForgeAManifest) {
  write("a\n" + sha256_hex("x") + "  1  b", "x");
  auto refused = scan_data(spec_, cache_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::invalid);
}

TEST_F(DataTest, AnUntouchedFileIsNotReadAgain) {
  std::string before = digest();
  cache_.entries.at(path("train.gz")).sha256 = sha256_hex("what the cache says");
  EXPECT_NE(digest(), before);
}

TEST_F(DataTest, AChangeThatKeepsSizeAndTimeIsSeen) {
  std::string before = digest();
  struct stat old{};
  ASSERT_EQ(stat(path("train.gz").c_str(), &old), 0);
  struct stat now = old;
  // The clock of files ticks every few milliseconds: write until it has ticked.
  while (now.st_ctim.tv_sec == old.st_ctim.tv_sec && now.st_ctim.tv_nsec == old.st_ctim.tv_nsec) {
    write("train.gz", "TRAIN");
    timespec times[2] = {old.st_atim, old.st_mtim};
    ASSERT_EQ(utimensat(AT_FDCWD, path("train.gz").c_str(), times, 0), 0);
    ASSERT_EQ(stat(path("train.gz").c_str(), &now), 0);
  }
  ASSERT_EQ(now.st_mtim.tv_nsec, old.st_mtim.tv_nsec);
  EXPECT_NE(digest(), before);
}

TEST_F(DataTest, AFileThatChangesWhileItIsReadIsAskedForAgain) {
  write("growing", "");
  ASSERT_EQ(truncate(path("growing").c_str(), 16 << 20), 0);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    std::ofstream out(path("growing"), std::ios::binary | std::ios::app);
    while (!stop) out << 'x' << std::flush;
  });
  // Every scan that finishes without noticing is one the writer was not scheduled in.
  Result<DataVersion> version = scan_data(spec_, cache_);
  for (int i = 0; i < 1000 && version.ok(); ++i) version = scan_data(spec_, cache_);
  stop = true;
  writer.join();
  ASSERT_FALSE(version.ok());
  EXPECT_EQ(version.error().code(), ErrorCode::unavailable);
  EXPECT_TRUE(scan_data(spec_, cache_).ok());
}

TEST_F(DataTest, TheFingerprintMovesWithNamesAndSizes) {
  auto fingerprint = [&] { return *data_fingerprint(spec_); };
  std::string before = fingerprint();
  EXPECT_EQ(fingerprint(), before);
  write("ignored.tmp", "x");
  EXPECT_EQ(fingerprint(), before);
  write("train.gz", "longer than before");
  std::string longer = fingerprint();
  EXPECT_NE(longer, before);
  ASSERT_EQ(rename(path("train.gz").c_str(), path("other.gz").c_str()), 0);
  EXPECT_NE(fingerprint(), longer);
}

}  // namespace
}  // namespace pawl::trigger
