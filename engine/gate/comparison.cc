#include "engine/gate/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "engine/gate/bootstrap.h"
#include "engine/gate/bootstrap_interval.h"
#include "engine/gate/classification.h"
#include "engine/gate/delong.h"
#include "engine/gate/lane_metrics.h"
#include "engine/gate/normal.h"
#include "engine/gate/paired_mean.h"
#include "engine/gate/ranking.h"

namespace pawl::gate {
namespace {

using Of = PairedTest::Of;

constexpr double kPower = 0.8;
constexpr std::uint64_t kSeed = 0;  // the same verdict every time

PairedCounts counts_in(const EvaluationVector& candidate, const EvaluationVector& baseline,
                       std::span<const std::uint32_t> subset) {
  PairedCounts counts{.n = static_cast<std::int64_t>(subset.size()), .b = 0, .c = 0};
  for (const std::uint32_t i : subset) {
    counts.b += candidate.is_right(i) && !baseline.is_right(i) ? 1 : 0;
    counts.c += !candidate.is_right(i) && baseline.is_right(i) ? 1 : 0;
  }
  return counts;
}

std::int64_t right_in(const EvaluationVector& vector, std::span<const std::uint32_t> subset) {
  return std::count_if(subset.begin(), subset.end(), [&](std::uint32_t i) { return vector.is_right(i); });
}

Comparison compare_accuracy(const PairedTest& test, const EvaluationVector& candidate,
                            const EvaluationVector& baseline, std::span<const std::uint32_t> subset) {
  const PairedCounts counts = counts_in(candidate, baseline, subset);
  Comparison out;
  out.test = "Tango's score test";
  out.n = counts.n;
  const auto n = static_cast<double>(counts.n);
  out.candidate = static_cast<double>(right_in(candidate, subset)) / n;
  out.baseline = static_cast<double>(right_in(baseline, subset)) / n;
  out.counts = counts;
  out.interval = tango_interval(counts, test.alpha);
  out.p_worse = mcnemar_mid_p_worse(counts.b, counts.c);
  out.p_margin = normal_cdf(tango_z(counts, -test.margin));
  out.alike = counts.b + counts.c == 0;
  const double room = test.margin + counts.difference();
  if (room > 0) {
    out.examples_needed = examples_needed(static_cast<double>(counts.b + counts.c) / n, std::min(room, 1.0),
                                          test.alpha, kPower);
  }
  return out;
}

// --- the mean of a column
// -----------------------------------------------------------------------------------------------

Result<std::vector<double>> column_in(const EvaluationVector& vector, const std::string& name,
                                      std::span<const std::uint32_t> subset) {
  if (const auto bad = vector.unreadable.find(name); bad != vector.unreadable.end())
    return Error(ErrorCode::invalid, bad->second);
  const auto column = vector.numbers.find(name);
  if (column == vector.numbers.end())
    return Error(ErrorCode::invalid, fmt::format("the predictions have no column '{}'", name));
  std::vector<double> out;
  out.reserve(subset.size());
  for (const std::uint32_t i : subset) out.push_back(column->second[i]);
  return out;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Examples that would show a gain of `room` above -margin, by the normal approximation.
std::int64_t examples_for_mean(double deviation, double room, double alpha) {
  const double z = normal_quantile(1 - alpha) + normal_quantile(kPower);
  return static_cast<std::int64_t>(std::min(1e15, std::ceil(std::pow(z * deviation / room, 2))));
}

Result<Comparison> compare_mean(const PairedTest& test, Direction direction,
                                const EvaluationVector& candidate, const EvaluationVector& baseline,
                                std::span<const std::uint32_t> subset) {
  PAWL_ASSIGN(const auto now, column_in(candidate, test.column, subset));
  PAWL_ASSIGN(const auto then, column_in(baseline, test.column, subset));
  PAWL_ASSIGN(const MeanDecision decision, decide_mean(now, then, direction, test.margin, test.alpha, kSeed));
  PAWL_ASSIGN(const MeanDecision at_all, decide_mean(now, then, direction, 0, test.alpha, kSeed));
  Comparison out;
  out.test = decision.method == MeanDecision::Method::paired_t ? "paired t test" : "sign-flip test";
  out.n = decision.n;
  out.candidate = mean_of(now);
  out.baseline = mean_of(then);
  out.interval = direction == Direction::higher ? Interval{decision.low, decision.high}
                                                : Interval{-decision.high, -decision.low};
  out.p_worse = at_all.p_worse;
  out.p_margin = decision.p_worse;
  out.alike = now == then;
  const double room = test.margin + decision.gain;
  PAWL_ASSIGN(const PairedMean moments, paired_mean(now, then, direction));
  if (room > 0) out.examples_needed = examples_for_mean(moments.deviation, room, test.alpha);
  return out;
}

// --- metrics of scores and classes
// --------------------------------------------------------------------------------------

Result<std::vector<std::uint8_t>> positives_in(const EvaluationVector& vector, const std::string& positive,
                                               std::span<const std::uint32_t> subset) {
  const auto& names = vector.classes.names;
  const auto it = std::find(names.begin(), names.end(), class_name(positive));
  if (it == names.end())
    return Error(ErrorCode::invalid, fmt::format("no label is the positive one, '{}'", positive));
  const auto code = static_cast<std::uint32_t>(it - names.begin());
  std::vector<std::uint8_t> out;
  out.reserve(subset.size());
  for (const std::uint32_t i : subset) out.push_back(vector.classes.labels[i] == code ? 1 : 0);
  return out;
}

Result<Comparison> compare_auc(const PairedTest& test, const EvaluationVector& candidate,
                               const EvaluationVector& baseline, std::span<const std::uint32_t> subset) {
  PAWL_ASSIGN(const auto positive, positives_in(candidate, test.positive, subset));
  PAWL_ASSIGN(const auto now, column_in(candidate, test.column, subset));
  PAWL_ASSIGN(const auto then, column_in(baseline, test.column, subset));
  PAWL_ASSIGN(const AucDifference found,
              delong_difference(now, then, std::vector<bool>(positive.begin(), positive.end())));
  Comparison out;
  out.test = "DeLong's test";
  out.n = static_cast<std::int64_t>(subset.size());
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

using Metric = Result<std::unique_ptr<LaneMetric>>;

std::vector<std::uint32_t> codes_in(const std::vector<std::uint32_t>& codes,
                                    std::span<const std::uint32_t> subset) {
  std::vector<std::uint32_t> out;
  out.reserve(subset.size());
  for (const std::uint32_t i : subset) out.push_back(codes[i]);
  return out;
}

Metric resampled_metric(const PairedTest& test, const EvaluationVector& vector,
                        std::span<const std::uint32_t> subset) {
  if (test.of == Of::macro_f1) {
    return lane_class_metric(codes_in(vector.classes.labels, subset),
                             codes_in(vector.classes.predictions, subset), vector.classes.names.size(),
                             [](const ClassCounts& counts) { return macro_scores(counts).f1; });
  }
  PAWL_ASSIGN(const auto positive, positives_in(vector, test.positive, subset));
  PAWL_ASSIGN(const auto scores, column_in(vector, test.column, subset));
  PAWL_ASSIGN(auto ranked, RankedScores::create(positive, scores));
  return lane_average_precision(std::make_shared<const RankedScores>(std::move(ranked)));
}

Result<Comparison> compare_resampled(const PairedTest& test, const EvaluationVector& candidate,
                                     const EvaluationVector& baseline,
                                     std::span<const std::uint32_t> subset) {
  PAWL_ASSIGN(const auto now, resampled_metric(test, candidate, subset));
  PAWL_ASSIGN(const auto then, resampled_metric(test, baseline, subset));
  // Positions in order of ids are the same for every run on the test set, and so are the resamples.
  PAWL_ASSIGN(const Resampling resampling,
              Resampling::create({subset.begin(), subset.end()}, codes_in(candidate.classes.labels, subset)));
  const PairedMetric pair{now.get(), then.get()};
  BootstrapOptions options;
  options.alpha = test.alpha;
  PAWL_ASSIGN(const auto results, paired_bootstrap(resampling, {&pair, 1}, options));
  const PairedBootstrap& found = results.front();
  Comparison out;
  out.test = "paired bootstrap";
  out.n = static_cast<std::int64_t>(subset.size());
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

Result<Comparison> compare_by(const PairedTest& test, Direction direction, const EvaluationVector& candidate,
                              const EvaluationVector& baseline, std::span<const std::uint32_t> subset) {
  switch (test.of) {
    case Of::accuracy:
      return compare_accuracy(test, candidate, baseline, subset);
    case Of::mean:
      return compare_mean(test, direction, candidate, baseline, subset);
    case Of::auc:
      return compare_auc(test, candidate, baseline, subset);
    case Of::average_precision:
    case Of::macro_f1:
      return compare_resampled(test, candidate, baseline, subset);
  }
  return Error(ErrorCode::internal, "no such statistic");
}

}  // namespace

std::vector<std::uint32_t> all_examples(const EvaluationVector& vector) {
  std::vector<std::uint32_t> out(static_cast<std::size_t>(vector.n));
  std::iota(out.begin(), out.end(), 0u);
  return out;
}

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
                                  std::optional<std::span<const std::uint32_t>> subset) {
  PAWL_ASSIGN(const PairedCounts whole, compare(candidate, baseline));
  (void)whole;
  const std::vector<std::uint32_t> all = subset ? std::vector<std::uint32_t>() : all_examples(candidate);
  const std::span<const std::uint32_t> examples = subset ? *subset : all;
  if (examples.empty()) return Error(ErrorCode::invalid, "there are no examples to compare");
  PAWL_ASSIGN(Comparison out, compare_by(test, direction, candidate, baseline, examples));
  const bool lower = lower_is_better(test, direction);
  const double worst = lower ? -out.interval.high : out.interval.low;
  const double best = lower ? -out.interval.low : out.interval.high;
  out.surely_worse = best < -test.margin;
  out.surely_not_worse = worst > -test.margin;
  return out;
}

Result<double> value_of(const PairedTest& test, const EvaluationVector& vector,
                        std::span<const std::uint32_t> subset) {
  if (subset.empty()) return Error(ErrorCode::invalid, "there are no examples");
  switch (test.of) {
    case Of::accuracy:
      return static_cast<double>(right_in(vector, subset)) / static_cast<double>(subset.size());
    case Of::mean: {
      PAWL_ASSIGN(const auto values, column_in(vector, test.column, subset));
      return mean_of(values);
    }
    case Of::macro_f1: {
      PAWL_ASSIGN(const ClassCounts counts,
                  count_classes(codes_in(vector.classes.labels, subset),
                                codes_in(vector.classes.predictions, subset), vector.classes.names.size()));
      return macro_scores(counts).f1;
    }
    case Of::auc:
    case Of::average_precision: {
      PAWL_ASSIGN(const auto positive, positives_in(vector, test.positive, subset));
      PAWL_ASSIGN(const auto scores, column_in(vector, test.column, subset));
      PAWL_ASSIGN(const RankedScores ranked, RankedScores::create(positive, scores));
      return test.of == Of::auc ? auc(ranked) : average_precision(ranked);
    }
  }
  return Error(ErrorCode::internal, "no such statistic");
}

}  // namespace pawl::gate
