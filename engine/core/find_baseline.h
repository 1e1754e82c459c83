// What a run is compared with: from the record, and from the order of commits in the repository. Blocks (git,
// files); runs on the worker pool.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/sqlite.h"
#include "engine/gate/verdict.h"
#include "engine/store/cas.h"
#include "engine/store/runs.h"
#include "engine/trigger/git.h"

namespace pawl::core {

struct BaselineQuery {
  Db& db;
  const store::Cas& cas;
  const trigger::Repository& repository;  // has the run's commit
  const store::Run& run;
  const gate::Policy& policy;
  const gate::Evidence& candidate;
};

struct ComparedWith {
  std::optional<gate::Baseline> baseline;
  std::map<std::string, gate::Baseline> own_baselines;  // as in gate::Inputs
  std::vector<gate::GreenRun> past;                     // as in gate::Inputs; only for policy.sustained
  std::string branch;  // what has no baseline, for people, when there is none
};

// The pinned run; else a green run of the target branch whose commit is in the past of the run's commit and
// of the target branch, as the policy wants it. "Best", "rolling" and "sustained" look back to the last pin:
// it says which level is accepted. Error unavailable when a shallow clone cannot tell.
Result<ComparedWith> find_baseline(const BaselineQuery& query);

// What of that can be told before anything is trained: error unavailable, with what to do, when the gate
// compares and a shallow clone does not reach the green runs.
Result<void> check_history(Db& db, const trigger::Repository& repository, const store::Run& run,
                           const gate::Policy& policy);

// Error unavailable, with what to do, when a run of another branch than the target would be judged by its
// `own` gate only because the target branch was not fetched. A gate of its own is enough for a repository
// that is no clone and has no baseline on record, and, where there is no baseline on record, for one that is
// off.
Result<void> check_target(Db& db, const trigger::Repository& repository, const store::Run& run,
                          const gate::Policy& own);

// Where a green run belongs among those of its branch.
struct Placement {
  int64_t seen = 0;  // the row of the latest green one when this was found out, 0: none
  // The run of `seen`, when its commit comes after: that one stays the baseline.
  std::optional<std::string> newer_run;
};
Result<Placement> place_green_run(Db& db, const trigger::Repository& repository, const store::Run& run);

}  // namespace pawl::core
