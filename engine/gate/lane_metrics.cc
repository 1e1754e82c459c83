#include "engine/gate/lane_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/gate/regression.h"

namespace pawl::gate {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

// By way of a signed integer, of which processors have an instruction. Below 2^31.
double as_double(std::uint32_t count) {
  return static_cast<double>(static_cast<std::int32_t>(count));
}

// The order of the scores jumps through the weights. Asked for this many entries ahead, they are there when
// needed; waiting for memory would be two thirds of the time.
constexpr std::size_t kAhead = 24;

// Plain arrays and loops over all lanes: the compiler makes vector instructions of them.
struct alignas(64) LaneSums {
  std::uint32_t of[kLanes] = {};

  void add(const LaneWeights& weights) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) of[lane] += weights.of[lane];
  }
  void add(const LaneSums& other) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) of[lane] += other.of[lane];
  }
};

class LaneAuc : public LaneMetric {
 public:
  explicit LaneAuc(std::shared_ptr<const RankedScores> ranked) : ranked_(std::move(ranked)) {}

  std::size_t size() const override { return ranked_->entries().size(); }

  LaneValues evaluate(std::span<const LaneWeights> weights) const override {
    PAWL_CHECK(weights.size() == size());
    const std::span<const RankedScores::Entry> entries = ranked_->entries();
    LaneSums negatives;
    LaneSums positives;
    LaneSums tied_positives;
    LaneSums beaten;                 // negatives before the run of ties, which its positives lead
    double wins_twice[kLanes] = {};  // whole numbers far below 2^53
    bool any_positive = false;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const RankedScores::Entry entry = entries[i];
      const LaneWeights& weight = weights[entry.example];
      if (i + kAhead < entries.size()) __builtin_prefetch(&weights[entries[i + kAhead].example]);
      if (entry.positive) {
        beaten = negatives;
        any_positive = true;
        tied_positives.add(weight);
      } else {
        negatives.add(weight);
      }
      if (!entry.last_tied || !any_positive) continue;
      positives.add(tied_positives);
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        wins_twice[lane] +=
            as_double(tied_positives.of[lane]) * as_double(beaten.of[lane] + negatives.of[lane]);
      }
      tied_positives = {};
      any_positive = false;
    }
    LaneValues values;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double pairs = 2.0 * negatives.of[lane] * positives.of[lane];
      values[lane] = pairs > 0 ? wins_twice[lane] / pairs : kUndefined;
    }
    return values;
  }

 private:
  std::shared_ptr<const RankedScores> ranked_;
};

class LaneAveragePrecision : public LaneMetric {
 public:
  explicit LaneAveragePrecision(std::shared_ptr<const RankedScores> ranked) : ranked_(std::move(ranked)) {}

  std::size_t size() const override { return ranked_->entries().size(); }

  LaneValues evaluate(std::span<const LaneWeights> weights) const override {
    PAWL_CHECK(weights.size() == size());
    const std::span<const RankedScores::Entry> entries = ranked_->entries();
    LaneSums counted;
    LaneSums positives;
    LaneSums tied_positives;
    double sums[kLanes] = {};
    bool any_positive = false;
    for (std::size_t i = entries.size(); i-- > 0;) {
      const LaneWeights& weight = weights[entries[i].example];
      if (i >= kAhead) __builtin_prefetch(&weights[entries[i - kAhead].example]);
      counted.add(weight);
      if (entries[i].positive) {
        tied_positives.add(weight);
        any_positive = true;
      }
      if (!any_positive || (i > 0 && !entries[i - 1].last_tied)) continue;
      positives.add(tied_positives);
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        const double count = as_double(std::max(counted.of[lane], 1u));  // of 0 none is positive
        sums[lane] += as_double(tied_positives.of[lane]) * as_double(positives.of[lane]) / count;
      }
      tied_positives = {};
      any_positive = false;
    }
    LaneValues values;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      values[lane] = positives.of[lane] > 0 ? sums[lane] / positives.of[lane] : kUndefined;
    }
    return values;
  }

 private:
  std::shared_ptr<const RankedScores> ranked_;
};

class LaneClassMetric : public LaneMetric {
 public:
  LaneClassMetric(std::span<const std::uint32_t> labels, std::span<const std::uint32_t> predictions,
                  std::size_t classes, ClassStatistic statistic)
      : classes_(classes), statistic_(statistic) {
    answers_.reserve(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) answers_.push_back({labels[i], predictions[i]});
  }

  std::size_t size() const override { return answers_.size(); }

  LaneValues evaluate(std::span<const LaneWeights> weights) const override {
    PAWL_CHECK(weights.size() == size());
    std::vector<Sums> sums(classes_);
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      const auto [label, prediction] = answers_[i];
      sums[label].labelled.add(weights[i]);
      sums[prediction].predicted.add(weights[i]);
      if (label == prediction) sums[label].right.add(weights[i]);
    }
    LaneValues values;
    ClassCounts counts;
    counts.classes.resize(classes_);
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      counts.n = 0;
      for (std::size_t c = 0; c < classes_; ++c) {
        counts.classes[c] = {sums[c].labelled.of[lane], sums[c].predicted.of[lane], sums[c].right.of[lane]};
        counts.n += counts.classes[c].labelled;
      }
      values[lane] = counts.n > 0 ? statistic_(counts) : kUndefined;
    }
    return values;
  }

 private:
  struct Answer {
    std::uint32_t label;
    std::uint32_t prediction;
  };
  struct Sums {
    LaneSums labelled;
    LaneSums predicted;
    LaneSums right;
  };

  std::vector<Answer> answers_;
  std::size_t classes_;
  ClassStatistic statistic_;
};

