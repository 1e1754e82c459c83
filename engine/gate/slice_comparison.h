// The comparisons of comparison.h within every slice of a slicing. Means over the examples (right answers, a
// column) take one pass for all slices together; the other metrics look at each slice by itself.
//
// Pure functions of any thread. Results are in the order of the slices; errors are those of comparison.h.
#pragma once

#include <vector>

#include "engine/gate/comparison.h"
#include "engine/gate/slices.h"

namespace pawl::gate {

// `candidate` and `baseline` are of the same test set (checked), and `slicing` is of theirs.
std::vector<Result<Comparison>> compare_slices(const PairedTest& test, Direction direction,
                                               const EvaluationVector& candidate,
                                               const EvaluationVector& baseline, const Slicing& slicing,
                                               const ParallelFor& parallel_for = serial_for);

std::vector<Result<double>> values_of_slices(const PairedTest& test, const EvaluationVector& vector,
                                             const Slicing& slicing);

}  // namespace pawl::gate
