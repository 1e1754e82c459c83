#include "runners/process_tree.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>

#include "engine/base/clock.h"
#include "engine/base/text.h"

namespace pawl::runners {
namespace {

constexpr int64_t kSweepGraceMs = 1000;
constexpr int64_t kBlindLookMs = 50;
constexpr int64_t kRaceLookMs = 1;
constexpr size_t kMaxNames = 16;

int pidfd_send(int pidfd, int signal) {
  return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

// A pidfd of exactly this process; empty when it is gone or no descriptor is left.
UniqueFd open_process(const Process& process) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0)));  // close-on-exec by definition
  if (!pidfd) return {};
  auto now = find_process(process.pid);
  if (!now.ok() || now->start_ticks != process.start_ticks) return {};
  return pidfd;
}

bool still_there(const Process& process) {
  auto now = find_process(process.pid);
  return now.ok() && now->start_ticks == process.start_ticks;
}

}  // namespace

Result<Tree> find_tree(const TreeQuery& query) {
  Tree tree;
  PAWL_ASSIGN(std::vector<Process> all,
              live_processes(query.cookie.empty() ? "" : "PAWL_COOKIE=" + query.cookie));
  const pid_t self = getpid();
  const pid_t own_session = getsid(0);
  std::set<pid_t> members;
  std::set<pid_t> sessions;
  for (const Process& process : all) {
    if (process.pid == self) continue;
    tree.certain &= process.marked != Marked::unknown;
    if (process.marked != Marked::yes) continue;
    members.insert(process.pid);
    if (process.session != own_session) sessions.insert(process.session);
  }
  // Children of members, to the end. One pass does not suffice: the table is in no order of descent.
  for (bool grown = true; grown;) {
    grown = false;
    for (const Process& process : all) {
      bool ours = (query.root != 0 && process.parent == query.root) || members.contains(process.parent) ||
                  sessions.contains(process.session);
      if (ours && process.pid != self && process.pid != query.root) {
        grown |= members.insert(process.pid).second;
      }
    }
  }
  std::erase_if(all, [&](const Process& process) { return !members.contains(process.pid); });
  tree.members = std::move(all);
  return tree;
}

TreeKill::TreeKill(TreeQuery query, int64_t grace_ms, int64_t now_ms)
    : query_(std::move(query)),
      deadline_ms_(now_ms + (grace_ms > 0 ? grace_ms : kPatienceMs)),
      killing_(grace_ms <= 0),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  PAWL_CHECK(epoll_);
}

void TreeKill::shorten(int64_t grace_ms, int64_t now_ms) {
  if (!killing_) deadline_ms_ = std::min(deadline_ms_, now_ms + std::max<int64_t>(grace_ms, 0));
}

int64_t TreeKill::due_ms() const {
  return std::min(deadline_ms_, look_again_ms_);
}

void TreeKill::forget_ended() {
  epoll_event events[64];
  for (int n = 64; n == 64;) {
    n = epoll_wait(epoll_.get(), events, 64, 0);
    for (int i = 0; i < n; ++i) targets_.erase(events[i].data.fd);  // closing removes it from the epoll set
  }
}

Result<bool> TreeKill::step(int64_t now_ms) {
  forget_ended();
  bool expired = now_ms >= deadline_ms_;
  if (!targets_.empty() && now_ms < due_ms()) return false;
  PAWL_ASSIGN(Tree tree, find_tree(query_));
  if (tree.members.empty() && tree.certain) return true;
  if (expired && killing_) {
    report_.survivors = std::move(tree.members);
    return true;
  }
  if (expired) {
    killing_ = true;
    deadline_ms_ = now_ms + kPatienceMs;
  }
  signal_all(tree.members, now_ms);
  return false;
}

void TreeKill::signal_all(const std::vector<Process>& tree, int64_t now_ms) {
  targets_.clear();
  look_again_ms_ = INT64_MAX;
  for (const Process& process : tree) {
    UniqueFd pidfd = open_process(process);
    if (!pidfd && !still_there(process)) continue;
    note(process);
    bool sent = pidfd && pidfd_send(pidfd.get(), killing_ ? SIGKILL : SIGTERM) == 0;
    // Out of descriptors: the start time was checked a moment ago, the best that is left.
    if (!pidfd) sent = kill(process.pid, killing_ ? SIGKILL : SIGTERM) == 0;
    if (pidfd && sent && !killing_) pidfd_send(pidfd.get(), SIGCONT);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = pidfd.get();
    if (pidfd && epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, pidfd.get(), &event) == 0) {
      int fd = pidfd.get();
      targets_.emplace(fd, std::move(pidfd));
    } else {
      look_again_ms_ = now_ms + kBlindLookMs;
    }
  }
  if (targets_.empty())
    look_again_ms_ = now_ms + kRaceLookMs;  // gone since the look, or not to be seen in it
}

void TreeKill::note(const Process& process) {
  if (!seen_.emplace(process.pid, process.start_ticks).second) return;
  ++report_.signalled;
  if (report_.names.size() < kMaxNames) report_.names.insert(process.name);
}

Result<KillReport> kill_tree(const TreeQuery& query, int64_t grace_ms) {
  SystemClock clock;
  TreeKill killing(query, grace_ms, clock.monotonic_ms());
  while (true) {
    PAWL_ASSIGN(bool over, killing.step(clock.monotonic_ms()));
    if (over) return killing.report();
    int64_t wait_ms = std::max<int64_t>(killing.due_ms() - clock.monotonic_ms(), 0);
    pollfd ended{killing.fd(), POLLIN, 0};
    if (poll(&ended, 1, static_cast<int>(wait_ms)) < 0 && errno != EINTR) {
      return errno_error("poll failed", "", errno);
    }
  }
}

Result<KillReport> sweep_leftovers(const std::string& cookie) {
  PAWL_CHECK(!cookie.empty());
  PAWL_ASSIGN(KillReport report, kill_tree({cookie, 0}, kSweepGraceMs));
  if (report.survivors.empty()) return report;
  const Process& first = report.survivors.front();
  return Error(ErrorCode::conflict,
               fmt::format("{} processes could not be ended, the first is {} ({})", report.survivors.size(),
                           first.pid, sanitize_for_terminal(first.name)),
               cookie);
}

}  // namespace pawl::runners
