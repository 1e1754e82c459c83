#include "engine/base/subprocess.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "engine/base/text.h"

namespace pawl {
namespace {

CommandOptions shell(const std::string& script) {
  CommandOptions options;
  options.argv = {"sh", "-c", script};
  return options;
}

TEST(RunCommand, CollectsBothStreamsAndTheExit) {
  auto result = run_command(shell("echo out; echo err >&2; exit 3"));
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(result->out, "out\n");
  EXPECT_EQ(result->err, "err\n");
  EXPECT_EQ(result->status, ExitStatus::exited(3));
  EXPECT_EQ(result->status.to_string(), "exit code 3");
}

TEST(RunCommand, ASignalIsNoExitCode) {
  auto result = run_command(shell("kill -KILL $$"));
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->status.signaled());
  EXPECT_FALSE(result->status.success());
  EXPECT_EQ(result->status.signal(), SIGKILL);
  EXPECT_EQ(result->status.code(), -1);
}

TEST(RunCommand, AMissingProgramIsAnErrorThatNamesIt) {
  CommandOptions options;
  options.argv = {"no-such-program-anywhere"};
  auto result = run_command(options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::not_found);
  EXPECT_NE(result.error().to_string().find("no-such-program-anywhere"), std::string::npos);
}

TEST(RunCommand, ArgumentsAreNoShellLine) {
  CommandOptions options;
  options.argv = {"printf", "%s", "$(id) ; `id` 'x'"};
  EXPECT_EQ(run_command(options)->out, "$(id) ; `id` 'x'");
}

TEST(RunCommand, InputLargerThanAnyPipeComesThrough) {
  const std::string input(3 << 20, 'x');
  CommandOptions options;
  options.argv = {"cat"};
  options.input = input;
  auto result = run_command(options);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->out, input);
}

TEST(RunCommand, ACommandThatDoesNotReadItsInputIsNoHarm) {
  const std::string input(3 << 20, 'x');
  CommandOptions options = shell("exec 0<&-; echo done");
  options.input = input;
  auto result = run_command(options);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(result->out, "done\n");
}

TEST(RunCommand, WithoutInputTheStreamIsAtItsEnd) {
  EXPECT_EQ(run_command(shell("cat; echo end"))->out, "end\n");
}

TEST(RunCommand, ATimeoutKills) {
  // The pid is read back to see that nobody is left.
  auto dir = TempDir::create("pawl-command");
  ASSERT_TRUE(dir.ok());
  CommandOptions options = shell("echo $$ > pid; exec sleep 1000");
  options.cwd = dir->path();
  Result<CommandResult> result = CommandResult{};
  // Doubled until it was long enough to make the file, on a slow machine too.
  for (options.timeout_ms = 50; !path_exists(dir->path() + "/pid"); options.timeout_ms *= 2)
    result = run_command(options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::timeout);
  auto text = read_file(dir->path() + "/pid", 100);
  ASSERT_TRUE(text.ok());
  auto pid = parse_int(trim(*text));
  if (pid.ok()) {  // it was killed before it had written it otherwise
    EXPECT_NE(kill(static_cast<pid_t>(*pid), 0), 0);
  }
}

TEST(RunCommand, ATimeoutCountsForOneThatClosedItsStreamsToo) {
  CommandOptions options = shell("exec 0<&- 1>&- 2>&-; exec sleep 1000");
  options.timeout_ms = 100;
  auto result = run_command(options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::timeout);
}

TEST(RunCommand, OutputIsBounded) {
  CommandOptions options = shell("exec yes");
  options.max_output_bytes = 1000;
  auto result = run_command(options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::invalid);
  options = shell("printf %1000s x");
  options.max_output_bytes = 1000;
  ASSERT_TRUE(run_command(options).ok());
  auto noisy = run_command(shell("head -c 1000000 /dev/zero >&2; echo end"));
  ASSERT_TRUE(noisy.ok());
  EXPECT_EQ(noisy->err.size(), 64u << 10);
  EXPECT_EQ(noisy->out, "end\n");
}

TEST(RunCommand, EnvironmentAndFolderAreThoseAskedFor) {
  CommandOptions options = shell("echo \"$A|$HOME\"; pwd");
  options.env = {{"A", "b c"}, {"PATH", "/usr/bin:/bin"}};
  options.cwd = "/";
  EXPECT_EQ(run_command(options)->out, "b c|\n/\n");
}

TEST(Spawn, NoDescriptorOfOursReachesTheChild) {
  int leaky[2];
  ASSERT_EQ(pipe(leaky), 0);  // without O_CLOEXEC
  UniqueFd a(leaky[0]), b(leaky[1]);
  auto result = run_command(shell("ls /proc/self/fd | wc -l"));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(trim(result->out), "4");  // 0, 1, 2 and the folder being listed
}

TEST(Spawn, SignalsAreAsTheyWouldBeFromAShell) {
  sigset_t blocked, old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &blocked, &old), 0);
  auto result = run_command(shell("kill -TERM $$; echo still here"));
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->status.signal(), SIGTERM);
  EXPECT_EQ(result->out, "");
}

TEST(Spawn, ThePidfdTellsTheEndAndASessionIsItsOwn) {
  SpawnOptions options;
  options.argv = {"sleep", "1000"};
  options.new_session = true;
  auto child = spawn(options);
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(getsid(child->pid), child->pid);
  pollfd ended{child->pidfd.get(), POLLIN, 0};
  EXPECT_EQ(poll(&ended, 1, 0), 0);
  kill(child->pid, SIGTERM);
  EXPECT_EQ(poll(&ended, 1, -1), 1);
  EXPECT_EQ(wait_for(*child), ExitStatus::killed(SIGTERM));
}

}  // namespace
}  // namespace pawl
