// What a verified delivery means for a project: a run, or a reason why not. Blocks (reads the mirror);
// touches no engine state.
#pragma once

#include <optional>
#include <string>

#include "engine/core/config.h"
#include "engine/core/new_run.h"
#include "engine/store/inbox.h"
#include "engine/trigger/git.h"

namespace pawl::core {

struct DeliveryOutcome {
  std::optional<NewRun> run;
  std::string note;    // for the delivery's row
  std::string branch;  // whose head moved; empty: none
  std::string head;    // to where; empty: the branch was deleted
};

// The mirror is up to date. Errors: invalid (the payload), others from git; an error of code unavailable or
// io may go away by itself.
Result<DeliveryOutcome> evaluate_delivery(const Project& project, const trigger::Repository& mirror,
                                          const store::Delivery& delivery);

// The same for a branch that moved without a delivery that says so.
Result<DeliveryOutcome> evaluate_push(const Project& project, const trigger::Repository& mirror,
                                      const std::string& branch, const std::string& before,
                                      const std::string& after, const std::string& event_key,
                                      const std::string& note);

// The pipeline file of a commit as text; nullopt when it has none.
Result<std::optional<std::string>> pipeline_text_at(const trigger::Repository& repository,
                                                    const std::string& sha);

}  // namespace pawl::core
