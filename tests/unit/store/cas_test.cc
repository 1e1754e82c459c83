#include "engine/store/cas.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "engine/base/digest.h"
#include "engine/base/files.h"

namespace pawl::store {
namespace {

class CasTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto dir = TempDir::create("pawl-cas");
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
    file_ = dir_->path() + "/file";
    ASSERT_TRUE(write_file_atomic(file_, "weights").ok());
  }
  // Everything in the store, folders too.
  size_t entries() const {
    size_t count = 0;
    auto folders = list_dir(root());
    for (const DirEntry& folder : folders.ok() ? *folders : std::vector<DirEntry>{}) {
      auto files = list_dir(root() + "/" + folder.name);
      count += 1 + (files.ok() ? files->size() : 0);
    }
    return count;
  }
  std::string root() const { return dir_->path() + "/cas"; }

  std::optional<TempDir> dir_;
  std::string file_;
};

TEST_F(CasTest, ContentIsFoundByItsDigest) {
  Cas cas(root());
  auto stored = cas.put_file(file_);
  ASSERT_TRUE(stored.ok()) << stored.error().to_string();
  EXPECT_EQ(stored->digest, "sha256:" + sha256_hex("weights"));
  EXPECT_EQ(stored->bytes, 7u);
  auto path = cas.path_of(stored->digest);
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(*read_file(*path, 100), "weights");
  struct stat st {};
  ASSERT_EQ(stat(path->c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0222, 0u);  // never changed
  ASSERT_TRUE(write_file_atomic(file_, "other").ok());
  EXPECT_EQ(*read_file(*path, 100), "weights");
}

TEST_F(CasTest, TheSameContentIsKeptOnce) {
  Cas cas(root());
  ASSERT_TRUE(cas.put_file(file_).ok());
  ASSERT_TRUE(cas.put_file(file_).ok());
  EXPECT_EQ(entries(), 2u);  // one folder, one file, nothing temporary
}

TEST_F(CasTest, AnEmptyFileIsContentToo) {
  ASSERT_TRUE(write_file_atomic(file_, "").ok());
  auto stored = Cas(root()).put_file(file_);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->bytes, 0u);
}

TEST_F(CasTest, OnlyRegularFilesAreTaken) {
  std::string link = dir_->path() + "/link", fifo = dir_->path() + "/fifo";
  ASSERT_EQ(symlink(file_.c_str(), link.c_str()), 0);
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const std::string& path :
       {link, fifo, dir_->path(), std::string("/dev/null"), dir_->path() + "/missing"})
    EXPECT_FALSE(Cas(root()).put_file(path).ok()) << path;
  EXPECT_EQ(entries(), 0u);
}

TEST_F(CasTest, HostileDigestsLeadNowhere) {
  Cas cas(root());
  ASSERT_TRUE(cas.put_file(file_).ok());
  std::string hex = sha256_hex("weights");
  std::string upper = hex;
  for (char& c : upper) c = static_cast<char>(toupper(c));
  const std::string hostile[] = {"",
                                 "sha256:",
                                 hex,
                                 "sha256:" + upper,
                                 "sha256:" + hex + "0",
                                 "sha256:" + hex.substr(1),
                                 "md5:" + hex,
                                 "sha256:../../../../etc/passwd",
                                 "sha256:.." + std::string(62, '/'),
                                 "sha256:" + hex.substr(0, 63) + "/",
                                 "sha256:" + hex.substr(0, 63) + std::string(1, '\0')};
  for (const std::string& digest : hostile) {
    auto path = cas.path_of(digest);
    ASSERT_FALSE(path.ok()) << digest;
    EXPECT_EQ(path.error().code(), ErrorCode::invalid) << digest;
  }
  auto absent = cas.path_of("sha256:" + sha256_hex("other"));
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code(), ErrorCode::not_found);
}

TEST_F(CasTest, WhatIsNotHereIsBroughtOnceAndKept) {
  const std::string digest = "sha256:" + sha256_hex("weights");
  int asked = 0;
  const Cas cas(root(), [&](const std::string& wanted, const std::string& to) {
    ++asked;
    EXPECT_EQ(wanted, digest);
    return write_file_atomic(to, "weights");
  });
  EXPECT_FALSE(cas.has(digest));
  for (int i = 0; i < 2; ++i) {
    auto path = cas.path_of(digest);
    ASSERT_TRUE(path.ok()) << path.error().to_string();
    EXPECT_EQ(*read_file(*path, 100), "weights");
  }
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(cas.has(digest));
  EXPECT_EQ(entries(), 2u);  // nothing temporary
}

TEST_F(CasTest, WhatWasBroughtMustBeWhatWasAskedFor) {
  const std::string digest = "sha256:" + sha256_hex("weights");
  const Cas wrong(root(),
                  [&](const std::string&, const std::string& to) { return write_file_atomic(to, "others"); });
  EXPECT_EQ(wrong.path_of(digest).error().code(), ErrorCode::io);
  const Cas none(root(), [](const std::string&, const std::string&) -> Result<void> {
    return Error(ErrorCode::not_found, "is not there either");
  });
  EXPECT_EQ(none.path_of(digest).error().code(), ErrorCode::not_found);
  EXPECT_FALSE(none.has(digest));
}

}  // namespace
}  // namespace pawl::store
