// Whether a run was judged by another gate than its commit has, as people are told of it.
#pragma once

#include <string>

#include "engine/base/sqlite.h"
#include "engine/gate/policy.h"
#include "engine/store/runs.h"
#include "engine/store/verdicts.h"
#include "engine/trigger/git.h"

namespace pawl::core {

// "judged by the gate of main; this commit changes it" when the gate that `judged` the run is the target
// branch's and the commit has another or switches it off; empty when it changes nothing. Reads the commit's
// pipeline.
std::string whose_gate(const trigger::Repository& repository, const store::Run& run,
                       const gate::Policy& judged);

// The same as a verdict, or that of a run, has it on record; empty when there is nothing to say.
std::string gate_note(const store::Verdict& verdict);
Result<std::string> gate_note(Db& db, const store::Run& run);

}  // namespace pawl::core
