// A gated metric of a stage that was run with several seeds: is the training worse, or was one model unlucky?
#pragma once

#include <string>

#include "engine/gate/verdict.h"

namespace pawl::gate {

// Why a metric has no mean over the seeds: "accuracy is NaN with seed 3"; empty when it has.
std::string why_no_mean(const std::string& metric, const Evidence& evidence);

// Why these checks of a rule cannot be made on one side; empty when they can. They look at one model, or
// compare so many seeds.
std::string why_not_over_seeds(const MetricRule& rule, const Evidence& evidence);

// The test of rule.seeds on what why_not_over_seeds() allows on both sides; `against` names the baseline.
//
// P is how often a seed of the baseline is better than one of the candidate, over all pairs, ties half
// (seeds.h). The candidate is surely worse when the interval of P lies above 1/2 and reaches beyond
// test.probability, and the exact rank sum test at alpha agrees: with few seeds the interval alone, which is
// a bootstrap, is too sure of itself. lenient: FAIL then. strict: PASS when the interval lies within
// test.probability, else INCONCLUSIVE.
Reason judge_seeds(const MetricRule& rule, const Evidence& now, const Evidence& then,
                   const std::string& against);

}  // namespace pawl::gate
