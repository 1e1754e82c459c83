// pawl trace rebuild: trace.db made anew from the segments.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/record.h"
#include "engine/cli/trace_attempt.h"
#include "engine/supervise/trace_db.h"
#include "engine/trace/query.h"
#include "engine/trace/segment_retention.h"

namespace pawl::cli {
namespace {

// Ranks leave a folder each.
bool has_segments(const AttemptPlace& place) {
  auto ranks = list_dir(place.dir + "/trace");
  return ranks.ok() && !ranks->empty();
}

// What a program recorded by itself lies anywhere.
Result<int> rebuild_folder(const Global& global, const std::string& folder) {
  PAWL_ASSIGN(uint64_t steps, supervise::rebuild_trace_db(folder));
  const std::string path = folder + "/trace.db";
  if (global.json) {
    print_json({{"trace", path}, {"steps", steps}});
  } else {
    print(fmt::format("{}: {} steps\n", path, steps));
  }
  return 0;
}

Result<int> rebuild(const Global& global, const TraceRebuildOptions& options) {
  if (options.stage.empty() && list_dir(options.run + "/trace").ok())
    return rebuild_folder(global, options.run);
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, options.run));
  PAWL_ASSIGN(AttemptPlace place, find_traced_attempt(record, run, options.stage, has_segments));
  PAWL_ASSIGN(uint64_t steps, supervise::rebuild_trace_db(place.dir));
  std::string path = place.dir + "/trace.db";
  PAWL_ASSIGN(trace::TraceReader reader, trace::TraceReader::open(path));
  PAWL_ASSIGN(const auto lacks, reader.meta(trace::kSegmentsDeleted));
  if (global.json) {
    print_json({{"trace", path},
                {"stage", place.attempt.stage},
                {"attempt", place.attempt.number},
                {"steps", steps},
                {"complete", !lacks}});
  } else {
    print(fmt::format("{}: {} steps\n", path, steps));
    if (lacks)
      print("The oldest segments were deleted, since there were too many: what was in them is not there.\n");
  }
  return 0;
}

}  // namespace

int trace_rebuild(const Global& global, const TraceRebuildOptions& options) {
  auto result = rebuild(global, options);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
