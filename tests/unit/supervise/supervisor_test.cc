// Real supervisors with real ranks, through the client that the engine uses.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>

#include "engine/base/ids.h"
#include "engine/base/text.h"
#include "engine/supervise/client.h"
#include "engine/supervise/intent.h"
#include "engine/trace/query.h"
#include "runners/gpu.h"
#include "runners/process_tree.h"

namespace pawl::supervise {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr int kDeadlineMs = 60'000;

bool wait_readable(int fd) {
  pollfd readable{fd, POLLIN, 0};
  return poll(&readable, 1, kDeadlineMs) > 0;
}

// A named pipe between a test and the scripts of its ranks.
class Fifo {
 public:
  explicit Fifo(const std::string& path) : path_(path) {
    EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
    fd_.reset(open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  }
  const std::string& path() const { return path_; }
  std::string line() {
    std::string text;
    char c = 0;
    while (wait_readable(fd_.get()) && read(fd_.get(), &c, 1) == 1 && c != '\n') text += c;
    return text;
  }
  void tell() { ASSERT_EQ(write(fd_.get(), "go\n", 3), 3); }

 private:
  std::string path_;
  UniqueFd fd_;
};

class SupervisorTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::make_unique<TempDir>(TempDir::create("pawl-supervise").value());
    intent_.run_id = "test-" + random_hex(8);
    intent_.stage = "train";
    intent_.attempt_dir = folder_->path() + "/train/1";
    intent_.checkpoint_dir = folder_->path() + "/train/checkpoints";
    intent_.source_dir = folder_->path() + "/source";
    intent_.grace_s = 1;
    set_fence(1);
    ASSERT_TRUE(make_dirs(intent_.attempt_dir).ok());
    ASSERT_TRUE(make_dirs(intent_.source_dir).ok());
  }
  void TearDown() override {
    if (child_) {
      kill(child_->pid, SIGKILL);
      (void)wait_for(*child_);
    }
    EXPECT_TRUE(runners::sweep_leftovers(intent_.cookie).ok());
  }

  void set_fence(int64_t fence) {
    intent_.fence = fence;
    intent_.cookie = runners::make_cookie(intent_.run_id, intent_.stage, intent_.attempt, fence);
  }
  const std::string& dir() const { return intent_.attempt_dir; }
  Fifo fifo(const std::string& name) { return Fifo(folder_->path() + "/" + name); }

  Child spawn_supervisor() {
    auto child = start_supervisor(SUPERVISE_TOOL, dir());
    EXPECT_TRUE(child.ok()) << child.error().to_string();
    return std::move(*child);
  }
  void start(const std::string& command, int ranks = 1) {
    intent_.command = command;
    intent_.ranks = intent_.cpus = ranks;
    start();
  }
  void start() {
    ASSERT_TRUE(write_intent(intent_).ok());
    child_ = spawn_supervisor();
  }
  int finish_code() {
    EXPECT_TRUE(wait_readable(child_->pidfd.get())) << "the supervisor does not end";
    int code = wait_for(*child_).code();
    child_.reset();
    return code;
  }
  AttemptResult finish() {
    EXPECT_EQ(finish_code(), 0) << text_of("supervisor.log");
    auto result = read_result(dir());
    EXPECT_TRUE(result.ok()) << result.error().to_string();
    return result.ok() ? *result : AttemptResult{};
  }
  AttemptResult run(const std::string& command, int ranks = 1) {
    start(command, ranks);
    return finish();
  }
  std::string text_of(const std::string& name) { return read_file(dir() + "/" + name, 1 << 30).value_or(""); }

  void add_rule(const std::string& name, rules::Action action, bool required = false) {
    rules::RuleConfig rule;
    rule.rule = name;
    rule.on_fire = action;
    rule.required = required;
    intent_.rules.push_back(rule);
    intent_.capture = "losses every=1\nscalars every=1\ngradients every=1";
  }

  std::unique_ptr<TempDir> folder_;
  Intent intent_;
  std::optional<Child> child_;
};

