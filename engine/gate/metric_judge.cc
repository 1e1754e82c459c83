#include "engine/gate/metric_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/base/text.h"
#include "engine/gate/active_labels.h"
#include "engine/gate/comparability.h"
#include "engine/gate/paired_reason.h"
#include "engine/gate/seed_judge.h"
#include "engine/gate/slice_judge.h"
#include "engine/gate/slices.h"
#include "engine/gate/wording.h"

namespace pawl::gate {
namespace {

// Judges one metric; the reasons go to `out` in the order of the checks.
class MetricJudge {
 public:
  MetricJudge(const MetricContext& context, std::vector<Reason>& out)
      : context_(context),
        policy_(context.policy),
        rule_(context.rule),
        inputs_(context.inputs),
        baseline_(context.baseline),
        out_(out) {}

  void run() {
    const Metric* metric = find_metric(inputs_.evidence.metrics, rule_.metric);
    if (!usable(metric)) return;
    value_ = metric->value;
    if (const std::string why = why_other_unit(); !why.empty()) {
      add(Check::metric, Status::error, why);
      return;
    }
    const std::size_t before = out_.size();
    if (rule_.floor) check_bound(Check::floor, *rule_.floor, value_ >= *rule_.floor);
    if (rule_.ceiling) check_bound(Check::ceiling, *rule_.ceiling, value_ <= *rule_.ceiling);
    if (rule_.max_drop || rule_.paired || rule_.seeds) compare_with_baseline();
    judge_slices(context_, out_);
    if (out_.size() == before) {
      add(Check::metric, Status::pass,
          fmt::format("{} is {}, nothing is asked of it", rule_.metric, format_number(value_)));
    }
  }

 private:
  Reason& add(Check check, Status status, std::string sentence) {
    Reason reason = plain_reason(check, status, rule_.metric, std::move(sentence));
    reason.baseline = baseline_value_;
    if (!std::isnan(value_)) reason.value = value_;
    return out_.emplace_back(std::move(reason));
  }

