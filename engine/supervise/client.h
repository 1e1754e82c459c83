// The other side of a supervisor: starting one, asking whether it lives, listening, asking it to stop. For
// the engine and the CLI; nothing here keeps state or blocks for long.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/subprocess.h"
#include "engine/supervise/command.h"
#include "engine/supervise/line_socket.h"
#include "engine/supervise/live.h"
#include "engine/supervise/result.h"

namespace pawl::supervise {

// Starts `<pawl_binary> supervise <attempt_dir>` detached: own session, working directory /, standard error
// appended to <attempt_dir>/supervisor.log. intent.json must be there. The caller reaps the child when its
// pidfd becomes readable; if the caller dies, the supervisor goes on.
Result<Child> start_supervisor(const std::string& pawl_binary, const std::string& attempt_dir);

struct Probe {
  enum class State {
    running,   // a supervisor holds the lock: attach
    finished,  // there is a result: harvest
    gone,      // neither: it was killed, or (right after start_supervisor) has not taken the lock yet
  };
  State state = State::gone;
  std::optional<AttemptResult> result;  // when finished
};

// The lock is tested first, so a supervisor that ends meanwhile is seen as finished, never as gone.
Result<Probe> probe(const std::string& attempt_dir);

// A pidfd of the supervisor (readable when it has ended), for one that is not our child. Error not_found when
// the process that supervisor.json names is gone.
Result<UniqueFd> open_supervisor(const std::string& attempt_dir);

// The supervisor's messages as values. The connection is non-blocking: call read() when fd() is readable.
class LiveConnection {
 public:
  // Error not_found or unavailable when no supervisor listens (yet, or any more).
  static Result<LiveConnection> connect(const std::string& attempt_dir);

  int fd() const { return fd_.get(); }
  // What has come; messages of an unknown type are left out. An error is a broken stream: give up on it.
  Result<std::vector<LiveMessage>> read();
  bool ended() const { return ended_; }  // the supervisor hung up: probe() says why

 private:
  explicit LiveConnection(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  LineBuffer lines_;
  bool ended_ = false;
};

// Asks the ranks to record something else from their next step on; says what holds then. Waits for the
// answer, at most a few seconds. Error invalid when the supervisor refuses, not_found or unavailable when
// nobody listens.
Result<CaptureAnswer> change_capture(const std::string& attempt_dir, const pipeline::CaptureChange& change);

// Asks the supervisor to stop its ranks; does not wait for it. `reason` becomes the reason of the result.
// Error not_found or unavailable when nobody listens: look with probe(), try again if it is running.
Result<void> request_stop(const std::string& attempt_dir, const std::string& reason);

}  // namespace pawl::supervise
