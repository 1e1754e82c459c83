// More than one process: one records a rank, a fork has a dead handle, a later process goes on.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>

#include "engine/base/subprocess.h"
#include "tests/unit/capture/capture_fixture.h"

namespace pawl::capture {
namespace {

using testing::SizeIs;

struct Pipe {
  UniqueFd read, write;
};

Pipe make_pipe() {
  int fds[2];
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// The exit code of a forked child that runs `work` and nothing else.
int in_child(const std::function<int()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(work());
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// tests/unit/capture/capture_c11.c, recording rank 0 until its input ends.
class OtherProcess {
 public:
  explicit OtherProcess(const std::string& trace_dir) {
    Pipe input = make_pipe(), output = make_pipe();
    SpawnOptions options;
    options.argv = {PAWL_CAPTURE_C11, trace_dir};
    options.stdin_fd = input.read.get();
    options.stdout_fd = output.write.get();
    options.stderr_fd = 2;
    child_ = spawn(options).value();
    input_ = std::move(input.write);
    output.write.reset();
    char c;
    while (::read(output.read.get(), &c, 1) == 1 && c != '\n') says_.push_back(c);
  }
  const std::string& says() const { return says_; }
  ExitStatus finish() {
    input_.reset();
    return wait_for(child_);
  }
  ExitStatus kill() {
    ::kill(child_.pid, SIGKILL);
    return wait_for(child_);
  }

 private:
  Child child_;
  UniqueFd input_;
  std::string says_;
};

using CaptureProcesses = CaptureTest;

TEST_F(CaptureProcesses, ACProgramRecords) {
  OtherProcess other(trace_dir());
  EXPECT_EQ(other.says(), "open");
  EXPECT_TRUE(other.finish().success());
  const auto records = read_all();
  EXPECT_THAT(only<trace::StatsValue>(records), SizeIs(1));
  EXPECT_THAT(only<trace::End>(records), SizeIs(1));
}

TEST_F(CaptureProcesses, OnlyOneRecordsARank) {
  OtherProcess first(trace_dir());
  ASSERT_EQ(first.says(), "open");
  pawl_capture* capture = nullptr;
  const auto mine = options();
  EXPECT_EQ(pawl_capture_open(&mine, &capture), PAWL_E_BUSY);
  EXPECT_EQ(capture, nullptr);
  EXPECT_THAT(pawl_capture_last_error(nullptr), testing::HasSubstr("rank-00000"));
  OtherProcess second(trace_dir());
  EXPECT_EQ(second.says(), "busy");
  second.finish();
  auto other_rank = options();
  other_rank.rank = 1;
  other_rank.world_size = 2;
  pawl_capture_close(open(other_rank));
  EXPECT_TRUE(first.finish().success());

  capture = open();  // a later process goes on with the next segment
  pawl_capture_close(capture);
  EXPECT_TRUE(path_exists(rank_dir() + "/000001.seg"));
  EXPECT_TRUE(path_exists(rank_dir() + "/000002.seg"));
  EXPECT_FALSE(path_exists(rank_dir() + "/000003.seg"));
  std::vector<uint32_t> pids;
  for (const auto& header : only<trace::Header>(read_all())) {
    if (header.rank == 0) pids.push_back(header.pid);
  }
  ASSERT_THAT(pids, SizeIs(2));
  EXPECT_NE(pids[0], pids[1]);
}

TEST_F(CaptureProcesses, AKilledProcessLeavesItsStepsAndItsPlace) {
  OtherProcess first(trace_dir());
  ASSERT_EQ(first.says(), "open");
  OtherProcess second(
      trace_dir());  // by now the first has begun; it says so before its step, so wait for that
  EXPECT_EQ(second.says(), "busy");
  second.finish();
  auto tail = trace::TraceTail::open(trace_dir()).value();
  for (bool ended = false; !ended;) {
    for (const auto& record : tail.poll().records) {
      ended = ended || std::holds_alternative<trace::StepEnd>(record.record);
    }
    pollfd wait{tail.fd(), POLLIN, 0};
    if (!ended) ::poll(&wait, 1, -1);
  }
  EXPECT_EQ(first.kill().signal(), SIGKILL);
  pawl_capture_close(open());
  const auto records = read_all();
  EXPECT_THAT(only<trace::Header>(records), SizeIs(2));
  EXPECT_THAT(only<trace::ScalarValue>(records), SizeIs(1));
  EXPECT_THAT(only<trace::End>(records), SizeIs(1));  // of the second
}

TEST_F(CaptureProcesses, AForkHasADeadHandle) {
  pawl_capture* capture = open();
  const uint32_t id = series(capture, "loss");
  pawl_capture_step_begin(capture, 0, 0);
  pawl_capture_scalar(capture, id, 1);
  const int wrong_calls = in_child([&] {
    uint32_t other;
    const pawl_stats stats = make_stats();
    int wrong = 0;
    wrong += pawl_capture_scalar(capture, id, 2) != PAWL_E_FORKED;
    wrong += pawl_capture_stats(capture, id, &stats) != PAWL_E_FORKED;
    wrong += pawl_capture_tensor(capture, id, nullptr, PAWL_F32, 0) != PAWL_E_FORKED;
    wrong += pawl_capture_series(capture, "x", PAWL_SCALAR, PAWL_F32, nullptr, 0, &other) != PAWL_E_FORKED;
    wrong += pawl_capture_step_begin(capture, 1, 0) != PAWL_E_FORKED;
    wrong += pawl_capture_step_end(capture) != PAWL_E_FORKED;
    wrong += pawl_capture_flush(capture) != PAWL_E_FORKED;
    wrong += pawl_capture_stop_requested(capture) != 0;
    pawl_capture_close(capture);
    // The rank is still the parent's.
    pawl_capture* own = nullptr;
    const auto again = options();
    wrong += pawl_capture_open(&again, &own) != PAWL_E_BUSY;
    return wrong;
  });
  EXPECT_EQ(wrong_calls, 0);
  EXPECT_EQ(pawl_capture_scalar(capture, id, 3), PAWL_OK);  // the parent goes on
  pawl_capture_step_end(capture);
  pawl_capture_close(capture);
  const auto values = only<trace::ScalarValue>(read_all());
  ASSERT_THAT(values, SizeIs(2));
  EXPECT_EQ(values[1].value, 3);
}

// A data-loader worker that outlives the process it was forked from must not keep the rank to itself: neither
// when that was closed, nor (it has no descriptor of the trace) when it was killed.
TEST_F(CaptureProcesses, AForkDoesNotKeepTheLock) {
  pawl_capture* capture = open();
  Pipe end = make_pipe();
  const pid_t worker = ::fork();
  if (worker == 0) {
    end.write.reset();
    const auto fds = list_dir("/proc/self/fd").value();
    for (const auto& fd : fds) {
      char target[4096];
      const ssize_t size = ::readlink(("/proc/self/fd/" + fd.name).c_str(), target, sizeof target);
      const std::string_view path(target, size < 0 ? 0 : static_cast<size_t>(size));
      if (path.starts_with(trace_dir())) ::_exit(2);
    }
    char c;
    ::_exit(::read(end.read.get(), &c, 1) == 0 ? 0 : 1);
  }
  pawl_capture_close(capture);
  pawl_capture* next = open();  // with the worker still there
  EXPECT_NE(next, nullptr);
  pawl_capture_close(next);
  end.write.reset();
  int status;
  ASSERT_EQ(::waitpid(worker, &status, 0), worker);
  EXPECT_EQ(status, 0);
}

TEST_F(CaptureProcesses, ForksWhileRecording) {
  pawl_capture* capture = open();
  const uint32_t id = series(capture, "loss");
  for (uint64_t step = 0; step < 50; ++step) {
    pawl_capture_step_begin(capture, step, 0);
    pawl_capture_scalar(capture, id, static_cast<double>(step));
    pawl_capture_step_end(capture);  // the writer thread is at work when the fork comes
    EXPECT_EQ(in_child([&] { return pawl_capture_scalar(capture, id, -1) == PAWL_E_FORKED ? 0 : 1; }), 0);
  }
  pawl_capture_close(capture);
  const auto values = only<trace::ScalarValue>(read_all());
  ASSERT_THAT(values, SizeIs(50));
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i].value, static_cast<double>(i));
}

}  // namespace
}  // namespace pawl::capture
