#include "engine/gate/bisection.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/gate/comparability.h"
#include "engine/gate/metric_judge.h"
#include "engine/gate/paired_reason.h"

namespace pawl::gate {
namespace {

struct Measured {
  double candidate = 0;
  double baseline = 0;
  std::optional<Comparison> comparison;
};

Result<double> metric_of(const MetricRule& rule, const Evidence& evidence) {
  const Metric* metric = find_metric(evidence.metrics, rule.metric);
  if (metric == nullptr) return Error(ErrorCode::invalid, rule.metric + " is missing");
  if (!std::isfinite(metric->value)) return Error(ErrorCode::invalid, rule.metric + " is no number");
  return metric->value;
}

// `margin` for the paired test, when the rule has one.
Result<Measured> measure(const MetricRule& rule, const Evidence& candidate, const Evidence& baseline,
                         double margin) {
  Measured out;
  PAWL_ASSIGN(out.candidate, metric_of(rule, candidate));
  PAWL_ASSIGN(out.baseline, metric_of(rule, baseline));
  if (const std::string why = why_incomparable(rule, candidate, baseline); !why.empty())
    return Error(ErrorCode::conflict, why);
  if (!rule.paired) return out;
  const EvaluationVector* now = find_vector(candidate, rule.paired->predictions);
  const EvaluationVector* then = find_vector(baseline, rule.paired->predictions);
  if (now == nullptr || then == nullptr)
    return Error(ErrorCode::invalid,
                 why_no_vector(now == nullptr ? candidate : baseline, rule.paired->predictions));
  PairedTest test = *rule.paired;
  test.margin = margin;
  PAWL_ASSIGN(out.comparison, compare_models(test, rule.direction, *now, *then));
  out.candidate = out.comparison->candidate;
  out.baseline = out.comparison->baseline;
  return out;
}

double worse_by(const MetricRule& rule, const Measured& measured) {
  const bool lower = measured.comparison ? lower_is_better(*rule.paired, rule.direction)
                                         : rule.direction == Direction::lower;
  return lower ? measured.candidate - measured.baseline : measured.baseline - measured.candidate;
}

}  // namespace

Bisection::Bisection(std::size_t commits) : bad_(commits - 1), skipped_(commits) {
  PAWL_CHECK(commits >= 1);
}

std::optional<std::size_t> Bisection::next() const {
  const std::size_t middle = good_ + (bad_ - good_) / 2;
  for (std::size_t distance = 0; distance <= bad_ - good_; ++distance) {
    if (middle >= good_ + distance && !skipped_[middle - distance] && middle - distance < bad_)
      return middle - distance;
    if (middle + distance < bad_ && !skipped_[middle + distance]) return middle + distance;
  }
  return std::nullopt;
}

void Bisection::mark_good(std::size_t commit) {
  PAWL_CHECK(commit >= good_ && commit < bad_);
  good_ = commit + 1;
}

void Bisection::mark_bad(std::size_t commit) {
  PAWL_CHECK(commit >= good_ && commit < bad_);
  bad_ = commit;
}

void Bisection::skip(std::size_t commit) {
  skipped_.at(commit) = true;
}

std::vector<std::size_t> Bisection::suspects() const {
  std::vector<std::size_t> out;
  for (std::size_t i = good_; i <= bad_; ++i) out.push_back(i);
  return out;
}

std::size_t Bisection::steps_left() const {
  std::size_t steps = 0;
  for (std::size_t unknown = bad_ - good_; unknown > 0; unknown /= 2) ++steps;
  return steps;
}

Result<SideOfDrop> side_of_drop(const MetricRule& rule, const Evidence& commit, const Evidence& good,
                                double drop) {
  PAWL_ASSIGN(const Measured measured, measure(rule, commit, good, drop / 2));
  SideOfDrop out;
  out.value = measured.candidate;
  out.bad = worse_by(rule, measured) > drop / 2;
  if (!measured.comparison) return out;
  const Comparison& comparison = *measured.comparison;
  out.sure = out.bad ? comparison.surely_worse : comparison.surely_not_worse;
  out.p_value = out.bad ? comparison.p_margin : 1 - comparison.p_margin;
  return out;
}

Result<MeasuredDrop> measure_drop(const MetricRule& rule, const Evidence& bad, const Evidence& good) {
  PAWL_ASSIGN(const Measured measured, measure(rule, bad, good, 0));
  MeasuredDrop out;
  out.good = measured.baseline;
  out.bad = measured.candidate;
  out.worse_by = worse_by(rule, measured);
  out.sure = measured.comparison ? measured.comparison->surely_worse : out.worse_by > 0;
  if (measured.comparison) {
    out.p_value = measured.comparison->p_worse;
    out.interval = measured.comparison->interval;
  }
  return out;
}

}  // namespace pawl::gate
