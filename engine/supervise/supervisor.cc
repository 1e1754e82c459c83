#include "engine/supervise/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/loop.h"
#include "engine/supervise/attempt.h"
#include "engine/supervise/intent.h"
#include "engine/supervise/result.h"

namespace pawl::supervise {
namespace {

constexpr int kNoResult = 3;
constexpr suseconds_t kLockPatienceUs = 900'000;

void detach() {
  prctl(PR_SET_NAME, "pawl-supervise");
  setsid();  // fails when we lead a session already
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
}

// The lock can be held for an instant by somebody who probes it, or by a supervisor that is about to find
// that its fence has moved on: wait that long for the kernel to hand it over.
Result<UniqueFd> take_lock(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return errno_error("cannot open", path, errno);
  struct sigaction wake{};
  wake.sa_handler = [](int) {};
  sigaction(SIGALRM, &wake, nullptr);
  itimerval patience{{0, kLockPatienceUs},
                     {0, kLockPatienceUs}};  // repeats, lest it rings before flock waits
  setitimer(ITIMER_REAL, &patience, nullptr);
  int locked = flock(fd.get(), LOCK_EX);
  int lock_errno = errno;
  itimerval off{};
  setitimer(ITIMER_REAL, &off, nullptr);
  signal(SIGALRM, SIG_DFL);
  if (locked == 0) return fd;
  if (lock_errno == EINTR) return Error(ErrorCode::conflict, "another supervisor has the attempt", path);
  return errno_error("cannot lock", path, lock_errno);
}

// An intent that cannot be used is the end of the attempt: say so where the engine looks.
Error refuse(const std::string& attempt_dir, Error error) {
  SystemClock clock;
  AttemptResult result;
  result.reason = error.to_string();
  result.started_unix_ms = result.ended_unix_ms = clock.unix_ms();
  (void)write_result(attempt_dir, result);
  return error;
}

Result<Intent> read_intent_under_lock(const std::string& attempt_dir, const Result<Intent>& before) {
  if (path_exists(attempt_dir + "/result.json")) {
    return Error(ErrorCode::conflict, "the attempt has ended already", attempt_dir);
  }
  auto intent = read_intent(attempt_dir);
  if (!intent.ok()) return refuse(attempt_dir, std::move(intent).error());
  if (!before.ok() || before->fence != intent->fence) {
    return Error(ErrorCode::conflict, "the attempt was given to a later supervisor", attempt_dir);
  }
  if (intent->attempt_dir != attempt_dir) {
    return refuse(attempt_dir,
                  Error(ErrorCode::invalid, "intent.json is that of " + intent->attempt_dir, attempt_dir));
  }
  return intent;
}

Result<void> supervise(const std::string& attempt_dir) {
  auto before = read_intent(attempt_dir);
  PAWL_ASSIGN(UniqueFd lock, take_lock(attempt_dir + "/lock"));
  PAWL_ASSIGN(Intent intent, read_intent_under_lock(attempt_dir, before));
  PAWL_ASSIGN(Started started, describe_self(intent.fence, SystemClock().unix_ms()));
  PAWL_RETURN_IF_ERROR(write_started(attempt_dir, started));

  EventLoop loop;
  Attempt attempt(loop, std::move(intent));
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  UniqueFd signals(signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
  loop.watch_readable(signals.get(), [&] {
    signalfd_siginfo info{};
    if (read(signals.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
    attempt.cancel(fmt::format("cancelled: the supervisor was told to end by process {}", info.ssi_pid));
  });
  return attempt.run();
}

}  // namespace

int supervise_main(const std::string& attempt_dir) {
  detach();
  auto done = supervise(attempt_dir);
  if (done.ok()) return 0;
  log_error("{}", done.error().to_string());
  return kNoResult;
}

}  // namespace pawl::supervise
