#include "engine/core/attempt_watch.h"

#include <signal.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/supervise/client.h"

namespace pawl::core {

AttemptWatch::AttemptWatch(EventLoop& loop, std::string attempt_dir, UniqueFd pidfd, pid_t child_pid,
                           Callbacks callbacks)
    : loop_(loop),
      attempt_dir_(std::move(attempt_dir)),
      pidfd_(std::move(pidfd)),
      child_pid_(child_pid),
      callbacks_(std::move(callbacks)),
      inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  process_watch_ = loop_.watch_readable(pidfd_.get(), [this] { on_process_end(); });
  // The socket appears a moment after the supervisor starts: wait for its name, then connect.
  if (inotify_ && inotify_add_watch(inotify_.get(), attempt_dir_.c_str(), IN_CREATE | IN_MOVED_TO) >= 0) {
    directory_watch_ = loop_.watch_readable(inotify_.get(), [this] { on_directory_change(); });
  }
  try_connect();
}

AttemptWatch::~AttemptWatch() {
  loop_.remove(process_watch_);
  loop_.remove(directory_watch_);
  loop_.remove(socket_watch_);
}

void AttemptWatch::terminate() {
  (void)syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGTERM, nullptr, 0);
}

void AttemptWatch::try_connect() {
  if (live_) return;
  auto connected = supervise::LiveConnection::connect(attempt_dir_);
  if (!connected.ok()) return;
  live_ = std::move(connected).value();
  loop_.remove(directory_watch_);
  inotify_.reset();
  socket_watch_ = loop_.watch_readable(live_->fd(), [this] { on_socket(); });
}

void AttemptWatch::on_directory_change() {
  char buffer[4096];
  while (read(inotify_.get(), buffer, sizeof buffer) > 0) {
  }
  try_connect();
}

void AttemptWatch::on_socket() {
  auto messages = live_->read();
  if (!messages.ok()) log_warning("{}: {}", attempt_dir_, messages.error().to_string());
  if (messages.ok()) {
    for (const supervise::LiveMessage& message : *messages) callbacks_.message(message);
  }
  if (!messages.ok() || live_->ended()) loop_.remove(socket_watch_);  // the end itself is told by the pidfd
}

void AttemptWatch::on_process_end() {
  loop_.remove(process_watch_);
  if (child_pid_ > 0) {
    while (waitpid(child_pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (live_) on_socket();  // what it said last
  auto end = std::move(callbacks_.end);
  end();
}

}  // namespace pawl::core