TEST_F(SupervisorTest, RunsToTheEnd) {
  AttemptResult result = run("echo out $RANK; echo err $RANK >&2; echo kept > $PAWL_OUTPUT_DIR/file", 2);
  EXPECT_EQ(result.outcome, Outcome::succeeded);
  EXPECT_EQ(result.reason, "succeeded");
  EXPECT_EQ(result.fence, 1);
  ASSERT_EQ(result.exits.size(), 2u);
  EXPECT_TRUE(result.exits[0].status.success());
  EXPECT_GT(result.started_unix_ms, 0);
  EXPECT_GE(result.ended_unix_ms, result.started_unix_ms);
  EXPECT_THAT(result.notes, IsEmpty());
  EXPECT_THAT(text_of("log"),
              AllOf(HasSubstr("out 0\n"), HasSubstr("err 0\n"), HasSubstr("out 1\n"), HasSubstr("err 1\n")));
  EXPECT_EQ(result.log_bytes, 24u);
  EXPECT_EQ(text_of("out/file"), "kept\n");
  EXPECT_EQ(probe(dir())->state, Probe::State::finished);
  EXPECT_EQ(probe(dir())->result->outcome, Outcome::succeeded);
  EXPECT_TRUE(read_started(dir()).ok());
  EXPECT_FALSE(path_exists(dir() + "/sock"));
}

TEST_F(SupervisorTest, RanksHaveTheirEnvironmentAndNoMore) {
  setenv("FORGE_TOKEN", "secret", 1);
  intent_.env = {{"EPOCHS", "2"}};
  intent_.setup = "export FROM_SETUP=yes";
  AttemptResult result = run("env; pwd", 2);
  unsetenv("FORGE_TOKEN");
  EXPECT_EQ(result.outcome, Outcome::succeeded);
  std::string log = text_of("log");
  for (const char* line : {"RANK=0\n", "RANK=1\n", "WORLD_SIZE=2\n", "EPOCHS=2\n", "FROM_SETUP=yes\n",
                           "PAWL=1\n", "OMP_NUM_THREADS=1\n"}) {
    EXPECT_THAT(log, HasSubstr(line));
  }
  EXPECT_THAT(log, HasSubstr("PAWL_COOKIE=" + intent_.cookie + "\n"));
  EXPECT_THAT(log, HasSubstr("\n" + intent_.source_dir + "\n"));
  EXPECT_THAT(log, Not(HasSubstr("FORGE_TOKEN")));
}

TEST_F(SupervisorTest, AFailingRankBringsTheOthersDown) {
  AttemptResult result = run("if [ $RANK = 1 ]; then echo no >&2; exit 3; fi; sleep 1000", 2);
  EXPECT_EQ(result.outcome, Outcome::failed);
  EXPECT_EQ(result.reason, "rank 1 ended with exit code 3");
  EXPECT_EQ(result.first_failing_rank, 1);
  EXPECT_EQ(result.exits[0].status, ExitStatus::killed(SIGTERM));
  EXPECT_EQ(result.exits[1].status, ExitStatus::exited(3));
}

TEST_F(SupervisorTest, TheOthersMaySayWhatTheySawOfAFailure) {
  Fifo gone = fifo("gone");
  AttemptResult result = run(
      fmt::format(
          "if [ $RANK = 1 ]; then (trap 'echo x > {0}' EXIT; exit 0); exit 3; fi; read x < {0}; echo lost my "
          "peer; exit 1",
          gone.path()),
      2);
  EXPECT_EQ(result.outcome, Outcome::failed);
  EXPECT_EQ(result.exits[0].status, ExitStatus::exited(1));
  EXPECT_THAT(text_of("log"), HasSubstr("lost my peer"));
}

TEST_F(SupervisorTest, ASignalIsNamedWithItsUsualMeaning) {
  AttemptResult result = run("kill -KILL $$");
  EXPECT_EQ(result.outcome, Outcome::failed);
  EXPECT_EQ(result.reason, "rank 0 ended with signal 9 (Killed): often the kernel, out of memory");
}

TEST_F(SupervisorTest, CancelEndsWhatIgnoresTerm) {
  Fifo ready = fifo("ready");
  start(fmt::format(
      "trap '' TERM; (setsid sh -c 'echo $$ > {}; while :; do sleep 1000; done' &); while :; do sleep "
      "1000; done",
      ready.path()));
  pid_t worker = std::stoi(ready.line());
  EXPECT_EQ(probe(dir())->state, Probe::State::running);
  ASSERT_TRUE(request_stop(dir(), "cancelled by ann").ok());
  AttemptResult result = finish();
  EXPECT_EQ(result.outcome, Outcome::cancelled);
  EXPECT_EQ(result.reason, "cancelled by ann");
  EXPECT_EQ(result.exits[0].status, ExitStatus::killed(SIGKILL));
  EXPECT_FALSE(runners::find_process(worker).ok());
}

