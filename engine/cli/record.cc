#include "engine/cli/record.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/store/database.h"
#include "engine/store/verdicts.h"

namespace pawl::cli {

Result<Record> open_record(const std::string& home_flag) {
  PAWL_ASSIGN(core::Home home, core::find_home(home_flag));
  if (!path_exists(home.database())) {
    return Error(
        ErrorCode::not_found,
        fmt::format(
            "there is no record in {}: name its home with --home or PAWL_HOME, or make a first run with"
            " `pawl run`",
            home.root));
  }
  PAWL_ASSIGN(Db db, store::open_record_for_reading(home.database()));
  return Record{std::move(home), std::move(db)};
}

Result<bool> is_waived(Db& db, const store::Run& run) {
  PAWL_ASSIGN(const auto verdict, store::verdict_of(db, run.id));
  return run.verdict == "PASS" && verdict &&
         std::ranges::any_of(verdict->reasons,
                             [](const store::VerdictReason& reason) { return reason.status == "waived"; });
}

Tone tone_of(Db& db, const store::Run& run) {
  if (run.verdict != "PASS") return verdict_tone(run.verdict.value_or(""));
  return is_waived(db, run).value_or(false) ? Tone::warn : Tone::good;
}

Result<void> check_made_here(const store::Run& run) {
  if (run.made_here()) return {};
  return Error(ErrorCode::not_found,
               fmt::format("run {} was made elsewhere ({}): its logs and traces stayed there", run.number,
                           sanitize_for_terminal(run.origin)));
}

Result<void> check_stage(Record& record, const store::Run& run, const std::string& stage) {
  if (stage.empty()) return {};
  PAWL_ASSIGN(auto stages, store::stages_of(record.db, run.id));
  std::vector<std::string> names;
  for (const store::Stage& known : stages) {
    if (known.name == stage) return {};
    names.push_back(known.name);
  }
  return Error(ErrorCode::not_found,
               fmt::format("run {} has no stage '{}'; its stages: {}", run.number,
                           sanitize_for_terminal(stage), names.empty() ? "none" : join(names, ", ")));
}

Result<AttemptPlace> find_attempt(Record& record, const store::Run& run, const std::string& stage,
                                  int64_t number) {
  PAWL_RETURN_IF_ERROR(check_stage(record, run, stage));
  PAWL_ASSIGN(auto attempts, store::attempts_of(record.db, run.id));
  const store::Attempt* found = nullptr;
  for (const store::Attempt& attempt : attempts) {
    bool wanted = (stage.empty() || attempt.stage == stage) && (number == 0 || attempt.number == number);
    if (wanted && (found == nullptr || attempt.started_ms >= found->started_ms)) found = &attempt;
  }
  if (found == nullptr) {
    return Error(ErrorCode::not_found, attempts.empty()
                                           ? fmt::format("run {} has not started a stage", run.number)
                                           : fmt::format("run {} has no such stage or attempt", run.number));
  }
  return AttemptPlace{*found, record.home.attempt(run.id, found->stage, found->number)};
}

}  // namespace pawl::cli
