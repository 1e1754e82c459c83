// What a pipeline asks of its model: the `gate:` section of .pawl.yml as values. Plain data; whoever parses
// the file checks the ranges stated here, judge() relies on them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/gate/condition.h"
#include "engine/gate/test_budget.h"

namespace pawl::gate {

// Which way is better.
enum class Direction { higher, lower };

// Non-inferiority on per-example results: is the candidate worse than the baseline by more than `margin`?
struct PairedTest {
  // lenient: red when surely worse than the margin. strict: green only when surely not worse than the margin.
  enum class Mode { lenient, strict };
  // What is compared: the share of right answers, the mean of a column (a loss, an error), or a metric of the
  // whole file that is no mean over examples.
  enum class Of { accuracy, mean, auc, average_precision, macro_f1 };

  double margin = 0;    // in the units of what is compared (0.02 of right answers = 2 points), > 0
  double alpha = 0.05;  // one-sided error rate, 0 < alpha < 0.5
  Mode mode = Mode::lenient;
  std::string predictions = "predictions.csv";  // file of per-example results in the stage's outputs
  Of of = Of::accuracy;
  std::string column = "";    // the values of Of::mean; the scores of auc and average_precision
  std::string positive = "";  // the label that auc and average_precision look for

  bool operator==(const PairedTest&) const = default;
};

// A part of the test set, judged by itself: a model that is better on the whole may be worse at night.
// Every slice is held to `floor`, `max_drop` and `margin` as far as they are given (one of them is).
struct SliceRule {
  // All must hold; of one column the value, as a word or as a number.
  struct Where {
    std::string column;
    std::vector<std::string> words;  // one of these; empty: a range
    std::optional<double> at_least;
    std::optional<double> below;

    bool operator==(const Where&) const = default;
  };

  std::string by;    // each value of this column is a slice, "label": each label; empty: `where`
  std::string name;  // of the slice that `where` makes
  std::vector<Where> where;
  std::int64_t min_examples = 50;  // smaller slices of `by` are not judged; one of `where` must have as many
  std::optional<double> floor;     // of the share of right answers (or the mean of the paired test's column)
  std::optional<double> max_drop;  // absolute
  std::optional<double> margin;    // of the metric's paired test, within the slice

  bool operator==(const SliceRule&) const = default;
};

// Whether a training with several seeds is worse than the baseline's: how often may a model of the baseline be
// better than one of the candidate?
struct SeedsTest {
  double probability = 0.75;  // above 0.5, below 1
  double alpha = 0.05;        // one-sided error rate, 0 < alpha < 0.5
  PairedTest::Mode mode = PairedTest::Mode::lenient;

  bool operator==(const SeedsTest&) const = default;
};

struct MetricRule {
  std::string metric;  // name in metrics.json
  Direction direction = Direction::higher;
  std::optional<double> floor;     // red below
  std::optional<double> ceiling;   // red above
  std::optional<double> max_drop;  // how much worse than the baseline is still green, >= 0
  bool max_drop_relative = false;  // max_drop is a fraction of the baseline's absolute value
  std::optional<PairedTest> paired;
  std::optional<SeedsTest> seeds = {};
  std::vector<SliceRule> slices = {};

  bool operator==(const MetricRule&) const = default;
};

// Which earlier green run of the target branch a run is compared with. All kinds look only at what is in the
// past of the run and of the target branch.
struct BaselineRule {
  enum class Kind {
    last_green,  // the nearest
    best,        // for each metric the run in which it was best
    rolling,     // the nearest; its numbers are the medians over the last `runs`
    tag,         // the nearest whose commit carries a tag that fits `tag`
  };
  Kind kind = Kind::last_green;
  std::int64_t runs = 0;
  std::string tag = "";  // a glob

  bool operator==(const BaselineRule&) const = default;
};

// A second anchor, against many drops each of which is small enough: the best median of a metric over
// `window` green runs in a row.
struct SustainedRule {
  std::int64_t window = 3;  // >= 2
  double max_drop = 0;      // how much worse than that is still green, >= 0, absolute

  bool operator==(const SustainedRule&) const = default;
};

// Stops a training whose curve is worse than those of the last green runs at the same steps.
struct EarlyRule {
  std::string curve = "loss";  // a loss or scalar that the hooks record, or "steps_per_s"
  Direction direction = Direction::lower;
  double margin = 0.1;          // how much worse than their mean, beyond what their spread explains, >= 0
  bool margin_relative = true;  // it is a fraction of that mean's absolute value
  std::int64_t runs = 10;       // 2 to 100
  std::int64_t from_step = 0;   // not judged before, >= 0

  bool operator==(const EarlyRule&) const = default;
};

// What the new model must fulfil, as a condition that the test set was sized for (sample_size.h).
struct ConditionRule {
  enum class OnSpent { warn, block };  // when the test set has answered as often as it was sized for

  Condition condition;
  double reliability = 0.999;  // over all evaluations of the test set, 0.5 to kMaxReliability
  ConditionMode mode = ConditionMode::fp_free;
  BudgetTerms terms{Adaptivity::full, 32};  // with which the first evaluation opens the test set's ledger
  OnSpent on_spent = OnSpent::warn;
  std::string predictions = "predictions.csv";  // no two conditions of a policy have the same

  bool operator==(const ConditionRule&) const = default;
};

struct Policy {
  // A first run may turn green without a baseline, and only while the target branch never had a green run.
  bool bootstrap = false;
  std::vector<MetricRule> metrics;
  std::vector<ConditionRule> conditions;
  std::string stage;  // whose outputs are judged; empty: the last stage that wrote metrics
  BaselineRule baseline = {};
  std::optional<SustainedRule> sustained = {};  // of every metric
  std::optional<EarlyRule> early = {};

  bool judges_models() const { return !metrics.empty() || !conditions.empty(); }
  bool operator==(const Policy&) const = default;
};

}  // namespace pawl::gate
