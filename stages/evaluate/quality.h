// What a model is worth on a dataset: metrics, and a row for each example. Pure.
//
// A model that gives NaN has no quality: then every metric is NaN, which a gate refuses to judge, and
// non_finite_outputs counts the examples. A metric that this dataset does not define (AUC with a single
// class) is left out, with a note.
#pragma once

#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/metrics.h"
#include "stages/evaluate/outputs.h"

namespace pawl::evaluate {

// What predictions.csv gets, without the ids.
struct PredictionRows {
  std::vector<std::string> labels;
  std::vector<std::string> predictions;
  struct Column {
    std::string name;
    std::vector<double> values;
  };
  std::vector<Column> columns;
};

// Examples by label (row) and prediction (column); those without a prediction do not count.
struct Confusion {
  std::vector<std::string> classes;  // empty: the task has none, or there are too many
  std::vector<std::int64_t> cells;
};

struct Quality {
  std::vector<gate::Metric> metrics;
  PredictionRows rows;
  Confusion confusion;
  std::vector<std::string> notes;  // sentences for the user: what was left out and why
};

// Metrics of each class are left out above this, and so are those that rank the examples once for each class.
inline constexpr std::size_t kMaxNamedClasses = 1000;
inline constexpr std::size_t kMaxRankedClasses = 100;

struct ClassOptions {
  Task task = Task::classification;  // or binary, whose positive class is the second one
  std::vector<std::size_t> top_k;    // 1 is the accuracy
  bool all_scores = false;           // a column for each class
};

Quality judge_classes(const Probabilities& probabilities, const ClassCodes& labels,
                      const ClassOptions& options);

// One number for each example. Error `invalid`: labels that are words, or a model that gives several numbers.
Result<Quality> judge_numbers(const Outputs& outputs, const Labels& labels);

// The score of each document; labels are relevances, `groups` the queries (not empty). Errors as above.
Result<Quality> judge_ranking(const Outputs& outputs, const Labels& labels,
                              const std::vector<std::uint64_t>& groups,
                              const std::vector<std::size_t>& top_k);

}  // namespace pawl::evaluate
