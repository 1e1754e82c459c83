// What a pipeline asks of its model: the `gate:` section of .pawl.yml as values. Plain data; whoever parses
// the file checks the ranges stated here, judge() relies on them.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace pawl::gate {

// Which way is better.
enum class Direction { higher, lower };

// Non-inferiority on per-example results: is the candidate worse than the baseline by more than `margin`?
struct PairedTest {
  // lenient: red when surely worse than the margin. strict: green only when surely not worse than the margin.
  enum class Mode { lenient, strict };

  double margin = 0;    // in units of the fraction of right answers (0.02 = 2 points), 0 < margin < 1
  double alpha = 0.05;  // one-sided error rate, 0 < alpha < 0.5
  Mode mode = Mode::lenient;
  std::string predictions = "predictions.csv";  // file of per-example results in the stage's outputs

  bool operator==(const PairedTest&) const = default;
};

struct MetricRule {
  std::string metric;  // name in metrics.json
  Direction direction = Direction::higher;
  std::optional<double> floor;     // red below
  std::optional<double> ceiling;   // red above
  std::optional<double> max_drop;  // how much worse than the baseline is still green, >= 0
  bool max_drop_relative = false;  // max_drop is a fraction of the baseline's absolute value
  std::optional<PairedTest> paired;

  bool operator==(const MetricRule&) const = default;
};

struct Policy {
  // A first run may turn green without a baseline, and only while the target branch never had a green run.
  bool bootstrap = false;
  std::vector<MetricRule> metrics;
  std::string stage;  // whose outputs are judged; empty: the last stage that wrote metrics

  bool operator==(const Policy&) const = default;
};

}  // namespace pawl::gate
