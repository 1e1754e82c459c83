// Whether two models were measured alike: numbers from another test set, or from another evaluator, say
// nothing about which of the two is better.
#pragma once

#include <string>
#include <string_view>

#include "engine/gate/policy.h"
#include "engine/gate/verdict.h"

namespace pawl::gate {

// Why `then` cannot be held against `now`, in words that " in run 3" may follow ("test set changed: 900
// examples, were 1000"); empty when nothing is known to speak against it. Compared are, in this order, the
// number of examples of the metric (metrics.json), the ids and labels of the predictions, and the evaluators,
// each as far as both have them: where another test set comes with another evaluator, it is what to tell.
std::string why_incomparable(const MetricRule& rule, const Evidence& now, const Evidence& then);

std::string why_incomparable(const ConditionRule& rule, const Evidence& now, const Evidence& then);

// The same as a sentence about that baseline, with why its model was not scored again.
std::string in_baseline(std::string_view why, const Baseline& baseline);

// The first of these of all that the policy compares with a baseline, its conditions too.
std::string why_incomparable(const Policy& policy, const Evidence& now, const Evidence& then);

}  // namespace pawl::gate
