#include "runners/local.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "engine/base/clock.h"
#include "engine/base/log.h"

namespace pawl::runners {
namespace {

constexpr int64_t kLeftoverGraceMs = 2000;
constexpr int64_t kDrainPatienceMs = 2000;  // for a pipe that some process outside the tree holds open
constexpr int64_t kRetryMs = 50;

int64_t now_ms() {
  return SystemClock().monotonic_ms();
}

UniqueFd block_and_watch_sigchld() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

LocalRunner::LocalRunner(EventLoop& loop, std::string cookie, RunnerEvents events)
    : loop_(loop),
      cookie_(std::move(cookie)),
      events_(std::move(events)),
      child_signals_(block_and_watch_sigchld()) {
  PAWL_CHECK(child_signals_);
  PAWL_CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  child_watch_ = loop_.watch_readable(child_signals_.get(), [this] { reap(); });
}

LocalRunner::~LocalRunner() {
  for (EventLoop::Id id : {child_watch_, kill_watch_, kill_timer_, drain_timer_}) loop_.remove(id);
  for (auto& output : outputs_) loop_.remove(output->watch);
}

Result<void> LocalRunner::launch(const std::vector<RankSpec>& ranks) {
  PAWL_CHECK(!launched_);
  for (const RankSpec& spec : ranks) {
    auto process = start_rank_process(spec);
    if (!process.ok()) {
      (void)kill_tree({cookie_, getpid()}, 0);
      return std::move(process).error().wrap(fmt::format("cannot start rank {}", spec.rank));
    }
    running_.emplace(process->pid, spec.rank);
    watch_output(spec.rank, Stream::out, std::move(process->out));
    watch_output(spec.rank, Stream::err, std::move(process->err));
  }
  launched_ = true;
  return {};
}

void LocalRunner::terminate(int64_t grace_ms) {
  if (!launched_ || ended_) return;
  if (kill_) {
    kill_->shorten(grace_ms, now_ms());
    if (!kill_over_) schedule_kill_step(0);
    return;
  }
  kill_asked_ = true;
  start_killing(grace_ms);
}

void LocalRunner::watch_output(int rank, Stream stream, UniqueFd fd) {
  auto& output = *outputs_.emplace_back(std::make_unique<Output>(Output{rank, stream, std::move(fd)}));
  output.watch = loop_.watch_readable(output.fd.get(), [this, &output] { read_output(output); });
}

void LocalRunner::read_output(Output& output) {
  char buffer[65536];
  ssize_t n = read(output.fd.get(), buffer, sizeof buffer);
  if (n > 0) {
    events_.output(output.rank, output.stream, std::string_view(buffer, static_cast<size_t>(n)));
  } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    close_output(output);
    finish_if_done();
  }
}

void LocalRunner::close_output(Output& output) {
  if (!output.fd) return;
  loop_.remove(output.watch);
  output.fd.reset();
  events_.output_end(output.rank, output.stream);
}

void LocalRunner::reap() {
  signalfd_siginfo info[16];
  while (read(child_signals_.get(), info, sizeof info) == static_cast<ssize_t>(sizeof info)) continue;
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    auto it = running_.find(pid);
    if (it == running_.end()) continue;  // an orphan that we inherited
    int rank = it->second;
    running_.erase(it);
    events_.exit(rank, ExitStatus::from_wait(status));
  }
  if (launched_ && running_.empty() && !kill_) start_killing(kLeftoverGraceMs);
  finish_if_done();
}

void LocalRunner::start_killing(int64_t grace_ms) {
  kill_.emplace(TreeQuery{cookie_, getpid()}, grace_ms, now_ms());
  kill_watch_ = loop_.watch_readable(kill_->fd(), [this] { step_killing(); });
  schedule_kill_step(0);
}

void LocalRunner::schedule_kill_step(int64_t delay_ms) {
  loop_.remove(kill_timer_);
  kill_timer_ = loop_.call_after(std::max<int64_t>(delay_ms, 0), [this] { step_killing(); });
}

void LocalRunner::step_killing() {
  auto over = kill_->step(now_ms());
  if (!over.ok()) {
    log_warning("cannot look at the processes of {}, trying again: {}", cookie_, over.error().to_string());
    schedule_kill_step(kRetryMs);
  } else if (!*over) {
    schedule_kill_step(kill_->due_ms() - now_ms());
  } else {
    kill_over_ = true;
    loop_.remove(kill_timer_);
    loop_.remove(kill_watch_);
    finish_if_done();
  }
}

void LocalRunner::finish_if_done() {
  if (ended_ || !kill_over_) return;
  const KillReport& report = kill_->report();
  if (!running_.empty() && report.survivors.empty()) return;  // dead already, SIGCHLD is on its way
  bool drained = std::ranges::none_of(outputs_, [](const auto& output) { return bool(output->fd); });
  if (!drained) {
    if (drain_timer_ != 0) return;
    drain_timer_ = loop_.call_after(kDrainPatienceMs, [this] {
      for (auto& output : outputs_) close_output(*output);
      finish_if_done();
    });
    return;
  }
  ended_ = true;
  loop_.remove(drain_timer_);
  Ending ending;
  if (!kill_asked_) ending.leftovers = report.names;
  for (const Process& process : report.survivors) {
    ending.survivors.push_back(fmt::format("{} ({})", process.name, process.pid));
  }
  events_.ended(std::move(ending));
}

}  // namespace pawl::runners
