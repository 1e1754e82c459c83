// The search for the commit that lowered a metric: which commit to measure next, and what the measurements
// say. Commits are numbered in their order, 0 the one after the good end, and the last the bad end. A value
// with no clocks or files; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "engine/gate/comparison.h"
#include "engine/gate/verdict.h"

namespace pawl::gate {

class Bisection {
 public:
  // `commits` >= 1, with the bad end, which is known to be bad.
  explicit Bisection(std::size_t commits);

  // Nearest to the middle of those that are not known yet; nullopt when nothing is left to ask.
  std::optional<std::size_t> next() const;

  void mark_good(std::size_t commit);
  void mark_bad(std::size_t commit);
  void skip(std::size_t commit);  // it cannot be measured

  // Those of which one is the first bad commit: a single one at the end, more when some were skipped.
  std::vector<std::size_t> suspects() const;
  std::size_t steps_left() const;  // at most, if none is skipped

 private:
  std::size_t good_ = 0;  // the first that is not known to be good
  std::size_t bad_;       // the first that is known to be bad
  std::vector<bool> skipped_;
};

// On which side of the middle between the good and the bad end a commit lies.
struct SideOfDrop {
  bool bad = false;
  bool sure = false;  // the paired test says so; otherwise it is the nearer end
  double value = 0;
  std::optional<double> p_value;  // one-sided, of the other side; empty: there was no test
};

// `drop` > 0: how much worse the bad end is than the good one, in the unit of what the rule's paired test
// compares (of the metric when it has none). With a paired test the commit is compared example by example
// with the good end, with half the drop as the margin. Errors: conflict when it was measured on another test
// set or by another evaluator; invalid when something is missing.
Result<SideOfDrop> side_of_drop(const MetricRule& rule, const Evidence& commit, const Evidence& good,
                                double drop);

// How much worse `bad` is than `good`, and whether it surely is (by the paired test at `alpha`; without one
// by the numbers alone). Errors as above.
struct MeasuredDrop {
  double good = 0;
  double bad = 0;
  double worse_by = 0;
  bool sure = false;
  std::optional<double> p_value;
  std::optional<Interval> interval;  // of bad - good
};
Result<MeasuredDrop> measure_drop(const MetricRule& rule, const Evidence& bad, const Evidence& good);

}  // namespace pawl::gate
