// What a model gave, read as the answer to a task. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "stages/evaluate/csv_table.h"
#include "stages/evaluate/model.h"

namespace pawl::evaluate {

enum class Task { classification, binary, regression, ranking };

// How the outputs of a classifier are meant. Logarithms of probabilities are logits too.
enum class Scale { logits, probabilities };

// A row of `classes` probabilities for each example.
struct Probabilities {
  std::size_t classes = 0;
  std::vector<double> values;
  std::vector<std::uint32_t> predicted;  // the most probable class, of several the lowest
  std::vector<bool> broken;              // with a NaN, or an infinity that leaves no probabilities
  std::size_t broken_count = 0;
};

// Softmax of the rows. A binary classifier may give one number for each example, that of the positive class
// (whose code is 1), which is put through the logistic function. Error `invalid`: too few columns for the
// task; with Scale::probabilities a row that is none.
Result<Probabilities> read_probabilities(Outputs outputs, Task task, Scale scale);

// Whether all rows, taken as logits, look like probabilities already: a softmax of these would be a mistake.
bool look_like_probabilities(const Outputs& outputs);

// Labels as codes of the model's outputs, and the name of each.
struct ClassCodes {
  std::vector<std::string> names;
  std::vector<std::uint32_t> codes;
};

// Numbers are codes; `names` gives the classes their names then (without: the numbers themselves). Words are
// looked up in `names`; without, they are put into order. Error `invalid`: a label that is no code or none of
// the names, or another number of names than `classes`.
Result<ClassCodes> code_labels(const Labels& labels, const std::vector<std::string>& names,
                               std::size_t classes);

}  // namespace pawl::evaluate
