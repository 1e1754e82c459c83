// Comparisons out of what a pass over the examples leaves of them: counts or moments, whoever took them.
//
// Pure functions of any thread.
#pragma once

#include <cstdint>

#include "engine/gate/comparison.h"
#include "engine/gate/paired_mean.h"
#include "engine/gate/paired_slices.h"

namespace pawl::gate {

// Of right answers, n > 0.
Comparison compare_answers(const PairedTest& test, const PairedAnswers& answers);

// Of values, as far as the mean and the spread of the gain say: everything but the two models' own means and
// whether they are alike. `at_all` is the decision against a margin of 0.
Comparison compare_gains(const PairedTest& test, Direction direction, const PairedMean& gain,
                         const MeanDecision& at_margin, const MeanDecision& at_all);

// Examples that would show with 80 % power a gain of `room` > 0 above -margin, by the normal approximation;
// `deviation` is that of one example.
std::int64_t examples_for_mean(double deviation, double room, double alpha);

// What the interval says about the margin.
void decide(const PairedTest& test, Direction direction, Comparison& comparison);

}  // namespace pawl::gate
