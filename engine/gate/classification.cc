#include "engine/gate/classification.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace pawl::gate {
namespace {

constexpr std::size_t kCalibrationBins = 15;

Error invalid(std::string message) {
  return Error(ErrorCode::invalid, std::move(message));
}

Error no_examples() {
  return invalid("there are no examples");
}

Result<void> check_codes(std::span<const std::uint32_t> codes, std::size_t classes, const char* what) {
  if (codes.empty()) return no_examples();
  const std::uint32_t highest = *std::max_element(codes.begin(), codes.end());
  if (highest >= classes) {
    return invalid(fmt::format("a {} has class code {}, there are {} classes", what, highest, classes));
  }
  return {};
}

Result<void> check_table(std::span<const std::uint32_t> labels, const ScoreTable& table) {
  PAWL_CHECK(table.classes > 0 && table.values.size() == labels.size() * table.classes);
  PAWL_RETURN_IF_ERROR(check_codes(labels, table.classes, "label"));
  for (std::size_t i = 0; i < table.values.size(); ++i) {
    if (!std::isfinite(table.values[i])) {
      return invalid(fmt::format("example {}, class {}: the score is {}", i / table.classes,
                                 i % table.classes, table.values[i]));
    }
  }
  return {};
}

Result<void> check_probabilities(std::span<const std::uint32_t> labels, const ScoreTable& table) {
  PAWL_RETURN_IF_ERROR(check_table(labels, table));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::span<const double> row = table.row(i);
    for (const double p : row) {
      if (p < 0 || p > 1) return invalid(fmt::format("example {}: {} is no probability", i, p));
    }
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    if (std::abs(sum - 1) > kProbabilitySumTolerance) {
      return invalid(fmt::format("example {}: the probabilities add up to {}", i, sum));
    }
  }
  return {};
}

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

ClassScores scores_of(const ClassCounts::Class& counts) {
  return {ratio(counts.right, counts.predicted), ratio(counts.right, counts.labelled),
          ratio(2 * counts.right, counts.labelled + counts.predicted)};
}

// The mean of the classes' scores with the weights weight_of(class).
template <class WeightOf>
ClassScores average_scores(const ClassCounts& counts, WeightOf weight_of) {
  PAWL_CHECK(counts.n > 0);
  ClassScores sum;
  double total = 0;
  for (const ClassCounts::Class& it : counts.classes) {
    const double weight = weight_of(it);
    const ClassScores scores = scores_of(it);
    sum.precision += weight * scores.precision;
    sum.recall += weight * scores.recall;
    sum.f1 += weight * scores.f1;
    total += weight;
  }
  return {sum.precision / total, sum.recall / total, sum.f1 / total};
}

}  // namespace

Result<ClassCounts> count_classes(std::span<const std::uint32_t> labels,
                                  std::span<const std::uint32_t> predictions, std::size_t classes) {
  PAWL_CHECK(labels.size() == predictions.size());
  PAWL_RETURN_IF_ERROR(check_codes(labels, classes, "label"));
  PAWL_RETURN_IF_ERROR(check_codes(predictions, classes, "prediction"));
  ClassCounts counts{static_cast<std::int64_t>(labels.size()), std::vector<ClassCounts::Class>(classes)};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    ++counts.classes[labels[i]].labelled;
    ++counts.classes[predictions[i]].predicted;
    if (labels[i] == predictions[i]) ++counts.classes[labels[i]].right;
  }
  return counts;
}

Result<ConfusionMatrix> confusion_matrix(std::span<const std::uint32_t> labels,
                                         std::span<const std::uint32_t> predictions, std::size_t classes) {
  PAWL_CHECK(labels.size() == predictions.size());
  PAWL_RETURN_IF_ERROR(check_codes(labels, classes, "label"));
  PAWL_RETURN_IF_ERROR(check_codes(predictions, classes, "prediction"));
  if (classes > ConfusionMatrix::kMaxClasses) {
    return invalid(fmt::format("a confusion matrix has at most {} classes, these are {}",
                               ConfusionMatrix::kMaxClasses, classes));
  }
  ConfusionMatrix matrix{classes, std::vector<std::int64_t>(classes * classes)};
  for (std::size_t i = 0; i < labels.size(); ++i) ++matrix.cells[labels[i] * classes + predictions[i]];
  return matrix;
}

double accuracy(const ClassCounts& counts) {
  PAWL_CHECK(counts.n > 0);
  std::int64_t right = 0;
  for (const ClassCounts::Class& it : counts.classes) right += it.right;
  return ratio(right, counts.n);
}

std::vector<ClassScores> class_scores(const ClassCounts& counts) {
  std::vector<ClassScores> scores;
  for (const ClassCounts::Class& it : counts.classes) scores.push_back(scores_of(it));
  return scores;
}

