// A baseline chosen by a person: the daemon's API and `pawl baseline pin` without a daemon refuse the same.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/sqlite.h"
#include "engine/store/verdicts.h"

namespace pawl::core {

struct Pin {
  std::string run_id;
  std::string who;
  std::string why;   // the reason, for the record
  bool red = false;  // although the run's verdict is not PASS
};

// Makes the run the baseline of its target branch. Errors: invalid (no reason given), not_found, conflict
// (the run has not finished, has no metrics to compare with, or is not PASS and `red` does not say that this
// is meant). Needs the writing connection.
Result<store::Baseline> pin_baseline(Db& db, const Pin& pin, int64_t now_unix_ms);

}  // namespace pawl::core
