// Watches one supervisor from the engine: its live messages, and its end. A supervisor that ran before this
// engine started is watched in the same way.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "engine/base/files.h"
#include "engine/base/loop.h"
#include "engine/supervise/client.h"

namespace pawl::core {

class AttemptWatch {
 public:
  struct Callbacks {
    std::function<void(const supervise::LiveMessage&)> message;
    std::function<void()> end;  // the supervisor is gone; called once, the watch may be destroyed in it
  };

  // `pidfd` is the supervisor's. `child_pid` is its pid when it is our child and must be reaped, else -1.
  AttemptWatch(EventLoop& loop, std::string attempt_dir, UniqueFd pidfd, pid_t child_pid,
               Callbacks callbacks);
  ~AttemptWatch();

  // SIGTERM to the supervisor, which stops its ranks: for the moment before it listens on its socket.
  void terminate();

  AttemptWatch(const AttemptWatch&) = delete;
  AttemptWatch& operator=(const AttemptWatch&) = delete;

 private:
  void try_connect();
  void on_directory_change();
  void on_socket();
  void on_process_end();

  EventLoop& loop_;
  std::string attempt_dir_;
  UniqueFd pidfd_;
  pid_t child_pid_;
  Callbacks callbacks_;
  UniqueFd inotify_;
  std::optional<supervise::LiveConnection> live_;
  EventLoop::Id process_watch_ = 0;
  EventLoop::Id directory_watch_ = 0;
  EventLoop::Id socket_watch_ = 0;
};

}  // namespace pawl::core
