// A repository of its own, made by the git program.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/files.h"
#include "engine/base/subprocess.h"
#include "engine/base/text.h"
#include "engine/trigger/git.h"

namespace pawl::trigger {

// Repositories made by the git program, every commit of the same second, as a rebase leaves them.
class GitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto dir = TempDir::create("pawl-git");
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
    git({"init", "--quiet", "--initial-branch=main", path()});
  }

  std::string path() const { return dir_->path() + "/repository"; }
  Repository repository() const { return Repository(path()); }

  std::string git(std::vector<std::string> arguments) {
    CommandOptions options;
    options.argv = {"git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"};
    if (arguments[0] != "init" && arguments[0] != "clone") options.cwd = path();
    for (std::string& argument : arguments) options.argv.push_back(std::move(argument));
    std::map<std::string, std::string> env = current_environment();
    env["GIT_CONFIG_NOSYSTEM"] = "1";
    env["GIT_CONFIG_GLOBAL"] = "/dev/null";
    env["GIT_AUTHOR_DATE"] = env["GIT_COMMITTER_DATE"] = "1700000000 +0000";
    options.env = std::move(env);
    auto done = run_command(options);
    EXPECT_TRUE(done.ok() && done->status.success()) << (done.ok() ? done->err : done.error().to_string());
    return done.ok() ? std::string(trim(done->out)) : "";
  }

  // An empty commit on the branch that is checked out; its message makes it unlike the others.
  std::string commit(const std::string& name) {
    git({"commit", "--quiet", "--allow-empty", "-m", name});
    return git({"rev-parse", "HEAD"});
  }

  std::optional<TempDir> dir_;
};

}  // namespace pawl::trigger