TEST_F(SupervisorTest, CancelAsksFirst) {
  Fifo ready = fifo("ready");
  intent_.grace_s = 1000;
  start(fmt::format("trap 'echo saved; exit 0' TERM; echo > {}; while :; do sleep 0.01 || true; done",
                    ready.path()));
  ready.line();
  ASSERT_TRUE(request_stop(dir(), "cancelled by ann").ok());
  AttemptResult result = finish();
  EXPECT_EQ(result.outcome, Outcome::cancelled);
  EXPECT_THAT(text_of("log"), HasSubstr("saved\n"));
}

TEST_F(SupervisorTest, ADaemonThatIsLeftBehindIsEndedAndNoted) {
  Fifo ready = fifo("ready");
  AttemptResult result =
      run(fmt::format("(env -i setsid /bin/bash -c 'echo $$ > {0}.pid; echo > {0}; exec /bin/sleep 1000' &); "
                      "read x < {0}; exit 0",
                      ready.path()));
  EXPECT_EQ(result.outcome, Outcome::succeeded);
  ASSERT_EQ(result.notes.size(), 1u);
  EXPECT_THAT(result.notes[0], StartsWith("ended processes that the stage left running: "));
  EXPECT_FALSE(runners::find_process(std::stoi(read_file(ready.path() + ".pid", 100).value())).ok());
}

TEST_F(SupervisorTest, Timeout) {
  intent_.timeout_s = 1;
  AttemptResult result = run("sleep 1000", 2);
  EXPECT_EQ(result.outcome, Outcome::timed_out);
  EXPECT_THAT(result.reason, HasSubstr("ran longer than its timeout of 1"));
}

TEST_F(SupervisorTest, TermToTheSupervisorIsACancel) {
  Fifo ready = fifo("ready");
  start(fmt::format("echo > {}; sleep 1000", ready.path()));
  ready.line();
  kill(child_->pid, SIGTERM);
  AttemptResult result = finish();
  EXPECT_EQ(result.outcome, Outcome::cancelled);
  EXPECT_THAT(result.reason, HasSubstr(fmt::format("process {}", getpid())));
}

TEST_F(SupervisorTest, TheEndOfATerminalIsNone) {
  Fifo ready = fifo("ready");
  Fifo go = fifo("go");
  start(fmt::format("echo > {}; read x < {}", ready.path(), go.path()));
  ready.line();
  kill(child_->pid, SIGHUP);
  kill(child_->pid, SIGPIPE);
  EXPECT_EQ(getsid(child_->pid), child_->pid);
  go.tell();
  EXPECT_EQ(finish().outcome, Outcome::succeeded);
}

TEST_F(SupervisorTest, AfterItsKillNothingIsLeftAndAnotherMayStart) {
  Fifo pids = fifo("pids");
  // A launcher (the rank) with a worker in the same session, and one that left it.
  start(
      fmt::format("sh -c 'echo $$ > {0}; exec sleep 1000' & setsid sh -c 'echo $$ > {0}; exec sleep 1000' & "
                  "echo $$ > {0}; wait",
                  pids.path()),
      2);
  std::vector<pid_t> all;
  for (int i = 0; i < 6; ++i) all.push_back(std::stoi(pids.line()));
  UniqueFd supervisor = open_supervisor(dir()).value();
  kill(child_->pid, SIGKILL);
  ASSERT_TRUE(wait_readable(supervisor.get()));
  (void)wait_for(*child_);
  EXPECT_EQ(probe(dir())->state, Probe::State::gone);
  EXPECT_EQ(open_supervisor(dir()).error().code(), ErrorCode::not_found);
  EXPECT_EQ(request_stop(dir(), "x").error().code(), ErrorCode::unavailable);

  ASSERT_TRUE(runners::sweep_leftovers(intent_.cookie).ok());
  for (pid_t pid : all) EXPECT_FALSE(runners::find_process(pid).ok()) << pid;
  ASSERT_TRUE(write_file_atomic(dir() + "/out/metrics.json", "{}").ok());
  set_fence(2);
  AttemptResult result = run("ls $PAWL_OUTPUT_DIR | wc -l");
  EXPECT_EQ(result.outcome, Outcome::succeeded);
  EXPECT_EQ(text_of("log"), "0\n");  // nothing of the first start is taken for this one's
  EXPECT_EQ(result.fence, 2);
}