// A function of the means of some columns of per-example values.
template <std::size_t kColumns>
class LaneMeans : public LaneMetric {
 public:
  using Row = std::array<double, kColumns>;
  using Function = double (*)(const Row& means);

  LaneMeans(std::vector<Row> rows, Function function) : rows_(std::move(rows)), function_(function) {}

  std::size_t size() const override { return rows_.size(); }

  LaneValues evaluate(std::span<const LaneWeights> weights) const override {
    PAWL_CHECK(weights.size() == size());
    double sums[kColumns][kLanes] = {};
    LaneSums total;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      total.add(weights[i]);
      for (std::size_t column = 0; column < kColumns; ++column) {
        const double value = rows_[i][column];
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          sums[column][lane] += as_double(weights[i].of[lane]) * value;
        }
      }
    }
    LaneValues values;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      Row means;
      for (std::size_t column = 0; column < kColumns; ++column) {
        means[column] = sums[column][lane] / total.of[lane];
      }
      values[lane] = total.of[lane] > 0 ? function_(means) : kUndefined;
    }
    return values;
  }

 private:
  std::vector<Row> rows_;
  Function function_;
};

class LaneAverage : public LaneMetric {
 public:
  explicit LaneAverage(std::vector<std::unique_ptr<LaneMetric>> metrics) : metrics_(std::move(metrics)) {}

  std::size_t size() const override { return metrics_.front()->size(); }

  LaneValues evaluate(std::span<const LaneWeights> weights) const override {
    LaneValues values{};
    for (const auto& metric : metrics_) {
      const LaneValues of_one = metric->evaluate(weights);
      for (std::size_t lane = 0; lane < kLanes; ++lane) values[lane] += of_one[lane];
    }
    for (double& value : values) value /= static_cast<double>(metrics_.size());
    return values;
  }

 private:
  std::vector<std::unique_ptr<LaneMetric>> metrics_;
};

}  // namespace

std::unique_ptr<LaneMetric> lane_auc(std::shared_ptr<const RankedScores> ranked) {
  return std::make_unique<LaneAuc>(std::move(ranked));
}

std::unique_ptr<LaneMetric> lane_average_precision(std::shared_ptr<const RankedScores> ranked) {
  return std::make_unique<LaneAveragePrecision>(std::move(ranked));
}

Result<std::unique_ptr<LaneMetric>> lane_class_metric(std::span<const std::uint32_t> labels,
                                                      std::span<const std::uint32_t> predictions,
                                                      std::size_t classes, ClassStatistic statistic) {
  auto counts = count_classes(labels, predictions, classes);
  if (!counts) return std::move(counts).error();
  return std::unique_ptr<LaneMetric>(
      std::make_unique<LaneClassMetric>(labels, predictions, classes, statistic));
}

Result<std::unique_ptr<LaneMetric>> lane_mean(std::vector<double> values) {
  auto checked = mean(values);
  if (!checked) return std::move(checked).error();
  std::vector<std::array<double, 1>> rows;
  rows.reserve(values.size());
  for (const double value : values) rows.push_back({value});
  return std::unique_ptr<LaneMetric>(
      std::make_unique<LaneMeans<1>>(std::move(rows), [](const auto& means) { return means[0]; }));
}

Result<std::unique_ptr<LaneMetric>> lane_root_mean_squared_error(std::span<const double> targets,
                                                                 std::span<const double> predictions) {
  PAWL_ASSIGN(const std::vector<double> errors, squared_errors(targets, predictions));
  if (errors.empty()) return Error(ErrorCode::invalid, "there are no examples");
  std::vector<std::array<double, 1>> rows;
  rows.reserve(errors.size());
  for (const double error : errors) rows.push_back({error});
  return std::unique_ptr<LaneMetric>(
      std::make_unique<LaneMeans<1>>(std::move(rows), [](const auto& means) { return std::sqrt(means[0]); }));
}

Result<std::unique_ptr<LaneMetric>> lane_r2(std::span<const double> targets,
                                            std::span<const double> predictions) {
  auto checked = r2(targets, predictions);
  if (!checked) return std::move(checked).error();
  PAWL_ASSIGN(const std::vector<double> errors, squared_errors(targets, predictions));
  PAWL_ASSIGN(const double center, mean(targets));
  double spread = 0;
  for (const double target : targets) spread += (target - center) * (target - center);
  // In units of the spread, so that what is left of equal targets after cancellation can be told from 0.
  const double unit = std::sqrt(spread / static_cast<double>(targets.size()));
  std::vector<std::array<double, 3>> rows;
  rows.reserve(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const double target = (targets[i] - center) / unit;
    rows.push_back({errors[i] / (unit * unit), target, target * target});
  }
  return std::unique_ptr<LaneMetric>(std::make_unique<LaneMeans<3>>(std::move(rows), [](const auto& means) {
    const double variance = means[2] - means[1] * means[1];
    return variance > 1e-12 ? 1 - means[0] / variance : kUndefined;
  }));
}

std::unique_ptr<LaneMetric> lane_average(std::vector<std::unique_ptr<LaneMetric>> metrics) {
  PAWL_CHECK(!metrics.empty());
  return std::make_unique<LaneAverage>(std::move(metrics));
}

}  // namespace pawl::gate
