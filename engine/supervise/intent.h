// The files that hold the life of an attempt, as values: intent.json (the engine decided to start it),
// supervisor.json (somebody is at it), result.json (how it ended; see result.h). Each is replaced in one
// step, so a reader sees all of it or none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/rules/green_band.h"
#include "engine/rules/table.h"
#include "runners/attempt_spec.h"

namespace pawl::supervise {

struct Intent : runners::AttemptSpec {
  int64_t timeout_s = 0;  // 0: none
  int64_t grace_s = 10;   // between TERM and KILL of a cancel or timeout
  std::optional<uint64_t> steps_total;
  std::string event_files;  // as pipeline::Stage has it
  std::vector<rules::RuleConfig> rules;
  std::optional<rules::GreenBand> green;  // what the curve is held to; nullopt: to nothing
};

Json to_json(const Intent& intent);
Result<Intent> parse_intent(std::string_view text, std::string_view where);
// <intent.attempt_dir>/intent.json
Result<void> write_intent(const Intent& intent);
Result<Intent> read_intent(const std::string& attempt_dir);

// Who supervises. pid, start_ticks and boot_id together name one process for ever.
struct Started {
  int64_t fence = 0;
  int64_t pid = 0;
  uint64_t start_ticks = 0;
  std::string boot_id;
  int64_t unix_ms = 0;
};

// The calling process, now.
Result<Started> describe_self(int64_t fence, int64_t unix_ms);

Json to_json(const Started& started);
Result<Started> parse_started(std::string_view text, std::string_view where);
Result<void> write_started(const std::string& attempt_dir, const Started& started);
Result<Started> read_started(const std::string& attempt_dir);

}  // namespace pawl::supervise
