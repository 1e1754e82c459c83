// What a run's judged stage left, read back from the record and the content-addressed store for the gate.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/base/sqlite.h"
#include "engine/gate/policy.h"
#include "engine/gate/verdict.h"
#include "engine/store/cas.h"

namespace pawl::core {

// The stage is the policy's, or the last (in the order of the plan) that wrote metrics; with no metrics at
// all the evidence is empty. A prediction file that is missing is left out, one that cannot be read is named
// as unreadable.
Result<gate::Evidence> load_evidence(Db& db, const store::Cas& cas, const std::string& run_id,
                                     const gate::Policy& policy);

// Of that stage. Its evaluator is the one on record.
Result<gate::Evidence> load_evidence_of(Db& db, const store::Cas& cas, const std::string& run_id,
                                        const std::string& stage, const gate::Policy& policy);

// Names of the predictions files that the policy looks at.
std::set<std::string> judged_files(const gate::Policy& policy);

// Of the judged stage only the metrics.
Result<std::vector<gate::Metric>> load_metrics(Db& db, const std::string& run_id, const gate::Policy& policy);

}  // namespace pawl::core
