// Taking back a pin: the branch goes on with the baseline that the pipeline's policy chooses.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/sqlite.h"
#include "engine/store/verdicts.h"

namespace pawl::core {

struct Unpin {
  std::string project;  // empty: any
  std::string branch;   // empty: any
  std::string who;
  std::string why;
};

// The event that was recorded. Errors: invalid (no reason, or several pins fit), not_found (none does).
Result<store::Baseline> unpin_baseline(Db& db, const Unpin& unpin, int64_t now_ms);

}  // namespace pawl::core
