// How an attempt ended: result.json, the last thing a supervisor writes. The engine and every report read it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/subprocess.h"
#include "engine/rules/evaluator.h"

namespace pawl::supervise {

enum class Outcome {
  succeeded,        // every rank exited with 0 and no rule that may fail the stage fired
  failed,           // a rank failed, or a rule says so at the end
  stopped_by_rule,  // a rule with on_fire: stop ended it
  timed_out,
  cancelled,
  lost,   // the supervisor vanished; written by the engine, never by a supervisor
  error,  // it could not be run or ended properly: not the stage's fault
};
std::string_view to_string(Outcome outcome);
std::optional<Outcome> parse_outcome(std::string_view text);

struct RankExit {
  int rank = 0;
  ExitStatus status = ExitStatus::exited(0);
};

struct AttemptResult {
  int64_t fence = 0;
  Outcome outcome = Outcome::error;
  std::string reason;                     // one sentence for a person
  std::vector<RankExit> exits;            // by rank; empty when none was started
  std::optional<int> first_failing_rank;  // whose end brought the others down
  std::vector<rules::Finding> findings;
  std::vector<rules::RuleOutcome> rules;
  uint64_t steps = 0;  // completed on all ranks in this attempt
  std::optional<uint64_t> last_step;
  double seconds = 0;  // from the start of the ranks to the end of the last process
  std::optional<double> steps_per_s;
  std::optional<double> last_loss;                  // may be NaN
  std::map<std::string, uint64_t> trace_anomalies;  // name -> count; what was wrong with the trace
  uint64_t log_bytes = 0;
  uint64_t log_lost_bytes = 0;     // over the cap, or not writable
  std::vector<std::string> notes;  // warnings: processes left running, log cut short, trace damaged
  int64_t started_unix_ms = 0;
  int64_t ended_unix_ms = 0;
};

Json to_json(const rules::Finding& finding);
Json to_json(const AttemptResult& result);
Result<rules::Finding> parse_finding(const Json& json);
Result<AttemptResult> parse_result(std::string_view text, std::string_view where);

Result<void> write_result(const std::string& attempt_dir, const AttemptResult& result);
// Error not_found while there is none.
Result<AttemptResult> read_result(const std::string& attempt_dir);

}  // namespace pawl::supervise
