#include "engine/cli/trace_attempt.h"

#include <fmt/format.h>

#include <optional>

namespace pawl::cli {

Result<AttemptPlace> find_traced_attempt(Record& record, const store::Run& run, const std::string& stage,
                                         const std::function<bool(const AttemptPlace&)>& has_trace) {
  PAWL_RETURN_IF_ERROR(check_made_here(run));
  PAWL_RETURN_IF_ERROR(check_stage(record, run, stage));
  PAWL_ASSIGN(auto attempts, store::attempts_of(record.db, run.id));
  std::optional<AttemptPlace> found;
  for (const store::Attempt& attempt : attempts) {
    if (!stage.empty() && attempt.stage != stage) continue;
    AttemptPlace place{attempt, record.home.attempt(run.id, attempt.stage, attempt.number)};
    if (has_trace(place)) found = std::move(place);
  }
  if (found) return std::move(*found);
  return Error(ErrorCode::not_found, stage.empty()
                                         ? fmt::format("run {} has no trace", run.number)
                                         : fmt::format("stage {} of run {} has no trace", stage, run.number));
}

}  // namespace pawl::cli