TEST_F(SupervisorTest, ASecondSupervisorLeaves) {
  Fifo ready = fifo("ready");
  Fifo go = fifo("go");
  start(fmt::format("echo > {}; read x < {}", ready.path(), go.path()));
  ready.line();
  Child second = spawn_supervisor();
  ASSERT_TRUE(wait_readable(second.pidfd.get()));
  EXPECT_EQ(wait_for(second), ExitStatus::exited(3));
  EXPECT_THAT(text_of("supervisor.log"), HasSubstr("another supervisor has the attempt"));
  go.tell();
  EXPECT_EQ(finish().outcome, Outcome::succeeded);

  Child third = spawn_supervisor();
  ASSERT_TRUE(wait_readable(third.pidfd.get()));
  EXPECT_EQ(wait_for(third), ExitStatus::exited(3));
  EXPECT_THAT(text_of("supervisor.log"), HasSubstr("the attempt has ended already"));
}

// Whether the process has the file open.
bool has_open(pid_t pid, const std::string& path) {
  std::string folder = fmt::format("/proc/{}/fd", pid);
  auto entries = list_dir(folder);
  if (!entries.ok()) return false;
  return std::ranges::any_of(*entries, [&](const DirEntry& entry) {
    char target[4096];
    ssize_t n = readlink((folder + "/" + entry.name).c_str(), target, sizeof target);
    return n > 0 && std::string_view(target, static_cast<size_t>(n)) == path;
  });
}

TEST_F(SupervisorTest, ALaterFenceWins) {
  {
    auto held = FileLock::try_acquire(dir() + "/lock");
    ASSERT_TRUE(held.ok());
    start("echo never");
    while (!has_open(child_->pid, dir() + "/lock") && poll(nullptr, 0, 1) == 0) continue;
    set_fence(2);
    ASSERT_TRUE(write_intent(intent_).ok());
  }
  EXPECT_EQ(finish_code(), 3);
  EXPECT_THAT(text_of("supervisor.log"), HasSubstr("the attempt was given to a later supervisor"));
  EXPECT_FALSE(path_exists(dir() + "/supervisor.json"));
  EXPECT_FALSE(path_exists(dir() + "/result.json"));
  EXPECT_EQ(probe(dir())->state, Probe::State::gone);
}

TEST_F(SupervisorTest, TheLogIsExact) {
  AttemptResult result = run("printf 'one\\r\\n\\0\\377two\\n'; printf 'no newline'");
  EXPECT_EQ(text_of("log"), std::string("one\r\n\0\377two\nno newline", 21));
  EXPECT_EQ(result.log_bytes, 21u);
}

TEST_F(SupervisorTest, AFloodOfOutputIsKeptInLittleMemory) {
  constexpr size_t kBytes = 100'000'000;
  start(fmt::format("head -c {} < <(yes 'a line of the flood, {}')", kBytes, std::string(50, '.')));
  ASSERT_TRUE(wait_readable(child_->pidfd.get()));
  int status = 0;
  rusage usage{};
  ASSERT_EQ(wait4(child_->pid, &status, 0, &usage), child_->pid);
  child_.reset();
  EXPECT_EQ(status, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(usage.ru_maxrss, 40 * 1024);  // KiB
#endif
  auto result = read_result(dir());
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->outcome, Outcome::succeeded) << result->reason;
  std::string line = fmt::format("a line of the flood, {}\n", std::string(50, '.'));
  std::string log = text_of("log");
  ASSERT_EQ(log.size(), kBytes);
  size_t wrong = 0;
  for (size_t i = 0; i < log.size(); ++i) wrong += log[i] != line[i % line.size()];
  EXPECT_EQ(wrong, 0u);
}

