// What a supervisor says on its socket: one JSON object per line. A client is told the state at once, then
// whatever changes: {"type":"state",...} at most about five times a second, {"type":"finding",...} as rules
// fire,
// {"type":"result",...} when result.json is written, after which the connection ends. What a client may say
// is in command.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "engine/base/error.h"
#include "engine/supervise/result.h"

namespace pawl::supervise {

enum class Phase { starting, running, stopping, finished };
std::string_view to_string(Phase phase);

struct LiveState {
  Phase phase = Phase::starting;
  std::string reason;            // why it is stopping
  std::optional<uint64_t> step;  // the last one completed on all ranks
  std::optional<uint64_t> steps_total;
  std::optional<double> steps_per_s;
  std::optional<double> loss;  // may be NaN
  double elapsed_s = 0;
  std::optional<double> eta_s;
  uint64_t log_bytes = 0;  // size of `log`: a follower knows that there is more
  uint64_t findings = 0;
};

using LiveMessage = std::variant<LiveState, rules::Finding, AttemptResult>;

// With the newline.
std::string live_line(const LiveMessage& message);
// An unknown type is an error invalid: a client may skip it.
Result<LiveMessage> parse_live_line(std::string_view line);

}  // namespace pawl::supervise
