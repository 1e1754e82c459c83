// Conditions: what a new model must fulfil, as one line of text with the uncertainty it may be decided with.
//
//   n - o > 0.02 +/- 0.01 /\ d < 0.1 +/- 0.01
//
// n is the share of right answers of the new model, o that of the old one, d the share of examples on which
// their predictions differ. The language is that of ease.ml/ci (Renggli et al., MLSys 2019, appendix A.1):
//
//   condition  = clause { "/\" clause }
//   clause     = expression ( ">" | "<" ) constant "+/-" tolerance
//   expression = [ "+" | "-" ] term { ( "+" | "-" ) term }
//   term       = factor { "*" factor }        with exactly one of n, o, d; the other factors are constants
//
// with two differences: a constant may stand on either side of the `*`, and `*` binds closer than + and -.
// There are no parentheses, so nothing nests. Constants are decimal. Blanks, line ends among them, mean
// nothing between words.
//
// A clause is decided by interval arithmetic: with every variable known to within a tolerance, the left side
// is known to within the clause's, and the clause is true or false when the whole interval is on one side of
// the constant. How many examples it takes for that tolerance is said in sample_size.h.
//
// Pure functions of any thread.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "engine/base/diagnostic.h"

namespace pawl::gate {

enum class Variable { n, o, d };

std::string_view to_string(Variable variable);

struct Clause {
  enum class Comparison { greater, less };

  std::array<double, 3> coefficients{};  // of n, o and d; 0: the variable does not occur
  Comparison comparison = Comparison::greater;
  double threshold = 0;  // within what the left side can be
  double tolerance = 0;  // half the width of the interval, kMinTolerance or more

  double coefficient(Variable variable) const { return coefficients[static_cast<std::size_t>(variable)]; }
  bool operator==(const Clause&) const = default;
};

// All clauses must hold. parse_condition() makes them: at least one clause, each with at least one variable.
struct Condition {
  std::vector<Clause> clauses;

  bool operator==(const Condition&) const = default;
};

inline constexpr std::size_t kMaxConditionBytes = 1000;
inline constexpr double kMinCoefficient = 1e-3;  // of absolute values, after terms of one variable were added
inline constexpr double kMaxCoefficient = 1e3;
inline constexpr double kMinTolerance = 1e-6;

// Any text gives a condition or the first mistake in it; `file` is the name the diagnostic carries, lines and
// columns count from the start of `text`. Besides the grammar it refuses what cannot be meant: variables that
// cancel out, a constant that the left side cannot reach (80 for 0.8), a tolerance as wide as the left side.
tl::expected<Condition, Diagnostic> parse_condition(std::string_view text, std::string file);

// "n", "1.1*o".
std::string term_to_string(double factor, std::string_view name);

// The canonical text: one term a variable, those that are added first, each group in the order n, o, d.
// Parsing it gives the same value.
std::string to_string(const Clause& clause);
std::string to_string(const Condition& condition);

// Shares measured on a test set, each in [0, 1].
struct Estimates {
  double n = 0;
  double o = 0;
  double d = 0;
};

enum class Truth { no, yes, unknown };

std::string_view to_string(Truth truth);  // "false", "true", "unknown"

double left_side(const Clause& clause, const Estimates& estimates);

// Unknown while the constant is inside the interval, its ends included. A condition is false when a clause
// is, and otherwise unknown when a clause is.
Truth evaluate(const Clause& clause, const Estimates& estimates);
Truth evaluate(const Condition& condition, const Estimates& estimates);

// Whether the old model matters to it.
bool compares(const Condition& condition);

// Whether the condition is about n - o and d alone (multiples and sums of them). Then only examples on which
// the two models differ have to be labelled: on the others both are right or both are wrong.
bool is_about_differences(const Condition& condition);

// Which mistake the gate may not make: to accept what does not fulfil the condition (no false positives), or
// to reject what does (no false negatives).
enum class ConditionMode { fp_free, fn_free };

std::string_view to_string(ConditionMode mode);  // "fp-free", "fn-free"

// What is unknown is rejected in fp-free and accepted in fn-free.
bool accepts(Truth truth, ConditionMode mode);

}  // namespace pawl::gate
