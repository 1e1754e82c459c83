#include "runners/process_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/ids.h"
#include "engine/base/subprocess.h"

namespace pawl::runners {
namespace {

constexpr int kDeadlineMs = 20'000;

// A shell script in a session of its own, that says "ready\n" (or pids) on its standard output when it is set
// up.
class Script {
 public:
  Script(const std::string& text, const std::string& cookie) {
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    out_.reset(fds[0]);
    UniqueFd write_end(fds[1]);
    SpawnOptions options;
    options.argv = {"/bin/bash", "-c", text};
    options.env = {{"PATH", "/usr/bin:/bin"}, {"PAWL_COOKIE", cookie}};
    options.stdout_fd = write_end.get();
    options.new_session = true;
    auto child = spawn(options);
    EXPECT_TRUE(child.ok()) << child.error().to_string();
    child_ = std::move(*child);
  }
  ~Script() {
    kill(child_.pid, SIGKILL);
    (void)wait_for(child_);
  }
  std::string line() {
    std::string text;
    char c = 0;
    pollfd readable{out_.get(), POLLIN, 0};
    while (poll(&readable, 1, kDeadlineMs) > 0 && read(out_.get(), &c, 1) == 1 && c != '\n') text += c;
    return text;
  }
  pid_t line_pid() { return std::stoi(line()); }
  pid_t pid() const { return child_.pid; }

 private:
  UniqueFd out_;
  Child child_;
};

bool is_gone(pid_t pid) {
  return !find_process(pid).ok();
}

class ProcessTree : public testing::Test {
 protected:
  std::string cookie_ = "test/" + random_hex(8) + "/1/1";
};

TEST_F(ProcessTree, FindsTheCookieAndNothingElse) {
  Script ours("echo ready; sleep 1000", cookie_);
  Script other("echo ready; sleep 1000", cookie_ + "0");
  EXPECT_EQ(ours.line(), "ready");
  EXPECT_EQ(other.line(), "ready");
  auto report = kill_tree({cookie_, 0}, 10'000);
  ASSERT_TRUE(report.ok()) << report.error().to_string();
  EXPECT_GE(report->signalled, 1);
  EXPECT_TRUE(report->survivors.empty());
  EXPECT_TRUE(is_gone(ours.pid()));
  EXPECT_FALSE(is_gone(other.pid()));
}

TEST_F(ProcessTree, FindsWhatForkedTwiceAndLeftTheSession) {
  Script script("(setsid bash -c 'echo $$; exec sleep 1000' &) ; exit 0", cookie_);
  pid_t daemon = script.line_pid();
  ASSERT_FALSE(is_gone(daemon));
  auto report = sweep_leftovers(cookie_);
  ASSERT_TRUE(report.ok());
  EXPECT_GE(report->signalled, 1);
  EXPECT_FALSE(report->names.empty());
  EXPECT_TRUE(is_gone(daemon));
}

TEST_F(ProcessTree, KillsWhatIgnoresTermAfterTheGrace) {
  Script script("trap '' TERM; echo ready; while :; do sleep 1000; done", cookie_);
  EXPECT_EQ(script.line(), "ready");
  auto report = kill_tree({cookie_, 0}, 100);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(is_gone(script.pid()));
}

TEST_F(ProcessTree, TermComesFirst) {
  Script script("trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.01; done", cookie_);
  EXPECT_EQ(script.line(), "ready");
  ASSERT_TRUE(kill_tree({cookie_, 0}, kDeadlineMs).ok());
  EXPECT_EQ(script.line(), "asked");
}

TEST_F(ProcessTree, FindsTheSessionOfABearer) {
  // The child with a clean environment has lost its parent: only the session leads to it.
  Script script("(env -i /bin/bash -c 'echo $$; exec /bin/sleep 1000' &) ; exec sleep 1000", cookie_);
  pid_t clean = script.line_pid();
  ASSERT_TRUE(sweep_leftovers(cookie_).ok());
  EXPECT_TRUE(is_gone(clean));
}

TEST_F(ProcessTree, FindsDescendantsWithoutAnyMark) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  Script script("(env -i setsid /bin/bash -c 'echo $$; exec /bin/sleep 1000' &) ; exit 0", "other");
  pid_t stray = script.line_pid();
  ASSERT_TRUE(kill_tree({"", getpid()}, 1000).ok());
  EXPECT_TRUE(is_gone(stray));
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_F(ProcessTree, WakesAStoppedProcess) {
  Script script("trap 'echo asked; exit 0' TERM; echo ready; kill -STOP $$; while :; do sleep 0.01; done",
                cookie_);
  EXPECT_EQ(script.line(), "ready");
  ASSERT_TRUE(kill_tree({cookie_, 0}, kDeadlineMs).ok());
  EXPECT_EQ(script.line(), "asked");
}

TEST_F(ProcessTree, FindsWhatIsBornWhileKilling) {
  // On TERM the leader starts a new process that ignores TERM, and goes.
  Script script(
      "trap '(trap \"\" TERM; setsid bash -c \"echo \\$\\$; while :; do sleep 1000; done\" &) ; exit 0' TERM;"
      "echo ready; while :; do sleep 0.01; done",
      cookie_);
  EXPECT_EQ(script.line(), "ready");
  ASSERT_TRUE(kill_tree({cookie_, 0}, 2000).ok());
  pid_t late = script.line_pid();
  EXPECT_TRUE(is_gone(late));
}

TEST_F(ProcessTree, FindsWhatIsAlwaysInAnExec) {
  // In an exec the kernel shows no environment for a moment: not to be taken for a process without the
  // cookie.
  for (int i = 0; i < 20; ++i) {
    Script script("export NEXT='exec /bin/sh -c \"$NEXT\"'; echo ready; exec /bin/sh -c \"$NEXT\"", cookie_);
    EXPECT_EQ(script.line(), "ready");
    ASSERT_TRUE(kill_tree({cookie_, 0}, 0).ok());
    EXPECT_TRUE(is_gone(script.pid())) << i;
  }
}

TEST_F(ProcessTree, NothingToDoIsFine) {
  auto report = sweep_leftovers(cookie_);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->signalled, 0);
}

TEST_F(ProcessTree, ShortenNeverLengthens) {
  TreeKill killing({cookie_, 0}, 1000, 0);
  killing.shorten(5000, 0);
  EXPECT_EQ(killing.due_ms(), 1000);
  killing.shorten(200, 0);
  EXPECT_EQ(killing.due_ms(), 200);
}

TEST(ProcessTable, ReadsItself) {
  auto self = find_process(getpid());
  ASSERT_TRUE(self.ok());
  EXPECT_EQ(self->parent, getppid());
  EXPECT_EQ(self->session, getsid(0));
  EXPECT_GT(self->start_ticks, 0u);
  EXPECT_FALSE(find_process(0x3fffffff).ok());
}

TEST(ProcessTable, NameMayHoldAnything) {
  char old_name[16];
  prctl(PR_GET_NAME, old_name);
  prctl(PR_SET_NAME, "a) S 1 (b");
  auto self = find_process(getpid());
  prctl(PR_SET_NAME, old_name);
  ASSERT_TRUE(self.ok());
  EXPECT_EQ(self->name, "a) S 1 (b");
  EXPECT_EQ(self->parent, getppid());
}

}  // namespace
}  // namespace pawl::runners
