#include "pipelines/load.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/files.h"

namespace pawl::pipeline {
namespace {

constexpr const char* kText = "version: 1\non: push\nstages: {a: {run: x}}\ngate: off\n";

class Load : public testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(write_file_atomic(path(name), text).ok());
  }
  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  std::string error() const {
    ParseResult result = load_pipeline(folder_.path());
    EXPECT_FALSE(result.ok());
    return result.diagnostics.empty() ? "" : result.diagnostics[0].message;
  }

  TempDir folder_ = TempDir::create("pawl-load").value();
};

TEST_F(Load, FindsEitherName) {
  write(".pawl.yaml", kText);
  EXPECT_TRUE(load_pipeline(folder_.path()).ok());
  ASSERT_EQ(unlink(path(".pawl.yaml").c_str()), 0);
  write(".pawl.yml", kText);
  EXPECT_TRUE(load_pipeline(folder_.path()).ok());
}

TEST_F(Load, NoFileSaysWhatToDo) {
  ParseResult result = load_pipeline(folder_.path());
  EXPECT_FALSE(result.ok());
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_EQ(result.diagnostics[0].file, path(".pawl.yml"));
  EXPECT_EQ(result.diagnostics[0].hint, "'pawl init' writes one");
}

TEST_F(Load, TwoFilesAreOneTooMany) {
  write(".pawl.yml", kText);
  write(".pawl.yaml", kText);
  EXPECT_NE(error().find(".pawl.yaml: which one counts?"), std::string::npos);
}

TEST_F(Load, OnlyRegularFiles) {
  write("real", kText);
  ASSERT_EQ(symlink("real", path(".pawl.yml").c_str()), 0);
  EXPECT_EQ(error(), "not a regular file");
  ASSERT_EQ(unlink(path(".pawl.yml").c_str()), 0);
  ASSERT_EQ(mkdir(path(".pawl.yml").c_str(), 0755), 0);
  EXPECT_EQ(error(), "not a regular file");
  ASSERT_EQ(rmdir(path(".pawl.yml").c_str()), 0);
  ASSERT_EQ(mkfifo(path(".pawl.yml").c_str(), 0644), 0);  // reading it would wait for ever
  EXPECT_EQ(error(), "not a regular file");
}

TEST_F(Load, AGibibyteIsRefusedUnread) {
  UniqueFd file(open(path(".pawl.yml").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  ASSERT_EQ(ftruncate(file.get(), off_t{1} << 30), 0);  // sparse: reading it would find zeros, another error
  EXPECT_NE(error().find("larger than"), std::string::npos) << error();
}

TEST_F(Load, MistakesNameThePath) {
  write(".pawl.yml", "version: 1\n");
  ParseResult result = load_pipeline(folder_.path());
  ASSERT_FALSE(result.diagnostics.empty());
  EXPECT_EQ(result.diagnostics[0].file, path(".pawl.yml"));
}

}  // namespace
}  // namespace pawl::pipeline