TEST_F(SupervisorTest, WhatCannotStartIsAnError) {
  intent_.source_dir = "/nonexistent/source";
  AttemptResult result = run("true");
  EXPECT_EQ(result.outcome, Outcome::error);
  EXPECT_THAT(result.reason, AllOf(HasSubstr("/nonexistent/source"), HasSubstr("No such file")));
  EXPECT_THAT(result.exits, IsEmpty());
}

TEST_F(SupervisorTest, AnUnusableIntentIsAResult) {
  ASSERT_TRUE(write_file_atomic(dir() + "/intent.json", "{\"run_id\": 7}").ok());
  child_ = spawn_supervisor();
  EXPECT_EQ(finish_code(), 3);
  auto found = probe(dir());
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->state, Probe::State::finished);
  EXPECT_EQ(found->result->outcome, Outcome::error);
  EXPECT_THAT(found->result->reason, HasSubstr("intent.json"));
}

TEST_F(SupervisorTest, DevicesAreAssignedByUuid) {
  setenv("PAWL_NVML_LIB", FAKE_NVML, 1);
  setenv("PAWL_FAKE_GPUS", "GPU-a|NVIDIA H200|1000;GPU-b|NVIDIA H200|1000", 1);
  runners::GpuInventory inventory = runners::gpu_inventory();
  ASSERT_EQ(inventory.gpus.size(), 2u);
  for (const runners::Gpu& gpu : inventory.gpus) intent_.gpu_uuids.push_back({gpu.uuid});
  run("echo rank $RANK has $CUDA_VISIBLE_DEVICES", 2);
  EXPECT_THAT(text_of("log"), AllOf(HasSubstr("rank 0 has GPU-a\n"), HasSubstr("rank 1 has GPU-b\n")));
}

TEST_F(SupervisorTest, ARuleStopsAllRanks) {
  add_rule("non_finite", rules::Action::stop);
  intent_.grace_s = 1000;  // of cancels, not of rules
  AttemptResult result = run(TRACE_WRITER " 100 bad 20 1 deaf", 2);
  EXPECT_EQ(result.outcome, Outcome::stopped_by_rule);
  ASSERT_EQ(result.findings.size(), 1u);
  const rules::Finding& finding = result.findings[0];
  EXPECT_EQ(finding.rule, "non_finite");
  EXPECT_EQ(finding.first_step, 20u);
  EXPECT_EQ(finding.rank, 1u);
  EXPECT_EQ(finding.tensor, "fc1.weight");
  EXPECT_EQ(finding.kind, "gradient");
  EXPECT_THAT(result.reason, StartsWith("rule non_finite fired at step 20 on rank 1, gradient fc1.weight: "));
  EXPECT_EQ(result.exits[0].status, ExitStatus::killed(SIGKILL));
  EXPECT_EQ(result.exits[1].status, ExitStatus::killed(SIGKILL));
  EXPECT_EQ(result.steps, 21u);
  auto reader = trace::TraceReader::open(dir() + "/trace.db");
  ASSERT_TRUE(reader.ok()) << reader.error().to_string();
  EXPECT_EQ(reader->progress()->last_step, 20u);
  EXPECT_EQ(reader->findings()->at(0).rule, "non_finite");
  EXPECT_EQ(reader->meta("run_id").value(), intent_.run_id);
  EXPECT_THAT(result.trace_anomalies, IsEmpty());
}

TEST_F(SupervisorTest, ARuleThatFailsLetsTrainingGoOn) {
  add_rule("vanishing_gradient", rules::Action::fail);
  add_rule("loss_divergence", rules::Action::fail);
  AttemptResult result = run(TRACE_WRITER " 50", 2);
  EXPECT_EQ(result.outcome, Outcome::succeeded) << result.reason;
  EXPECT_EQ(result.steps, 50u);
  EXPECT_EQ(result.last_step, 49u);
  EXPECT_NEAR(result.last_loss.value_or(0), 2.0 / 1.49, 1e-9);
}

TEST_F(SupervisorTest, ARequiredRuleThatSawNothingFailsTheAttempt) {
  add_rule("loss_divergence", rules::Action::fail, true);
  AttemptResult result = run(TRACE_WRITER " 50 lr_only", 2);
  EXPECT_EQ(result.outcome, Outcome::failed);
  EXPECT_THAT(result.reason, StartsWith("required rule loss_divergence was not evaluated: "));
  EXPECT_EQ(result.rules.at(0).outcome, rules::Outcome::not_evaluated);
}