ClassScores macro_scores(const ClassCounts& counts) {
  return average_scores(
      counts, [](const ClassCounts::Class& it) { return it.labelled + it.predicted > 0 ? 1.0 : 0.0; });
}

ClassScores weighted_scores(const ClassCounts& counts) {
  return average_scores(counts,
                        [](const ClassCounts::Class& it) { return static_cast<double>(it.labelled); });
}

double balanced_accuracy(const ClassCounts& counts) {
  return average_scores(counts, [](const ClassCounts::Class& it) { return it.labelled > 0 ? 1.0 : 0.0; })
      .recall;
}

Result<double> matthews(const ClassCounts& counts) {
  PAWL_CHECK(counts.n > 0);
  const auto n = static_cast<double>(counts.n);
  double covariance = 0;
  double label_variance = 0;
  double prediction_variance = 0;
  for (const ClassCounts::Class& it : counts.classes) {
    const double labelled = static_cast<double>(it.labelled) / n;
    const double predicted = static_cast<double>(it.predicted) / n;
    covariance += static_cast<double>(it.right) / n - labelled * predicted;
    label_variance += labelled * (1 - labelled);
    prediction_variance += predicted * (1 - predicted);
  }
  if (label_variance == 0) return invalid("all labels are of one class: there is no correlation with them");
  if (prediction_variance == 0) return 0.0;
  return covariance / std::sqrt(label_variance * prediction_variance);
}

Result<std::vector<std::uint8_t>> top_k_hits(std::span<const std::uint32_t> labels, const ScoreTable& scores,
                                             std::size_t k) {
  PAWL_CHECK(k > 0);
  PAWL_RETURN_IF_ERROR(check_table(labels, scores));
  std::vector<std::uint8_t> hits(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::span<const double> row = scores.row(i);
    const double own = row[labels[i]];
    const auto as_high = std::count_if(row.begin(), row.end(), [own](double it) { return it >= own; });
    hits[i] = static_cast<std::size_t>(as_high) <= k;  // the label itself is among them
  }
  return hits;
}

Result<std::vector<double>> log_losses(std::span<const std::uint32_t> labels,
                                       const ScoreTable& probabilities) {
  PAWL_RETURN_IF_ERROR(check_probabilities(labels, probabilities));
  std::vector<double> losses(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    losses[i] = -std::log(std::max(probabilities.row(i)[labels[i]], std::numeric_limits<double>::epsilon()));
  }
  return losses;
}

Result<std::vector<double>> brier_scores(std::span<const std::uint32_t> labels,
                                         const ScoreTable& probabilities) {
  PAWL_RETURN_IF_ERROR(check_probabilities(labels, probabilities));
  const double scale = probabilities.classes == 2 ? 0.5 : 1;
  std::vector<double> scores(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::span<const double> row = probabilities.row(i);
    double distance = 0;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const double error = row[c] - (c == labels[i] ? 1 : 0);
      distance += error * error;
    }
    scores[i] = scale * distance;
  }
  return scores;
}

Result<double> expected_calibration_error(std::span<const std::uint32_t> labels,
                                          const ScoreTable& probabilities) {
  PAWL_RETURN_IF_ERROR(check_probabilities(labels, probabilities));
  struct Bin {
    double right = 0;
    double probability = 0;
  };
  std::vector<Bin> bins(kCalibrationBins);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::span<const double> row = probabilities.row(i);
    const auto top = std::max_element(row.begin(), row.end());
    const double place = std::ceil(*top * kCalibrationBins) - 1;
    Bin& bin = bins[static_cast<std::size_t>(std::clamp(place, 0.0, kCalibrationBins - 1.0))];
    bin.right += top - row.begin() == static_cast<std::ptrdiff_t>(labels[i]) ? 1 : 0;
    bin.probability += *top;
  }
  double error = 0;
  for (const Bin& bin : bins) error += std::abs(bin.right - bin.probability);
  return error / static_cast<double>(labels.size());
}

Result<double> mean(std::span<const double> values) {
  if (values.empty()) return no_examples();
  double sum = 0;
  for (const double value : values) sum += value;
  if (!std::isfinite(sum)) return invalid("a value is no finite number, or their sum overflows");
  return sum / static_cast<double>(values.size());
}

Result<double> mean(std::span<const std::uint8_t> hits) {
  if (hits.empty()) return no_examples();
  const auto right = std::count_if(hits.begin(), hits.end(), [](std::uint8_t hit) { return hit != 0; });
  return static_cast<double>(right) / static_cast<double>(hits.size());
}

}  // namespace pawl::gate
