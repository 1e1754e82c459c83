// Verdicts and baselines. Both are append-only: a verdict is written once, the baseline of a branch is its
// newest row.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/sqlite.h"

namespace pawl::store {

struct VerdictReason {
  std::string metric;
  std::string rule;
  std::string status;
  std::string sentence;
};

struct Verdict {
  std::string run_id;
  std::string kind;
  std::string headline;
  std::optional<std::string> baseline_run;
  std::string body;  // JSON
  std::vector<VerdictReason> reasons;
  int64_t created_ms = 0;
};

struct Baseline {
  int64_t id = 0;
  std::string project;
  std::string branch;
  std::string run_id;
  std::string cause;  // green, bootstrap, pin
  std::string who;
  std::string why;
  int64_t created_ms = 0;
};

Result<void> insert_verdict(Db& db, const Verdict& verdict);
Result<std::optional<Verdict>> verdict_of(Db& db, std::string_view run_id);

Result<void> insert_baseline(Db& db, const Baseline& baseline);
Result<std::optional<Baseline>> current_baseline(Db& db, std::string_view project, std::string_view branch);
Result<std::vector<Baseline>> baseline_history(Db& db, std::string_view project);  // newest first; empty: all
// Whether the branch ever had a baseline, that is a green run whose metrics were gated: bootstrapping is over
// then. A run that passed with the gate off was not judged and does not count.
Result<bool> ever_green(Db& db, std::string_view project, std::string_view branch);

}  // namespace pawl::store
