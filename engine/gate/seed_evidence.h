// What a stage left that was run with several seeds, as one evidence. Pure.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/gate/verdict.h"

namespace pawl::gate {

// Each seed with what it left; not empty.
//
// A metric is the mean over the seeds, NaN when a seed lacks it; its values are in `by_seed`. It counts as
// many examples as every seed says, or says nothing. Files of predictions tell the test set: they are those
// of the first seed, unless another seed was scored on other examples; then they are unreadable. What is
// unreadable of one seed is unreadable. Stage and evaluator are those of the first.
Evidence over_seeds(std::vector<std::pair<std::int64_t, Evidence>> seeds);

}  // namespace pawl::gate