TEST_F(SupervisorTest, WithoutAnyTraceTheReasonSaysSo) {
  add_rule("loss_divergence", rules::Action::fail);
  AttemptResult result = run("true", 2);
  EXPECT_EQ(result.outcome, Outcome::succeeded);
  EXPECT_EQ(result.reason, "succeeded; it recorded no trace, so no rule was evaluated");
  EXPECT_EQ(result.rules.at(0).outcome, rules::Outcome::not_evaluated);
}

TEST_F(SupervisorTest, ARequiredRuleWithoutAnyTraceFails) {
  add_rule("loss_divergence", rules::Action::fail, true);
  AttemptResult result = run("true");
  EXPECT_EQ(result.outcome, Outcome::failed);
  EXPECT_EQ(result.reason, "required rule loss_divergence was not evaluated: the stage recorded no trace");
}

// Collects everything a supervisor says until it hangs up.
std::vector<LiveMessage> listen_to_end(LiveConnection& connection) {
  std::vector<LiveMessage> all;
  while (!connection.ended() && wait_readable(connection.fd())) {
    auto messages = connection.read();
    EXPECT_TRUE(messages.ok());
    if (!messages.ok()) break;
    all.insert(all.end(), messages->begin(), messages->end());
  }
  return all;
}

TEST_F(SupervisorTest, TellsHowItGoes) {
  Fifo ready = fifo("ready");
  Fifo go = fifo("go");
  add_rule("non_finite", rules::Action::stop);
  intent_.steps_total = 1000;
  start(fmt::format("if [ $RANK = 0 ]; then echo > {}; fi; read x < {}; " TRACE_WRITER " 500 bad 400 0",
                    ready.path(), go.path()),
        2);
  ready.line();
  auto connection = LiveConnection::connect(dir());
  ASSERT_TRUE(connection.ok()) << connection.error().to_string();
  ASSERT_TRUE(wait_readable(connection->fd()));
  auto first = connection->read();
  ASSERT_TRUE(first.ok());
  ASSERT_FALSE(first->empty());
  const auto& state = std::get<LiveState>(first->front());
  EXPECT_EQ(state.phase, Phase::running);
  EXPECT_FALSE(state.step);
  EXPECT_EQ(state.steps_total, 1000u);
  go.tell();
  go.tell();

  std::vector<LiveMessage> all = listen_to_end(*connection);
  std::vector<LiveState> states;
  std::vector<rules::Finding> findings;
  std::vector<AttemptResult> results;
  for (const LiveMessage& message : all) {
    if (const auto* s = std::get_if<LiveState>(&message)) states.push_back(*s);
    if (const auto* f = std::get_if<rules::Finding>(&message)) findings.push_back(*f);
    if (const auto* r = std::get_if<AttemptResult>(&message)) results.push_back(*r);
  }
  ASSERT_FALSE(states.empty());
  EXPECT_EQ(states.back().phase, Phase::finished);
  EXPECT_EQ(states.back().step, 400u);
  EXPECT_EQ(states.back().findings, 1u);
  EXPECT_TRUE(states.back().loss);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].first_step, 400u);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].outcome, Outcome::stopped_by_rule);
  EXPECT_EQ(finish().outcome, Outcome::stopped_by_rule);
}

TEST_F(SupervisorTest, ProbingNeverKeepsASupervisorOut) {
  ASSERT_TRUE(write_intent(intent_).ok());
  for (int i = 0; i < 20; ++i) {
    set_fence(i + 1);
    intent_.command = "true";
    ASSERT_TRUE(remove_tree(dir() + "/result.json").ok());
    start();
    // As fast as it goes, from before the lock is taken until after it is free.
    bool over = false;
    while (!over) {
      auto found = probe(dir());
      ASSERT_TRUE(found.ok());
      over = found->state == Probe::State::finished;
      pollfd ended{child_->pidfd.get(), POLLIN, 0};
      if (!over && poll(&ended, 1, 0) > 0) over = true;
    }
    EXPECT_EQ(finish().fence, i + 1);
  }
}

}  // namespace
}  // namespace pawl::supervise
