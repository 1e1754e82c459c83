// What it takes to make a run, whoever asks for it.
#pragma once

#include <functional>
#include <string>

#include "engine/base/error.h"
#include "engine/core/prepare.h"
#include "engine/store/runs.h"

namespace pawl::core {

struct NewRun {
  std::string project;
  std::string event_key;  // names the event: the same one never makes two runs
  std::string trigger;    // push, pull_request, data, schedule, manual, rerun
  std::string note;
  std::string branch;
  std::string target;
  std::string sha;
  std::string subject;
  std::string author;
  RunSource source;
};

}  // namespace pawl::core
