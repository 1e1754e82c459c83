#include "runners/local.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "engine/base/ids.h"
#include "engine/base/text.h"

namespace pawl::runners {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kDeadlineMs = 30'000;

// Runs scripts, one rank each, and remembers what happened.
class LocalRunnerTest : public testing::Test {
 protected:
  void SetUp() override {
    RunnerEvents events;
    events.output = [this](int rank, Stream stream, std::string_view bytes) {
      (stream == Stream::out ? out_ : err_)[rank] += bytes;
      if (on_output_) on_output_();
    };
    events.output_end = [this](int, Stream) { ++ends_; };
    events.exit = [this](int rank, ExitStatus status) { exits_.emplace(rank, status); };
    events.ended = [this](Ending ending) {
      ending_ = std::move(ending);
      loop_.stop();
    };
    runner_ = std::make_unique<LocalRunner>(loop_, cookie_, std::move(events));
  }

  Result<void> launch(const std::vector<std::string>& scripts) {
    std::vector<RankSpec> ranks;
    for (const std::string& script : scripts) {
      RankSpec spec;
      spec.rank = static_cast<int>(ranks.size());
      spec.argv = {"bash", "-e", "-o", "pipefail", "-c", script};
      spec.env = {{"PATH", "/usr/bin:/bin"}, {"PAWL_COOKIE", cookie_}};
      spec.cwd = "/";
      ranks.push_back(std::move(spec));
    }
    return runner_->launch(ranks);
  }

  void run_to_end() {
    bool late = false;
    auto timer = loop_.call_after(kDeadlineMs, [&] {
      late = true;
      loop_.stop();
    });
    loop_.run();
    loop_.remove(timer);
    ASSERT_FALSE(late) << "the attempt did not end";
  }

  void run(const std::vector<std::string>& scripts) {
    auto launched = launch(scripts);
    ASSERT_TRUE(launched.ok()) << launched.error().to_string();
    run_to_end();
  }

  // Calls terminate as soon as `text` stands in the output of rank 0.
  void terminate_on(const std::string& text, int64_t grace_ms) {
    on_output_ = [this, text, grace_ms] {
      if (out_[0].find(text) == std::string::npos) return;
      runner_->terminate(grace_ms);
    };
  }