  static std::string what_there_is(std::vector<std::string> names) {
    constexpr std::size_t kNamed = 6;
    if (names.empty()) return {};
    const std::size_t more = names.size() > kNamed ? names.size() - kNamed : 0;
    if (more > 0) names.resize(kNamed);
    return fmt::format("; it has {}{}", join(names, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
  }

  bool usable(const Metric* metric) {
    if (metric == nullptr) {
      std::vector<std::string> names;
      for (const Metric& other : inputs_.evidence.metrics) names.push_back(other.name);
      const std::string meant = did_you_mean(rule_.metric, names);
      add(Check::metric, Status::error,
          fmt::format("{} is missing from {}{}", rule_.metric, kMetricsFile,
                      !meant.empty() ? fmt::format("; did you mean {}?", meant) : what_there_is(names)));
      return false;
    }
    if (const std::string why = why_no_mean(rule_.metric, inputs_.evidence); !why.empty()) {
      add(Check::metric, Status::error, why);
      return false;
    }
    if (!std::isfinite(metric->value)) {
      add(Check::metric, Status::error, fmt::format("{} is {}", rule_.metric, format_number(metric->value)));
      return false;
    }
    if (metric->direction && *metric->direction != rule_.direction) {
      add(Check::metric, Status::error,
          fmt::format("{} is better when {} by {}, when {} by the gate", rule_.metric,
                      name_of(*metric->direction), kMetricsFile, name_of(rule_.direction)));
      return false;
    }
    if (const std::string why = why_not_over_seeds(rule_, inputs_.evidence); !why.empty()) {
      add(Check::seeds, Status::error, fmt::format("{}: {}", rule_.metric, why));
      return false;
    }
    return true;
  }

  static std::string_view name_of(Direction direction) {
    return direction == Direction::higher ? "higher" : "lower";
  }

  void check_bound(Check check, double limit, bool holds) {
    const auto [value, bound] = format_numbers(value_, limit);
    const std::string_view relation =
        check == Check::floor ? (holds ? "not below" : "below") : (holds ? "not above" : "above");
    add(check, holds ? Status::pass : Status::fail,
        fmt::format("{} {} is {} the {} {}{}", rule_.metric, value, relation, to_string(check), bound,
                    check == Check::floor ? uncertainty() : ""))
        .limit = limit;
  }

  // Of a share of right answers that the predictions have too.
  std::string uncertainty() const {
    const PairedTest test = rule_.paired.value_or(PairedTest());
    const bool is_share =
        rule_.paired ? test.of == PairedTest::Of::accuracy : to_lower(rule_.metric) == "accuracy";
    const EvaluationVector* now = find_vector(inputs_.evidence, test.predictions);
    if (!is_share || now == nullptr || !now->unlabelled.empty()) return {};
    if (std::abs(value_ - now->accuracy()) > kRounded) return {};
    return describe_share(now->right(), now->n, test.alpha);
  }

  void compare_with_baseline() {
    if (baseline_ == nullptr) return without_baseline();
    const Evidence& old = baseline_->evidence;
    const Metric* before = find_metric(old.metrics, rule_.metric);
    if (before != nullptr && std::isfinite(before->value)) baseline_value_ = before->value;
    const std::string problem = incomparable();
    if (!problem.empty()) {
      add(Check::baseline, Status::no_baseline,
          fmt::format("{} cannot be compared: {}; {}", rule_.metric, problem,
                      advice_without_baseline(inputs_, baseline_)));
      return;
    }
    if (rule_.max_drop) check_max_drop();
    if (rule_.paired) check_paired();
    if (rule_.seeds) out_.push_back(judge_seeds(rule_, inputs_.evidence, old, describe(baseline_->run)));
  }

  void without_baseline() {
    if (policy_.bootstrap && !inputs_.target_was_ever_green) {
      if (rule_.paired && !can_be_compared_later()) return;
      add(Check::baseline, Status::bootstrap,
          fmt::format("{} is {}: nothing to compare with yet, {} never had a green run", rule_.metric,
                      format_number(value_), inputs_.target_branch));
      return;
    }
    add(Check::baseline, Status::no_baseline,
        fmt::format("{} cannot be compared: {} has no baseline; {}", rule_.metric, inputs_.target_branch,
                    advice_without_baseline(inputs_, nullptr)));
  }

  // A first run without what the paired test needs would be a baseline that nothing can be compared with.
  bool can_be_compared_later() {
    const PairedTest& test = *rule_.paired;
    const EvaluationVector* now = predictions_of(test);
    if (now == nullptr) return false;
    if (const auto value = value_of(test, *now); !value) {
      add(Check::paired, Status::error, fmt::format("{}: {}", rule_.metric, value.error().message()));
      return false;
    }
    return true;
  }

  // The run's file of predictions; says what is wrong when there is none.
  const EvaluationVector* predictions_of(const PairedTest& test) {
    const EvaluationVector* now = find_vector(inputs_.evidence, test.predictions);
    if (now != nullptr) return now;
    const auto why = inputs_.evidence.unreadable.find(test.predictions);
    add(Check::paired, Status::error,
        why == inputs_.evidence.unreadable.end()
            ? fmt::format("{}: the paired test needs {}, which is missing", rule_.metric, test.predictions)
            : fmt::format("{}: {}", rule_.metric, why->second));
    return nullptr;
  }

  // Why the baseline's numbers say nothing about this run's; empty when they do.
  std::string incomparable() const {
    const Baseline& baseline = *baseline_;
    if ((rule_.max_drop || rule_.seeds) && !baseline_value_) {
      return fmt::format("{} has no {}", describe(baseline.run), rule_.metric);
    }
    if (const std::string why = why_incomparable(rule_, inputs_.evidence, baseline.evidence); !why.empty()) {
      return in_baseline(why, baseline);
    }
    if (const std::string why = why_not_over_seeds(rule_, baseline.evidence); !why.empty()) {
      return fmt::format("{} in {}", why, describe(baseline.run));
    }
    if (!rule_.paired || find_vector(inputs_.evidence, rule_.paired->predictions) == nullptr) return {};
    if (find_vector(baseline.evidence, rule_.paired->predictions) != nullptr) return {};
    return fmt::format("{} {}", describe(baseline.run),
                       why_no_vector(baseline.evidence, rule_.paired->predictions));
  }

  void check_max_drop() {
    const Drop drop =
        drop_of(rule_.direction, value_, *baseline_value_, *rule_.max_drop, rule_.max_drop_relative);
    add(Check::max_drop, drop.holds ? Status::pass : Status::fail,
        fmt::format("{} (limit {}) against {}", describe_change(rule_.metric, *baseline_value_, value_),
                    format_number(drop.limit), describe(baseline_->run)))
        .limit = drop.limit;
  }

  void check_paired() {
    const PairedTest& test = *rule_.paired;
    if (predictions_of(test) == nullptr) return;
    const Result<Comparison>& comparison = *context_.compared;
    if (!comparison) {
      add(Check::paired, Status::error, fmt::format("{}: {}", rule_.metric, comparison.error().to_string()));
      return;
    }
    const std::string change = baseline_value_ ? describe_change(rule_.metric, *baseline_value_, value_)
                                               : fmt::format("{} is {}", rule_.metric, format_number(value_));
    // The metric may be anything; where it is what the test compares, saying so would only be longer.
    const bool same =
        baseline_value_ && std::abs(value_ - *baseline_value_ - comparison->difference()) < 1e-3;
    Reason reason = paired_reason(test, rule_.metric, *comparison, test.margin, change,
                                  same ? "" : what_is_compared(test), describe(baseline_->run));
    reason.value = value_;
    reason.baseline = baseline_value_;
    out_.push_back(std::move(reason));
  }

  // Why the number is not what the gate takes it for: a validation score beside test predictions would be
  // judged by the one and told by the other, and a change from shares to percent is a gain of a hundredfold.
  std::string why_other_unit() const {
    if (const auto given = given_by_predictions()) {
      if (std::string why = why_other_than(*given); !why.empty()) return why;
    }
    return why_other_unit_than_baseline();
  }

  // The metric as the predictions give it, when it goes by the name of what they determine.
  std::optional<double> given_by_predictions() const {
    const PairedTest test = rule_.paired.value_or(PairedTest());
    const std::string name = to_lower(rule_.metric);
    const bool same_name =
        (test.of == PairedTest::Of::accuracy && name == "accuracy") ||
        (test.of == PairedTest::Of::auc && name == "auc") ||
        (test.of == PairedTest::Of::average_precision && name == "average_precision") ||
        (test.of == PairedTest::Of::macro_f1 && (name == "macro_f1" || name == "f1_macro"));
    if (!same_name || test.predictions != PairedTest().predictions) return std::nullopt;
    // The mean over seeds is that of no one model.
    if (inputs_.evidence.by_seed.contains(rule_.metric)) return std::nullopt;
    const EvaluationVector* now = find_vector(inputs_.evidence, test.predictions);
    if (now == nullptr || !now->unlabelled.empty()) return std::nullopt;
    const auto value = value_of(test, *now);
    return value ? std::optional(*value) : std::nullopt;
  }

  std::string why_other_than(double given) const {
    if (std::abs(value_ - given) <= kRounded) return {};
    const auto [said, found] = format_numbers(value_, given);
    const std::string_view hint = std::abs(value_ / 100 - given) <= kRounded
                                      ? ": the file is in percent, the predictions in shares; write the share"
                                  : is_rounded(value_, given, 10) || is_rounded(value_, given, 100)
                                      ? "; write at least three decimals"
                                      : "";
    return fmt::format("{}: {} says {}, the predictions give {}{}", rule_.metric, kMetricsFile, said, found,
                       hint);
  }

  // To multiples of 1 / scale.
  static bool is_rounded(double value, double from, double scale) {
    return std::abs(value * scale - std::round(value * scale)) < 1e-6 &&
           std::abs(value - from) * scale <= 0.5 + 1e-9;
  }

  std::string why_other_unit_than_baseline() const {
    if (baseline_ == nullptr || rule_.direction != Direction::higher) return {};
    if (rule_.floor.value_or(0) > 1 || rule_.ceiling.value_or(0) > 1) return {};
    const Metric* before = find_metric(baseline_->evidence.metrics, rule_.metric);
    if (before == nullptr || !std::isfinite(before->value)) return {};
    const double was = before->value;
    const bool to_percent = is_share(was) && looks_like_percent(value_);
    const bool to_share = is_share(value_) && looks_like_percent(was) && was / value_ >= kLeastRatio &&
                          was / value_ <= kMostRatio;
    if (!to_percent && !to_share) return {};
    const auto [then, now] = format_numbers(was, value_);
    return fmt::format(
        "{} was {} in {} and is {}: {}? Write it in one unit; if both are right, {}", rule_.metric, then,
        describe(baseline_->run), now,
        to_percent ? "is it in percent now and was a share" : "is it a share now and was in percent",
        advice_without_baseline(inputs_, baseline_));
  }

  static bool is_share(double value) { return value >= 0 && value <= 1; }
  static bool looks_like_percent(double value) { return value > 1.5 && value <= 100; }

  // Of what is rounded to three decimals; the rest is for the binary form of the two numbers.
  static constexpr double kRounded = 5e-4 + 1e-9;
  // By which the numbers of two models differ when one is in percent and the other is not.
  static constexpr double kLeastRatio = 50;
  static constexpr double kMostRatio = 200;

  const MetricContext& context_;
  const Policy& policy_;
  const MetricRule& rule_;
  const Inputs& inputs_;
  const Baseline* const baseline_;
  std::vector<Reason>& out_;
  double value_ = std::nan("");
  std::optional<double> baseline_value_;
};

}  // namespace

void judge_metric(const MetricContext& context, std::vector<Reason>& out) {
  MetricJudge(context, out).run();
}

std::string_view advice_without_baseline(const Inputs& inputs, const Baseline* baseline) {
  if (baseline != nullptr)
    return "`pawl baseline pin RUN --red --why REASON` makes this run what the next are compared with";
  if (!inputs.target_was_ever_green) {
    return "`bootstrap: true` in the gate makes the first green run the baseline, `pawl baseline pin RUN "
           "--red "
           "--why REASON` this one";
  }
  return "`pawl baseline history` lists green runs, `pawl baseline pin RUN --why REASON` makes one the "
         "baseline";
}

WantedColumns wanted_columns(const Policy& policy, std::string_view file) {
  WantedColumns wanted;
  for (const MetricRule& rule : policy.metrics) {
    const PairedTest test = rule.paired.value_or(PairedTest());
    if (test.predictions != file) continue;
    if (rule.paired) {
      want_columns(test, wanted);
      wanted.few_words = wanted.classes = true;  // to find the worst slices
    }
    for (const SliceRule& slices : rule.slices) want_columns(slices, wanted);
  }
  for (const ConditionRule& rule : policy.conditions) {
    wanted.classes = wanted.classes || rule.predictions == file;
  }
  wanted.unlabelled = may_lack_labels(policy, file);
  return wanted;
}

}  // namespace pawl::gate
