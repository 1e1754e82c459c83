// What `pawl run` and `pawl serve` hand to the engine, and the signals they stop on.
#pragma once

#include <string>

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/schedule/slots.h"

namespace pawl::cli {

// CPUs this process may use, and the GPUs the driver names.
schedule::Machine this_machine();

Result<std::string> absolute_path(const std::string& path);

// SIGINT, SIGTERM and SIGHUP as a readable descriptor. Make it before any thread. Children get the default
// back.
class StopSignals {
 public:
  StopSignals();
  int fd() const { return fd_.get(); }
  int take();  // the signal's number; 0 when there is none

  // While something blocks this thread that must not outlive a Ctrl-C: the signals end the process, as they
  // do by default.
  class LetThrough {
   public:
    LetThrough();
    ~LetThrough();
    LetThrough(const LetThrough&) = delete;
    LetThrough& operator=(const LetThrough&) = delete;
  };

 private:
  UniqueFd fd_;
};

}  // namespace pawl::cli
