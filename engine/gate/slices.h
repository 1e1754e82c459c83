// Parts of a test set: by label, by a column of the prediction file, or by a query over its columns.
//
// Pure functions of any thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/evaluation.h"
#include "engine/gate/policy.h"

namespace pawl::gate {

// Slices that do not overlap.
struct Slicing {
  std::vector<std::string> names;       // "lang=de", "label=3", or the name of the query
  std::vector<std::int64_t> sizes;      // examples of each
  std::vector<std::uint32_t> slice_of;  // in order of ids: which of the names, or kNoSlice (paired_slices.h)
};

// Of each slice, ascending: positions in order of ids.
std::vector<std::vector<std::uint32_t>> examples_by_slice(const Slicing& slicing);

// The slices of at least so many examples, and the others.
std::pair<Slicing, Slicing> split_by_size(Slicing slicing, std::int64_t min_examples);

// What the rule needs of a prediction file is added to `wanted`.
void want_columns(const SliceRule& rule, WantedColumns& wanted);

// Error `invalid`: the file lacks a column, and says which it has.
Result<Slicing> slice(const SliceRule& rule, const EvaluationVector& vector);

// Why the baseline's file (of the same test set) does not put the examples into the same slices; empty when
// it does. Who moves the hard examples out of a slice has not improved it.
std::string slicing_problem(const SliceRule& rule, const EvaluationVector& candidate,
                            const EvaluationVector& baseline);

// Every slicing by one column of few words, and by label, whether a rule asks for it or not.
std::vector<SliceRule> possible_slicings(const EvaluationVector& vector);

}  // namespace pawl::gate
