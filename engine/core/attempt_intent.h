// From a stage of the plan to what a supervisor is told. Pure but for looks at the record: the number of
// steps the baseline took, for the progress bar, and the curves of green runs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/core/context.h"
#include "engine/core/prepare.h"
#include "engine/schedule/slots.h"
#include "engine/store/runs.h"
#include "engine/supervise/intent.h"
#include "pipelines/plan.h"

namespace pawl::core {

struct AttemptInputs {
  Context& context;
  const store::Run& run;
  const pipeline::Plan& plan;
  const pipeline::Stage& stage;
  const store::Attempt& attempt;
  const schedule::Grant& grant;
  const std::vector<PreparedData>& data;
  const std::map<std::string, int64_t>& last_attempts;  // stage -> number of its last attempt
};

supervise::Intent make_intent(const AttemptInputs& inputs);

schedule::Demand demand_of(const pipeline::Stage& stage);

}  // namespace pawl::core
