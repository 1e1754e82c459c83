// What gate.early compares a training with: the last green runs and their curves.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/sqlite.h"
#include "engine/gate/policy.h"
#include "engine/rules/green_band.h"
#include "engine/store/runs.h"
#include "engine/trigger/git.h"
#include "pipelines/plan.h"

namespace pawl::core {

// At most `count` green runs of the target branch whose commits are in the past of the run's commit and of
// the target branch, nearest first. None from before the last pin: it says which level is accepted. A run is
// red or it is here: a pinned one that did not pass is not. Blocks (git).
Result<pipeline::GreenRuns> last_green_runs(Db& db, const trigger::Repository& repository,
                                            const store::Run& run, int64_t count);

// Their curves in a stage, with every seed, as what a training of it is held to.
rules::GreenBand green_band(Db& db, const gate::EarlyRule& rule, const pipeline::GreenRuns& runs,
                            const std::string& stage);

}  // namespace pawl::core
