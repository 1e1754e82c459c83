// An engine in this process, for commands that run pipelines here and now: with what the stages print, a
// progress line, and a clean stop on an interrupt.
#pragma once

#include <memory>
#include <string>

#include "engine/base/clock.h"
#include "engine/cli/engine_options.h"
#include "engine/core/engine.h"

namespace pawl::cli {

// One thread.
class LocalEngine {
 public:
  // Error conflict: another engine has this home. With `quiet` neither the stages' output nor their
  // progress is shown. Runs that an earlier engine left open are ended. Make it before any thread: it takes
  // over SIGINT, SIGTERM and SIGHUP.
  static Result<std::unique_ptr<LocalEngine>> open(const core::Home& home, bool quiet);
  ~LocalEngine();

  core::Engine& engine();

  // One run to its end, whatever its verdict; as the record has it then. An interrupt cancels it, a second
  // one ends the process. After an interrupt every further run is refused (error cancelled).
  Result<store::Run> run(const core::NewRun& request);

 private:
  class Screen;
  LocalEngine();

  void on_event(const core::Event& event);
  void on_signal();

  SystemClock clock_;
  StopSignals signals_;
  EventLoop loop_;
  std::unique_ptr<core::Engine> engine_;
  std::unique_ptr<Screen> screen_;
  std::string run_id_;  // that run() waits for
  int interrupts_ = 0;
};

}  // namespace pawl::cli
