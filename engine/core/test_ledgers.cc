#include "engine/core/test_ledgers.h"

#include <fmt/format.h>

#include <map>

#include "engine/store/test_budgets.h"

namespace pawl::core {
namespace {

using gate::Adaptivity;
using gate::Revealed;

std::string_view word_of(Revealed revealed) {
  switch (revealed) {
    case Revealed::nothing:
      return "nothing";
    case Revealed::bit:
      return "bit";
    case Revealed::score:
      return "score";
  }
  PAWL_CHECK(false);
}

// The schema lets no other words in.
Adaptivity adaptivity_of(std::string_view word) {
  for (const Adaptivity value : {Adaptivity::none, Adaptivity::full}) {
    if (word == to_string(value)) return value;
  }
  return Adaptivity::first_change;
}

Revealed revealed_of(std::string_view word) {
  for (const Revealed value : {Revealed::nothing, Revealed::bit}) {
    if (word == word_of(value)) return value;
  }
  return Revealed::score;
}

}  // namespace

Result<std::optional<gate::TestLedger>> load_ledger(Db& db, std::string_view project,
                                                    std::string_view testset) {
  PAWL_ASSIGN(auto budget, store::test_budget_of(db, project, testset));
  if (!budget) return std::optional<gate::TestLedger>();
  PAWL_ASSIGN(auto uses, store::test_uses_of(db, project, testset));
  gate::TestLedger ledger;
  ledger.terms = {adaptivity_of(budget->adaptivity), budget->steps};
  for (store::TestUse& use : uses) {
    ledger.uses.push_back({std::move(use.asked), std::move(use.model), std::move(use.baseline), use.passed,
                           revealed_of(use.revealed)});
  }
  return std::optional<gate::TestLedger>(std::move(ledger));
}

Result<void> add_ledgers(Db& db, const std::string& project, const gate::Policy& policy,
                         gate::Inputs& inputs) {
  for (const gate::ConditionRule& rule : policy.conditions) {
    const auto vector = inputs.evidence.vectors.find(rule.predictions);
    if (vector == inputs.evidence.vectors.end()) continue;
    for (const std::string& testset : {vector->second.by_labels, vector->second.by_ids}) {
      PAWL_ASSIGN(auto ledger, load_ledger(db, project, testset));
      if (ledger) inputs.ledgers[testset] = *std::move(ledger);
    }
  }
  return {};
}

Result<bool> still_next(Db& db, const std::string& project, const std::vector<gate::NewTestUse>& uses) {
  std::map<std::string, int64_t> last;
  for (const gate::NewTestUse& use : uses) {
    if (!last.contains(use.testset)) {
      PAWL_ASSIGN(last[use.testset], store::count_test_uses(db, project, use.testset));
    }
    if (++last[use.testset] != use.number) return false;
  }
  return true;
}

Result<void> record_uses(Db& db, const std::string& project, const std::string& run_id,
                         const std::vector<gate::NewTestUse>& uses, int64_t now_ms) {
  for (const gate::NewTestUse& added : uses) {
    PAWL_RETURN_IF_ERROR(store::open_test_budget(
        db,
        {project, added.testset, std::string(to_string(added.terms.adaptivity)), added.terms.steps, now_ms}));
    const gate::TestUse& use = added.use;
    PAWL_RETURN_IF_ERROR(store::insert_test_use(db, project, added.testset,
                                                {added.number, run_id, use.asked, use.model, use.baseline,
                                                 use.passed, std::string(word_of(use.revealed)), now_ms}));
  }
  return {};
}

}  // namespace pawl::core
