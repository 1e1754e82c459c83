// Two models compared example by example: one interface to the paired tests, whatever is compared.
//
//   share of right answers    Tango's score interval and test, McNemar's mid-p
//   mean of a column          paired t, sign flips for fewer than 30 examples
//   AUC                       DeLong
//   average precision, F1     paired bootstrap: both models on the same resamples
//
// Pure functions of any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/evaluation.h"
#include "engine/gate/paired.h"
#include "engine/gate/parallel_for.h"
#include "engine/gate/policy.h"

namespace pawl::gate {

// In the units of what is compared.
struct Comparison {
  std::string_view test;  // its name for people
  std::int64_t n = 0;     // examples
  double candidate = 0;
  double baseline = 0;
  Interval interval;                            // of candidate - baseline, level 1 - 2 * alpha
  double p_worse = 1;                           // one-sided, small when the candidate is worse at all
  double p_margin = 1;                          // one-sided, small when it is worse by more than the margin
  bool surely_worse = false;                    // than the margin, by the interval
  bool surely_not_worse = false;                // than the margin, by the interval
  bool alike = false;                           // the models gave the same: nothing to test, not worse
  std::optional<PairedCounts> counts;           // of right answers
  std::optional<std::int64_t> examples_needed;  // to show with 80 % power that it is not worse, if it is not

  double difference() const { return candidate - baseline; }
};

// What the test needs of a prediction file is added to `wanted`.
void want_columns(const PairedTest& test, WantedColumns& wanted);

// Whether a lower value of what the test compares is better: only a column can be like that.
bool lower_is_better(const PairedTest& test, Direction direction);

// Positions in order of ids; nullopt: all examples.
using Subset = std::optional<std::span<const std::uint32_t>>;

// Errors: conflict when the test sets differ; invalid when a column is missing or the test cannot be made of
// these examples, with the reason.
Result<Comparison> compare_models(const PairedTest& test, Direction direction,
                                  const EvaluationVector& candidate, const EvaluationVector& baseline,
                                  const Subset& subset = std::nullopt,
                                  const ParallelFor& parallel_for = serial_for);

struct ModelTest {
  PairedTest test;
  Direction direction = Direction::higher;
};

// The same of each test, over all examples: those that take a bootstrap share its resamples.
std::vector<Result<Comparison>> compare_models(std::span<const ModelTest> tests,
                                               const EvaluationVector& candidate,
                                               const EvaluationVector& baseline,
                                               const ParallelFor& parallel_for = serial_for);

// What the test compares, of one model. Errors as above.
Result<double> value_of(const PairedTest& test, const EvaluationVector& vector,
                        const Subset& subset = std::nullopt);

// The column of numbers, or why there is none.
Result<std::span<const double>> column_of(const EvaluationVector& vector, const std::string& name);

}  // namespace pawl::gate
