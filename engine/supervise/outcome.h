// What became of an attempt, decided from what happened. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/supervise/result.h"
#include "runners/runner.h"

namespace pawl::supervise {

// Why the supervisor began to end the ranks; the first reason counts. none: they ended by themselves.
enum class StopCause { none, rank_failed, rule, timeout, cancelled };

struct ObservedExit {
  RankExit exit;
  int64_t at_ms = 0;        // monotonic
  bool after_stop = false;  // it came when the ranks had been told to end: says nothing about the rank
};

struct Story {
  StopCause cause = StopCause::none;
  std::string stop_reason;          // a sentence; for timeout, rule and cancelled
  std::vector<ObservedExit> exits;  // in order
  rules::Summary rules;
  bool capture_asked = false;
  bool trace_seen = false;
  std::vector<std::string> survivors;
};

struct Conclusion {
  Outcome outcome = Outcome::error;
  std::string reason;
  std::optional<int> first_failing_rank;
};

Conclusion conclude(const Story& story);

// The rank whose failure came first. Ranks that fail within the same instant fell over each other: one ended
// by a signal is more likely the cause than one that exited because its peer was gone.
std::optional<ObservedExit> first_failure(const std::vector<ObservedExit>& exits);

// "exit code 1", "signal 9 (Killed): often the kernel, out of memory", "exit code 127: command not found".
std::string describe_exit(const ExitStatus& status);

// "rule exploding_tensor fired at step 12 on rank 1, tensor fc1.weight: <message>"
std::string describe_finding(const rules::Finding& finding);

}  // namespace pawl::supervise
