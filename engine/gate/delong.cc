#include "engine/gate/delong.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "engine/gate/moments.h"
#include "engine/gate/normal.h"

namespace pawl::gate {
namespace {

struct Classes {
  std::vector<std::size_t> positives;  // indices of examples
  std::vector<std::size_t> negatives;
};

Result<Classes> split(const std::vector<bool>& positive) {
  Classes classes;
  for (std::size_t i = 0; i < positive.size(); ++i) {
    (positive[i] ? classes.positives : classes.negatives).push_back(i);
  }
  if (classes.positives.size() < 2 || classes.negatives.size() < 2) {
    return Error(ErrorCode::invalid, "an AUC needs at least two examples of each class");
  }
  return classes;
}

// For every example, twice the number of examples of the other class that score below it, those that score
// the same counting half.
Result<std::vector<double>> placements(std::span<const double> scores, const std::vector<bool>& positive) {
  if (std::any_of(scores.begin(), scores.end(), [](double score) { return std::isnan(score); })) {
    return Error(ErrorCode::invalid, "a score is NaN");
  }
  // Scores beside their indices: a sort that looks scores up elsewhere is several times slower.
  std::vector<std::pair<double, std::size_t>> order;
  order.reserve(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) order.emplace_back(scores[i], i);
  std::sort(order.begin(), order.end());
  std::vector<double> placed(scores.size());
  std::int64_t below[2] = {0, 0};
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    std::int64_t same[2] = {0, 0};
    for (; last < order.size() && order[last].first == order[first].first; ++last) {
      ++same[positive[order[last].second]];
    }
    for (; first < last; ++first) {
      const std::size_t example = order[first].second;
      const bool other = !positive[example];
      placed[example] = static_cast<double>(2 * below[other] + same[other]);
    }
    below[0] += same[0];
    below[1] += same[1];
  }
  return placed;
}

double mean_over(const std::vector<std::size_t>& examples, const std::vector<double>& values) {
  double sum = 0;  // of whole numbers: exact
  for (const std::size_t i : examples) sum += values[i];
  return sum / static_cast<double>(examples.size());
}

// The part of the covariance that comes from one class; the shares are in halves of the `others`.
double class_covariance(const std::vector<std::size_t>& examples, std::size_t others,
                        const std::vector<double>& a, const std::vector<double>& b) {
  const double mean_a = mean_over(examples, a);
  const double mean_b = mean_over(examples, b);
  Sum products;
  for (const std::size_t i : examples) products.add((a[i] - mean_a) * (b[i] - mean_b));
  const auto size = static_cast<double>(examples.size());
  const double unit = 2 * static_cast<double>(others);
  return products.value() / (size - 1) / size / (unit * unit);
}

double covariance(const Classes& classes, const std::vector<double>& a, const std::vector<double>& b) {
  return class_covariance(classes.positives, classes.negatives.size(), a, b) +
         class_covariance(classes.negatives, classes.positives.size(), a, b);
}

double mean_share(const Classes& classes, const std::vector<double>& placed) {
  return mean_over(classes.positives, placed) / (2 * static_cast<double>(classes.negatives.size()));
}

Auc auc_of(const Classes& classes, const std::vector<double>& placed) {
  return {mean_share(classes, placed), covariance(classes, placed, placed)};
}

Interval normal_interval(double estimate, double variance, double alpha, double least) {
  PAWL_CHECK(alpha > 0 && alpha < 0.5);
  const double reach = -normal_quantile(alpha) * std::sqrt(variance);
  return {std::max(least, estimate - reach), std::min(1.0, estimate + reach)};
}

}  // namespace

Result<Auc> delong_auc(std::span<const double> scores, const std::vector<bool>& positive) {
  PAWL_CHECK(scores.size() == positive.size());
  PAWL_ASSIGN(const Classes classes, split(positive));
  PAWL_ASSIGN(const std::vector<double> placed, placements(scores, positive));
  return auc_of(classes, placed);
}

Result<AucDifference> delong_difference(std::span<const double> candidate, std::span<const double> baseline,
                                        const std::vector<bool>& positive) {
  PAWL_CHECK(candidate.size() == positive.size() && baseline.size() == positive.size());
  PAWL_ASSIGN(const Classes classes, split(positive));
  PAWL_ASSIGN(std::vector<double> placed, placements(candidate, positive));
  PAWL_ASSIGN(const std::vector<double> before, placements(baseline, positive));
  AucDifference result;
  result.candidate = auc_of(classes, placed);
  result.baseline = auc_of(classes, before);
  result.covariance = covariance(classes, placed, before);
  // From the differences of the shares and not as a sum of three terms, which would leave rounding where
  // nothing should be left.
  for (std::size_t i = 0; i < placed.size(); ++i) placed[i] -= before[i];
  result.difference = mean_share(classes, placed);
  result.variance = covariance(classes, placed, placed);
  if (result.difference == 0) return result;
  result.z = result.variance > 0 ? result.difference / std::sqrt(result.variance)
                                 : std::copysign(std::numeric_limits<double>::infinity(), result.difference);
  result.p = 2 * normal_cdf(-std::abs(result.z));
  return result;
}

Interval auc_interval(const Auc& auc, double alpha) {
  return normal_interval(auc.auc, auc.variance, alpha, 0);
}

Interval auc_difference_interval(const AucDifference& difference, double alpha) {
  return normal_interval(difference.difference, difference.variance, alpha, -1);
}

}  // namespace pawl::gate