  EventLoop loop_;
  std::string cookie_ = "test/" + random_hex(8) + "/1/1";
  std::map<int, std::string> out_;
  std::map<int, std::string> err_;
  std::map<int, ExitStatus> exits_;
  std::optional<Ending> ending_;
  int ends_ = 0;
  std::function<void()> on_output_;
  std::unique_ptr<LocalRunner> runner_;
};

TEST_F(LocalRunnerTest, RanksRunAndEnd) {
  run({"echo zero; echo warn >&2", "echo one; exit 3"});
  EXPECT_EQ(out_[0], "zero\n");
  EXPECT_EQ(err_[0], "warn\n");
  EXPECT_EQ(out_[1], "one\n");
  EXPECT_EQ(exits_.at(0), ExitStatus::exited(0));
  EXPECT_EQ(exits_.at(1), ExitStatus::exited(3));
  EXPECT_EQ(ends_, 4);
  EXPECT_THAT(ending_->leftovers, IsEmpty());
}

TEST_F(LocalRunnerTest, ChildHasAClearRoom) {
  run(
      {"ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/fd/0; read x || echo eof;"
       "grep -E 'Sig(Blk|Ign)' /proc/self/status; ps -o pid=,pgid=,sid= -p $$"});
  std::vector<std::string_view> lines = split(out_[0], '\n');
  ASSERT_GE(lines.size(), 5u);
  EXPECT_EQ(lines[0], "0 1 2 3 /dev/null");  // 3 is ls reading the folder
  EXPECT_EQ(lines[1], "eof");
  EXPECT_THAT(std::string(lines[2]), testing::EndsWith("0000000000000000"));
  EXPECT_THAT(std::string(lines[3]), testing::EndsWith("0000000000000000"));
  std::string ids(trim(lines[4]));
  std::string pid = ids.substr(0, ids.find(' '));
  EXPECT_THAT(ids, testing::MatchesRegex(pid + " +" + pid + " +" + pid));
}

TEST_F(LocalRunnerTest, PipefailAndErrexitHold) {
  run({"false | true; echo not reached", "false; echo not reached"});
  EXPECT_EQ(exits_.at(0), ExitStatus::exited(1));
  EXPECT_EQ(exits_.at(1), ExitStatus::exited(1));
  EXPECT_EQ(out_[0] + out_[1], "");
}

TEST_F(LocalRunnerTest, SignalIsNamed) {
  run({"kill -SEGV $$"});
  EXPECT_EQ(exits_.at(0), ExitStatus::killed(SIGSEGV));
}

TEST_F(LocalRunnerTest, LeftoversAreEndedAndNamed) {
  // Forks twice, leaves the session, cleans its environment, and keeps standard output open.
  auto folder = TempDir::create("pawl-local");
  ASSERT_TRUE(folder.ok());
  run({fmt::format(
      "mkfifo {0}/ready; (env -i setsid /bin/bash -c 'echo $$ > {0}/ready; exec /bin/sleep 1000' &);"
      "read pid < {0}/ready; echo $pid; exit 0",
      folder->path())});
  EXPECT_EQ(exits_.at(0), ExitStatus::exited(0));
  EXPECT_FALSE(find_process(std::stoi(out_[0])).ok());
  EXPECT_EQ(ending_->leftovers.size(), 1u);  // still bash, or sleep already
  EXPECT_THAT(ending_->survivors, IsEmpty());
}

TEST_F(LocalRunnerTest, TerminateEndsTheWholeTree) {
  terminate_on("ready", kDeadlineMs);
  run({"sleep 1000 & (setsid sleep 1000 &); echo ready; wait", "sleep 1000"});
  EXPECT_EQ(exits_.at(0), ExitStatus::killed(SIGTERM));
  EXPECT_EQ(exits_.at(1), ExitStatus::killed(SIGTERM));
  EXPECT_THAT(ending_->leftovers, IsEmpty());
}

TEST_F(LocalRunnerTest, WhatIgnoresTermIsKilled) {
  terminate_on("ready", 100);
  run({"trap '' TERM; echo ready; while :; do sleep 1000; done"});
  EXPECT_EQ(exits_.at(0), ExitStatus::killed(SIGKILL));
}

TEST_F(LocalRunnerTest, ASecondTerminateShortensTheGrace) {
  on_output_ = [this] {
    if (out_[0] == "ready\n") runner_->terminate(1'000'000);
    if (out_[0] == "ready\nasked\n") runner_->terminate(0);
  };
  run({"trap 'echo asked' TERM; echo ready; while :; do sleep 0.01 || true; done"});
  EXPECT_EQ(exits_.at(0), ExitStatus::killed(SIGKILL));
}

TEST_F(LocalRunnerTest, OutputIsReadWhileTheRankIsAskedToEnd) {
  // More than a pipe holds: the rank can only end if somebody reads.
  terminate_on("ready", kDeadlineMs);
  run(
      {"trap 'head -c 1000000 /dev/zero | tr \"\\0\" x; exit 5' TERM; echo ready; while :; do sleep 0.01; "
       "done"});
  EXPECT_EQ(exits_.at(0), ExitStatus::exited(5));
  EXPECT_EQ(out_[0].size(), 1000006u);
}

TEST_F(LocalRunnerTest, AllStartOrNone) {
  RankSpec good{0, {"sleep", "1000"}, {{"PATH", "/usr/bin:/bin"}, {"PAWL_COOKIE", cookie_}}, "/"};
  RankSpec bad = good;
  bad.rank = 1;
  bad.cwd = "/nonexistent";
  auto launched = runner_->launch({good, bad});
  ASSERT_FALSE(launched.ok());
  EXPECT_THAT(launched.error().to_string(), HasSubstr("cannot start rank 1"));
  EXPECT_THAT(launched.error().to_string(), HasSubstr("No such file or directory"));
  auto tree = find_tree({cookie_, getpid()});
  ASSERT_TRUE(tree.ok());
  EXPECT_THAT(tree->members, IsEmpty());
}

TEST_F(LocalRunnerTest, ACommandTheKernelRefusesIsExplained) {
  auto launched = launch({std::string(200'000, 'x')});
  ASSERT_FALSE(launched.ok());
  EXPECT_THAT(launched.error().to_string(), HasSubstr("too long for the kernel"));
}

}  // namespace
}  // namespace pawl::runners
