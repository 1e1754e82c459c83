// Quality of a classifier on one test set. Classes are codes, 0 <= code < number of classes.
//
// The names and the corner cases are scikit-learn's unless stated otherwise. What scikit-learn answers with a
// warning is either a value stated here or the error `invalid`: no examples, a code out of range, a score
// that is no finite number, a probability outside [0, 1] and the like. No function returns NaN.
//
// Pure functions of any thread. Spans that describe the same examples have the same size (checked).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/error.h"

namespace pawl::gate {

// All that accuracy, F1, balanced accuracy and Matthews need to know: by class, and so without a cell for
// every pair of classes.
struct ClassCounts {
  struct Class {
    std::int64_t labelled = 0;   // examples of this class
    std::int64_t predicted = 0;  // examples the model put into it
    std::int64_t right = 0;      // both
  };

  std::int64_t n = 0;  // > 0
  std::vector<Class> classes;
};

Result<ClassCounts> count_classes(std::span<const std::uint32_t> labels,
                                  std::span<const std::uint32_t> predictions, std::size_t classes);

struct ConfusionMatrix {
  static constexpr std::size_t kMaxClasses = 4096;  // 128 MB of cells

  std::size_t classes = 0;
  std::vector<std::int64_t> cells;  // row by label, column by prediction

  std::int64_t at(std::size_t label, std::size_t prediction) const {
    return cells[label * classes + prediction];
  }
};

Result<ConfusionMatrix> confusion_matrix(std::span<const std::uint32_t> labels,
                                         std::span<const std::uint32_t> predictions, std::size_t classes);

// Precision of a class that was never predicted, recall of a class without examples, and their F1, are 0.
struct ClassScores {
  double precision = 0;
  double recall = 0;
  double f1 = 0;
};

double accuracy(const ClassCounts& counts);
std::vector<ClassScores> class_scores(const ClassCounts& counts);

// The mean over the classes that occur among the labels or the predictions.
ClassScores macro_scores(const ClassCounts& counts);

// The mean weighted by the examples of each class.
ClassScores weighted_scores(const ClassCounts& counts);

// The mean recall of the classes that have examples.
double balanced_accuracy(const ClassCounts& counts);

// The correlation of labels and predictions (for two classes: the phi coefficient). 0 when all predictions
// are of one class: they tell nothing. Error `invalid`: all labels are of one class.
Result<double> matthews(const ClassCounts& counts);

// Scores or probabilities: a row of `classes` values for each example.
struct ScoreTable {
  std::span<const double> values;
  std::size_t classes = 0;

  std::size_t size() const { return values.size() / classes; }
  std::span<const double> row(std::size_t example) const {
    return values.subspan(example * classes, classes);
  }
};

// What follows is per example, for the paired tests; the metric is the mean of it.

// 1 where fewer than k other classes score as high as the label or higher. A tie counts against the model:
// one that gives all classes the same score is never right. (scikit-learn lets the order of the classes
// decide.) 1 <= k.
Result<std::vector<std::uint8_t>> top_k_hits(std::span<const std::uint32_t> labels, const ScoreTable& scores,
                                             std::size_t k);

// Rows of probabilities add up to 1 within this; they are not rescaled.
inline constexpr double kProbabilitySumTolerance = 1e-3;

// -ln of the label's probability, which is taken as 2^-52 where it is below: a sure and wrong model loses 36
// nats and not infinity.
Result<std::vector<double>> log_losses(std::span<const std::uint32_t> labels,
                                       const ScoreTable& probabilities);

// The squared distance of the row from the label's unit vector, 0 to 2 (Brier 1950). With two classes half of
// it, which is the customary (p - y)^2.
Result<std::vector<double>> brier_scores(std::span<const std::uint32_t> labels,
                                         const ScoreTable& probabilities);

// Expected calibration error of the most probable class (of several the lowest code): the examples fall into
// 15 bins of equal width by that probability, (i / 15, (i + 1) / 15], and the distance of each bin's accuracy
// from its mean probability is averaged, weighted by the examples in it (Guo et al., ICML 2017).
Result<double> expected_calibration_error(std::span<const std::uint32_t> labels,
                                          const ScoreTable& probabilities);

// The mean of per-example values. Error `invalid`: no values, or one that is no finite number.
Result<double> mean(std::span<const double> values);
Result<double> mean(std::span<const std::uint8_t> hits);

}  // namespace pawl::gate
