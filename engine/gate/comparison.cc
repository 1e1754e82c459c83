#include "engine/gate/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "engine/gate/bootstrap.h"
#include "engine/gate/bootstrap_interval.h"
#include "engine/gate/classification.h"
#include "engine/gate/comparison_parts.h"
#include "engine/gate/delong.h"
#include "engine/gate/lane_metrics.h"
#include "engine/gate/normal.h"
#include "engine/gate/paired_mean.h"
#include "engine/gate/ranking.h"

namespace pawl::gate {
namespace {

using Of = PairedTest::Of;

constexpr std::uint64_t kSeed = 0;  // the same verdict every time

// One element for each example. All examples are looked at where they lie, a subset is copied.
template <class T>
class Picked {
 public:
  Picked(std::span<const T> column, const Subset& subset) : all_(column), is_copy_(subset) {
    if (!subset) return;
    copy_.reserve(subset->size());
    for (const std::uint32_t i : *subset) copy_.push_back(column[i]);
  }

  std::span<const T> values() const { return is_copy_ ? std::span<const T>(copy_) : all_; }

 private:
  std::span<const T> all_;
  bool is_copy_;
  std::vector<T> copy_;
};

std::size_t size_of(const EvaluationVector& vector, const Subset& subset) {
  return subset ? subset->size() : static_cast<std::size_t>(vector.n);
}

std::int64_t right_in(const EvaluationVector& vector, const Subset& subset) {
  if (!subset) return vector.right();
  return std::count_if(subset->begin(), subset->end(), [&](std::uint32_t i) { return vector.is_right(i); });
}

// `whole`: the counts over all examples.
PairedAnswers answers_in(const PairedCounts& whole, const EvaluationVector& candidate,
                         const EvaluationVector& baseline, const Subset& subset) {
  PairedAnswers out{whole, right_in(candidate, subset)};
  if (!subset) return out;
  out.counts = {.n = static_cast<std::int64_t>(subset->size()), .b = 0, .c = 0};
  for (const std::uint32_t i : *subset) {
    out.counts.b += candidate.is_right(i) && !baseline.is_right(i) ? 1 : 0;
    out.counts.c += !candidate.is_right(i) && baseline.is_right(i) ? 1 : 0;
  }
  return out;
}

Result<Picked<double>> column_in(const EvaluationVector& vector, const std::string& name,
                                 const Subset& subset) {
  PAWL_ASSIGN(const auto column, column_of(vector, name));
  return Picked<double>(column, subset);
}

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Result<Comparison> compare_mean(const PairedTest& test, Direction direction,
                                const EvaluationVector& candidate, const EvaluationVector& baseline,
                                const Subset& subset) {
  PAWL_ASSIGN(const auto picked_now, column_in(candidate, test.column, subset));
  PAWL_ASSIGN(const auto picked_then, column_in(baseline, test.column, subset));
  const std::span<const double> now = picked_now.values();
  const std::span<const double> then = picked_then.values();
  PAWL_ASSIGN(const PairedMean gain, paired_mean(now, then, direction));
  const auto against = [&](double margin) -> Result<MeanDecision> {
    if (gain.n >= kMinExamplesForT) return decide_by_t(gain, margin, test.alpha);
    return decide_mean(now, then, direction, margin, test.alpha, kSeed);
  };
  PAWL_ASSIGN(const MeanDecision at_margin, against(test.margin));
  PAWL_ASSIGN(const MeanDecision at_all, against(0));
  Comparison out = compare_gains(test, direction, gain, at_margin, at_all);
  out.candidate = mean_of(now);
  out.baseline = mean_of(then);
  out.alike = std::equal(now.begin(), now.end(), then.begin());
  return out;
}

// --- metrics of scores and classes
// --------------------------------------------------------------------------------------

Result<std::vector<std::uint8_t>> positives_in(const EvaluationVector& vector, const std::string& positive,
                                               const Subset& subset) {
  const auto& names = vector.classes.names;
  const auto it = std::find(names.begin(), names.end(), class_name(positive));
  if (it == names.end())
    return Error(ErrorCode::invalid, fmt::format("no label is the positive one, '{}'", positive));
  const auto code = static_cast<std::uint32_t>(it - names.begin());
  const Picked<std::uint32_t> labels(vector.classes.labels, subset);
  std::vector<std::uint8_t> out;
  out.reserve(labels.values().size());
  for (const std::uint32_t label : labels.values()) out.push_back(label == code ? 1 : 0);
  return out;
}

Result<Comparison> compare_auc(const PairedTest& test, const EvaluationVector& candidate,
                               const EvaluationVector& baseline, const Subset& subset) {
  PAWL_ASSIGN(const auto positive, positives_in(candidate, test.positive, subset));
  PAWL_ASSIGN(const auto now, column_in(candidate, test.column, subset));
  PAWL_ASSIGN(const auto then, column_in(baseline, test.column, subset));
  PAWL_ASSIGN(
      const AucDifference found,
      delong_difference(now.values(), then.values(), std::vector<bool>(positive.begin(), positive.end())));
  Comparison out;
  out.test = "DeLong's test";
  out.n = static_cast<std::int64_t>(positive.size());
  out.candidate = found.candidate.auc;
  out.baseline = found.baseline.auc;
  out.interval = auc_difference_interval(found, test.alpha);
  out.alike = found.difference == 0 && found.variance == 0;
  const double deviation = std::sqrt(found.variance);
  const auto p_below = [&](double distance) {
    return deviation > 0 ? normal_cdf(distance / deviation) : distance < 0 ? 0.0 : 1.0;
  };
  out.p_worse = p_below(found.difference);
  out.p_margin = p_below(found.difference + test.margin);
  const double room = test.margin + found.difference;
  // The variance of an AUC falls with the number of examples.
  if (room > 0)
    out.examples_needed =
        examples_for_mean(deviation * std::sqrt(static_cast<double>(out.n)), room, test.alpha);
  return out;
}

bool is_resampled(const PairedTest& test) {
  return test.of == Of::average_precision || test.of == Of::macro_f1;
}

Result<std::unique_ptr<LaneMetric>> resampled_metric(const PairedTest& test, const EvaluationVector& vector,
                                                     const Subset& subset) {
  if (test.of == Of::macro_f1) {
    return lane_class_metric(Picked<std::uint32_t>(vector.classes.labels, subset).values(),
                             Picked<std::uint32_t>(vector.classes.predictions, subset).values(),
                             vector.classes.names.size(),
                             [](const ClassCounts& counts) { return macro_scores(counts).f1; });
  }
  PAWL_ASSIGN(const auto positive, positives_in(vector, test.positive, subset));
  PAWL_ASSIGN(const auto scores, column_in(vector, test.column, subset));
  PAWL_ASSIGN(auto ranked, RankedScores::create(positive, scores.values()));
  return lane_average_precision(std::make_shared<const RankedScores>(std::move(ranked)));
}

// Positions in order of ids are the same for every run on the test set, and so are the resamples.
Result<Resampling> resampling_of(const EvaluationVector& vector, const Subset& subset) {
  std::vector<std::uint64_t> keys(size_of(vector, subset));
  if (subset) {
    std::copy(subset->begin(), subset->end(), keys.begin());
  } else {
    std::iota(keys.begin(), keys.end(), std::uint64_t{0});
  }
  return Resampling::create(std::move(keys), Picked<std::uint32_t>(vector.classes.labels, subset).values());
}

Comparison comparison_of(const PairedTest& test, const PairedBootstrap& found, std::size_t examples) {
  Comparison out;
  out.test = "paired bootstrap";
  out.n = static_cast<std::int64_t>(examples);
  out.candidate = found.candidate;
  out.baseline = found.baseline;
  out.interval = found.interval();
  const auto p_below = [&](double threshold) {
    return p_at_least(found.replicates, found.difference, found.acceleration, threshold);
  };
  out.p_worse = p_below(0);
  out.p_margin = p_below(-test.margin);
  out.alike = found.standard_error == 0 && found.difference == 0;
  const double room = test.margin + found.difference;
  if (room > 0) {
    out.examples_needed =
        examples_for_mean(found.standard_error * std::sqrt(static_cast<double>(out.n)), room, test.alpha);
  }
  return out;
}

// Metrics of two models, for one bootstrap.
struct MetricPair {
  std::unique_ptr<LaneMetric> candidate;
  std::unique_ptr<LaneMetric> baseline;
};

Result<MetricPair> resampled_pair(const PairedTest& test, const EvaluationVector& candidate,
                                  const EvaluationVector& baseline, const Subset& subset) {
  PAWL_ASSIGN(auto now, resampled_metric(test, candidate, subset));
  PAWL_ASSIGN(auto then, resampled_metric(test, baseline, subset));
  return MetricPair{std::move(now), std::move(then)};
}

// A comparison for each of the tests, all of which take a bootstrap.
std::vector<Result<Comparison>> compare_resampled(std::span<const PairedTest* const> tests,
                                                  const EvaluationVector& candidate,
                                                  const EvaluationVector& baseline, const Subset& subset,
                                                  const ParallelFor& parallel_for) {
  const auto resampling = resampling_of(candidate, subset);
  if (!resampling) return std::vector<Result<Comparison>>(tests.size(), resampling.error());
  std::vector<Result<MetricPair>> made;
  std::vector<PairedMetric> pairs;
  for (const PairedTest* test : tests) {
    made.push_back(resampled_pair(*test, candidate, baseline, subset));
    if (!made.back()) continue;
    pairs.push_back({made.back()->candidate.get(), made.back()->baseline.get(), test->alpha});
  }
  auto found = paired_bootstrap(*resampling, pairs, {.seed = kSeed}, parallel_for);
  std::vector<Result<Comparison>> out;
  auto next = found.begin();
  for (std::size_t i = 0; i < tests.size(); ++i) {
    if (!made[i]) {
      out.push_back(made[i].error());
    } else if (const Result<PairedBootstrap>& one = *next++; !one) {
      out.push_back(one.error());
    } else {
      out.push_back(comparison_of(*tests[i], *one, resampling->size()));
    }
  }
  return out;
}

Result<Comparison> compare_by(const ModelTest& asked, const PairedCounts& whole,
                              const EvaluationVector& candidate, const EvaluationVector& baseline,
                              const Subset& subset, const ParallelFor& parallel_for) {
  const PairedTest* const test = &asked.test;
  switch (test->of) {
    case Of::accuracy:
      return compare_answers(*test, answers_in(whole, candidate, baseline, subset));
    case Of::mean:
      return compare_mean(*test, asked.direction, candidate, baseline, subset);
    case Of::auc:
      return compare_auc(*test, candidate, baseline, subset);
    case Of::average_precision:
    case Of::macro_f1:
      return compare_resampled({&test, 1}, candidate, baseline, subset, parallel_for).front();
  }
  return Error(ErrorCode::internal, "no such statistic");
}

}  // namespace

void want_columns(const PairedTest& test, WantedColumns& wanted) {
  switch (test.of) {
    case Of::accuracy:
      return;
    case Of::macro_f1:
      wanted.classes = true;
      return;
    case Of::auc:
    case Of::average_precision:
      wanted.classes = true;
      [[fallthrough]];
    case Of::mean:
      wanted.numbers.insert(test.column);
  }
}

bool lower_is_better(const PairedTest& test, Direction direction) {
  return test.of == Of::mean && direction == Direction::lower;
}

Result<Comparison> compare_models(const PairedTest& test, Direction direction,
                                  const EvaluationVector& candidate, const EvaluationVector& baseline,
                                  const Subset& subset, const ParallelFor& parallel_for) {
  PAWL_ASSIGN(const PairedCounts whole, compare(candidate, baseline));
  if (size_of(candidate, subset) == 0) return Error(ErrorCode::invalid, "there are no examples to compare");
  auto compared = compare_by({test, direction}, whole, candidate, baseline, subset, parallel_for);
  if (compared) decide(test, direction, *compared);
  return compared;
}

std::vector<Result<Comparison>> compare_models(std::span<const ModelTest> tests,
                                               const EvaluationVector& candidate,
                                               const EvaluationVector& baseline,
                                               const ParallelFor& parallel_for) {
  const auto whole = compare(candidate, baseline);
  if (!whole) return std::vector<Result<Comparison>>(tests.size(), whole.error());
  std::vector<const PairedTest*> resampled;
  for (const ModelTest& it : tests) {
    if (is_resampled(it.test)) resampled.push_back(&it.test);
  }
  auto bootstraps = resampled.empty()
                        ? std::vector<Result<Comparison>>()
                        : compare_resampled(resampled, candidate, baseline, std::nullopt, parallel_for);
  std::vector<Result<Comparison>> out;
  auto next = bootstraps.begin();
  for (const ModelTest& it : tests) {
    out.push_back(is_resampled(it.test)
                      ? std::move(*next++)
                      : compare_by(it, *whole, candidate, baseline, std::nullopt, parallel_for));
    if (out.back()) decide(it.test, it.direction, *out.back());
  }
  return out;
}

Result<double> value_of(const PairedTest& test, const EvaluationVector& vector, const Subset& subset) {
  const std::size_t n = size_of(vector, subset);
  if (n == 0) return Error(ErrorCode::invalid, "there are no examples");
  switch (test.of) {
    case Of::accuracy:
      return static_cast<double>(right_in(vector, subset)) / static_cast<double>(n);
    case Of::mean: {
      PAWL_ASSIGN(const auto values, column_in(vector, test.column, subset));
      return mean_of(values.values());
    }
    case Of::macro_f1: {
      PAWL_ASSIGN(const ClassCounts counts,
                  count_classes(Picked<std::uint32_t>(vector.classes.labels, subset).values(),
                                Picked<std::uint32_t>(vector.classes.predictions, subset).values(),
                                vector.classes.names.size()));
      return macro_scores(counts).f1;
    }
    case Of::auc:
    case Of::average_precision: {
      PAWL_ASSIGN(const auto positive, positives_in(vector, test.positive, subset));
      PAWL_ASSIGN(const auto scores, column_in(vector, test.column, subset));
      PAWL_ASSIGN(const RankedScores ranked, RankedScores::create(positive, scores.values()));
      return test.of == Of::auc ? auc(ranked) : average_precision(ranked);
    }
  }
  return Error(ErrorCode::internal, "no such statistic");
}

Result<std::span<const double>> column_of(const EvaluationVector& vector, const std::string& name) {
  if (const auto bad = vector.unreadable.find(name); bad != vector.unreadable.end())
    return Error(ErrorCode::invalid, bad->second);
  const auto column = vector.numbers.find(name);
  if (column == vector.numbers.end())
    return Error(ErrorCode::invalid, fmt::format("the predictions have no column '{}'", name));
  return std::span<const double>(column->second);
}

}  // namespace pawl::gate
