// pawl trace rebuild: trace.db made anew from the segments.

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/files.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/record.h"
#include "engine/supervise/trace_db.h"

namespace pawl::cli {
namespace {

// Ranks leave a folder each.
bool has_segments(const std::string& attempt_dir) {
  auto ranks = list_dir(attempt_dir + "/trace");
  return ranks.ok() && !ranks->empty();
}

// The last attempt that recorded anything.
Result<AttemptPlace> recorded_attempt(Record& record, const store::Run& run, const std::string& stage) {
  PAWL_RETURN_IF_ERROR(check_stage(record, run, stage));
  PAWL_ASSIGN(auto attempts, store::attempts_of(record.db, run.id));
  std::optional<AttemptPlace> found;
  for (const store::Attempt& attempt : attempts) {
    std::string dir = record.home.attempt(run.id, attempt.stage, attempt.number);
    if ((stage.empty() || attempt.stage == stage) && has_segments(dir)) found = AttemptPlace{attempt, dir};
  }
  if (found) return *found;
  return Error(ErrorCode::not_found, stage.empty()
                                         ? fmt::format("run {} has no trace", run.number)
                                         : fmt::format("stage {} of run {} has no trace", stage, run.number));
}

Result<int> rebuild(const Global& global, const TraceRebuildOptions& options) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, options.run));
  PAWL_RETURN_IF_ERROR(check_made_here(run));
  PAWL_ASSIGN(AttemptPlace place, recorded_attempt(record, run, options.stage));
  PAWL_ASSIGN(uint64_t steps, supervise::rebuild_trace_db(place.dir));
  std::string path = place.dir + "/trace.db";
  if (global.json) {
    print_json({{"trace", path},
                {"stage", place.attempt.stage},
                {"attempt", place.attempt.number},
                {"steps", steps}});
  } else {
    print(fmt::format("{}: {} steps\n", path, steps));
  }
  return 0;
}

}  // namespace

int trace_rebuild(const Global& global, const TraceRebuildOptions& options) {
  auto result = rebuild(global, options);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
