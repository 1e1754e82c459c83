// What reading commands share: the record opened read-only, a run looked up by the name a person typed.
#pragma once

#include <string>

#include "engine/base/sqlite.h"
#include "engine/cli/output.h"
#include "engine/core/home.h"
#include "engine/store/runs.h"

namespace pawl::cli {

struct Record {
  core::Home home;
  Db db;
};
// Error not_found, with what to do, when there is no record yet.
Result<Record> open_record(const std::string& home_flag);

// Whether the run passed, and only by a waiver.
Result<bool> is_waived(Db& db, const store::Run& run);

// The tone of a run's verdict: a PASS by a waiver is not to be overlooked.
Tone tone_of(Db& db, const store::Run& run);

// Error not_found for a run whose logs and traces stayed on the machine that made it.
Result<void> check_made_here(const store::Run& run);

// Error not_found, naming the stages there are, when the run has no stage of this name. Empty: any.
Result<void> check_stage(Record& record, const store::Run& run, const std::string& stage);

// The folder of an attempt: the given stage and attempt, or the last that started. Error not_found.
struct AttemptPlace {
  store::Attempt attempt;
  std::string dir;
};
Result<AttemptPlace> find_attempt(Record& record, const store::Run& run, const std::string& stage,
                                  int64_t number);

}  // namespace pawl::cli
