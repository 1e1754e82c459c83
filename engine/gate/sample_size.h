// How many examples a condition needs so that its answers can be relied on.
//
// Formulas: ease.ml/ci (Renggli et al., MLSys 2019, sections 3 and 4). delta = 1 - reliability is the
// probability that any of the H evaluations of one test set errs. The union bound over them is the term
//   L = ln H         when developers do not see passes (none, first_change)
//   L = H * ln 2     when they see pass or fail every time (full): there are 2^H histories to guard against
// and with t = L - ln(delta * share / sides), where `share` is the part of delta that the estimate may spend
// and `sides` is 1 or 2,
//   Hoeffding  n = r^2 * t / (2 * eps^2)    to know the mean of a variable of range r to within eps
//   Bennett    n = t / (p * h(eps / p))     the same for a variable in [-1, 1] whose mean square is at most p
//   with h(u) = (1 + u) * ln(1 + u) - u.
// k clauses, and within one the k variables, get an equal share of delta each.
//
// Pure functions of any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/gate/condition.h"
#include "engine/gate/test_budget.h"

namespace pawl::gate {

// one: only the mistake that the mode excludes (ConditionMode) is guarded against, which is what a gate asks
// for. two: both are, as in the paper's section on patterns.
enum class Sided { one, two };

std::string_view to_string(Sided sided);

inline constexpr double kMaxReliability = 1 - 1e-12;
inline constexpr std::int64_t kMaxSteps = 1'000'000;
inline constexpr std::int64_t kMaxExamples = 1'000'000'000'000'000;  // counts are cut off here

struct Guarantee {
  double reliability = 0.999;  // over all steps, 0.5 to kMaxReliability
  BudgetTerms terms;           // steps 1 to kMaxSteps
  Sided sided = Sided::one;
};

// t of the formulas above. 0 < share <= 1.
double confidence_term(const Guarantee& guarantee, double share);

// Not rounded. The arguments are above 0, and p is at most 1.
double hoeffding_examples(double term, double range, double tolerance);
double bennett_examples(double term, double p, double tolerance);

enum class SampleRule {
  hoeffding,  // one variable, its factor included
  split,      // several variables: each estimated on its own, the tolerance split so that all need the same
  paired,     // the multiple of n - o as one variable, two-sided only
  bennett,    // the multiple of n - o as one variable, its mean square bounded by a clause `d < A +/- B`
};

std::string_view to_string(SampleRule rule);  // as in a table: "Bennett, d bounded"

// The part of a clause's tolerance that goes to one estimate.
struct ToleranceShare {
  std::string of;  // "1.1*o", "n - o"
  double tolerance = 0;

  bool operator==(const ToleranceShare&) const = default;
};

// The way for a clause about n - o that no clause about d helps: measure d first, on examples that need no
// labels and no part in the test, then size the test by what was found. Only known afterwards, therefore no
// part of the plan's counts.
struct MeasureFirst {
  double tolerance = 0;       // to which d is measured: twice the clause's for n - o
  std::int64_t examples = 0;  // without labels, to measure it

  bool operator==(const MeasureFirst&) const = default;
};

struct ClausePlan {
  SampleRule rule = SampleRule::hoeffding;
  double exact = 0;           // examples, not rounded
  std::int64_t examples = 0;  // rounded up, at most kMaxExamples
  bool labels = false;        // they need labels; d alone needs the two predictions only
  std::vector<ToleranceShare> split;
  double disagreement = 0;                    // p of `bennett`, else 0
  std::optional<MeasureFirst> measure_first;  // for `split` and `paired` clauses about n - o
  std::string not_optimised;                  // a sentence on a smaller bound that was not used; may be empty
};

// When every clause that needs labels is decided by `bennett`, only the examples on which the models differ
// have to be labelled, when they first do.
struct ActiveLabels {
  std::int64_t per_commit = 0;  // at most, with the plan's test set and its guarantee over all steps
  std::int64_t one_commit = 0;  // at most, when only one evaluation is to be covered (paper, section 4.1.2)
};

struct SamplePlan {
  std::vector<ClausePlan> clauses;  // in the order of the condition
  std::int64_t examples = 0;        // size of the test set
  std::int64_t labelled = 0;        // of these, how many need labels
  std::int64_t fresh_sets = 0;      // in all, were every step given a test set of its own
  std::optional<ActiveLabels> active;
};

// The condition is one that parse_condition() made.
SamplePlan plan_samples(const Condition& condition, const Guarantee& guarantee);

// Labelled examples for a clause with `measure_first` set, of a condition with `clauses` clauses, after d was
// measured as `measured`, 0 to 1. Not rounded.
double examples_after_measuring(const Clause& clause, std::size_t clauses, const Guarantee& guarantee,
                                double measured);

}  // namespace pawl::gate
