// A condition (condition.h) on a run whose stages all succeeded, within the budget of its test set.
//
// n and o are the shares of right answers of the new model and of the baseline, d the share of examples whose
// predictions differ, all on one test set. The answer is true, false or unknown, and the mode makes pass or
// fail of it; nothing else of it is told, for that is all the guarantee has paid for.
//
//   INCONCLUSIVE  the test set has fewer examples than plan_samples() asks for, or it is used up and
//                 ConditionRule::on_spent is block. The question is not answered then and counts as no use.
//                 Or labels are missing that it takes (active_labels.h): their ids go to Verdict::to_label.
//   NO_BASELINE   the condition has an o or a d, and there are no comparable predictions. Policy::bootstrap
//                 is as for metrics. A condition on n alone needs no baseline.
//
// The budget counts answers. Pawl keeps the predictions among the run's files, where more than pass or fail
// can be read: that is told with every answer and recorded as Revealed::score, and is not red.
#pragma once

#include "engine/gate/verdict.h"

namespace pawl::gate {

// Adds one or two reasons, and to verdict.test_uses the use of the test set when this is one.
void judge_condition(const Policy& policy, const ConditionRule& rule, const Inputs& inputs, Verdict& verdict);

}  // namespace pawl::gate
