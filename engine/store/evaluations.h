// Which model was scored by what on which test set. Rows are facts and never change.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/sqlite.h"

namespace pawl::store {

struct Evaluation {
  std::string run_id;
  std::string stage;
  std::string project;
  std::string model;                                 // digest; empty: not known
  std::string evaluator;                             // digest; empty: not known
  std::map<std::string, std::string> testsets = {};  // file of predictions -> digest of its test set
};

// In the caller's transaction. Error conflict when the stage of the run has one.
Result<void> insert_evaluation(Db& db, const Evaluation& evaluation);

// Of a run, by stage.
Result<std::vector<Evaluation>> evaluations_of(Db& db, std::string_view run_id);
Result<std::optional<Evaluation>> evaluation_of(Db& db, std::string_view run_id, std::string_view stage);

// The newest of the model by the evaluator on exactly these test sets.
Result<std::optional<Evaluation>> find_evaluation(Db& db, std::string_view project, std::string_view model,
                                                  std::string_view evaluator,
                                                  const std::map<std::string, std::string>& testsets);

}  // namespace pawl::store
