// The ledgers of test sets between the record and the gate.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/sqlite.h"
#include "engine/gate/verdict.h"

namespace pawl::core {

// nullopt: the test set was never used.
Result<std::optional<gate::TestLedger>> load_ledger(Db& db, std::string_view project,
                                                    std::string_view testset);

// Puts the ledgers of the test sets that the policy's conditions are about into inputs.ledgers, for the
// evidence that is there.
Result<void> add_ledgers(Db& db, const std::string& project, const gate::Policy& policy,
                         gate::Inputs& inputs);

// Whether no other run has used one of the test sets since these uses were counted: if one has, the run is to
// be judged again.
Result<bool> still_next(Db& db, const std::string& project, const std::vector<gate::NewTestUse>& uses);

// Within the transaction that records the verdict.
Result<void> record_uses(Db& db, const std::string& project, const std::string& run_id,
                         const std::vector<gate::NewTestUse>& uses, int64_t now_ms);

}  // namespace pawl::core
