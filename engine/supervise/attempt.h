// One attempt from the launch of its ranks to result.json: joins runner, log, trace, rules and live socket.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/loop.h"
#include "engine/supervise/command.h"
#include "engine/supervise/control.h"
#include "engine/supervise/event_files.h"
#include "engine/supervise/intent.h"
#include "engine/supervise/line_socket.h"
#include "engine/supervise/live.h"
#include "engine/supervise/log_writer.h"
#include "engine/supervise/outcome.h"
#include "engine/supervise/trace_follower.h"
#include "runners/local.h"
#include "runners/port.h"

namespace pawl::supervise {

// Everything happens on the thread that calls run(). The caller holds the lock of the attempt.
class Attempt {
 public:
  Attempt(EventLoop& loop, Intent intent) : loop_(loop), intent_(std::move(intent)) {}

  // Returns when no process of the attempt is left and result.json is written; what goes wrong with the ranks
  // stands there. An error means that it could not be written.
  Result<void> run();

  // From a callback of the loop: begins to end the ranks as if a client had asked for it.
  void cancel(std::string reason);

 private:
  Result<void> start();
  Result<void> make_folders();
  Result<void> launch();
  void on_output(int rank, runners::Stream stream, std::string_view bytes);
  void on_exit(int rank, ExitStatus status);
  void on_finding(const rules::Finding& finding);
  std::string on_line(std::string_view line);
  Result<CaptureAnswer> change_capture(const pipeline::CaptureChange& change);
  std::string greeting() const;
  bool all_exited() const { return exits_.size() == static_cast<size_t>(intent_.ranks); }
  void stop(StopCause cause, std::string reason, int64_t grace_ms);
  void terminate(int64_t grace_ms);

  AttemptResult conclude_attempt();
  std::vector<std::string> notes() const;
  Result<void> publish_result(const AttemptResult& result);

  LiveState live_state() const;
  void publish_soon();
  void publish_now();

  EventLoop& loop_;
  const Intent intent_;
  SystemClock clock_;
  std::optional<ControlFile> control_;
  std::string capture_ = intent_.capture;  // what the control file asks for
  std::optional<LogWriter> log_;
  std::optional<runners::PortReservation> port_;
  std::unique_ptr<TraceFollower> trace_;
  std::unique_ptr<EventFiles> event_files_;  // when the stage names some
  std::unique_ptr<LineServer> server_;
  std::unique_ptr<runners::LocalRunner> runner_;

  Phase phase_ = Phase::starting;
  StopCause cause_ = StopCause::none;
  std::string stop_reason_;
  bool terminating_ = false;
  std::vector<ObservedExit> exits_;
  runners::Ending ending_;
  std::vector<rules::Finding> findings_;  // as they were first reported
  int64_t started_unix_ms_ = 0;
  int64_t started_ms_ = 0;
  int64_t ended_ms_ = 0;
  bool publish_pending_ = false;
};

}  // namespace pawl::supervise
