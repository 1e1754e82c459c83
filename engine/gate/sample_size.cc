#include "engine/gate/sample_size.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/error.h"

namespace pawl::gate {
namespace {

constexpr std::array<Variable, 3> kVariables{Variable::n, Variable::o, Variable::d};

// Accuracies above this vary so little that a bound which uses it would pay.
constexpr double kHighAccuracy = 0.9;

double union_term(const BudgetTerms& terms) {
  const auto steps = static_cast<double>(terms.steps);
  return terms.adaptivity == Adaptivity::full ? steps * std::log(2.0) : std::log(steps);
}

std::int64_t round_up(double examples) {
  return static_cast<std::int64_t>(std::min(std::ceil(examples), static_cast<double>(kMaxExamples)));
}

// Sum of the factors' absolute values: the range of the left side when every variable is in [0, 1].
double weight(const Clause& clause) {
  double sum = 0;
  for (double coefficient : clause.coefficients) sum += std::abs(coefficient);
  return sum;
}

bool has(const Clause& clause, Variable variable) {
  return clause.coefficient(variable) != 0;
}

bool needs_labels(const Clause& clause) {
  return has(clause, Variable::n) || has(clause, Variable::o);
}

// A multiple of n - o; what it is multiplied by is |coefficient(n)|.
bool is_difference(const Clause& clause) {
  return has(clause, Variable::n) && !has(clause, Variable::d) &&
         clause.coefficient(Variable::n) == -clause.coefficient(Variable::o);
}

double difference_tolerance(const Clause& clause) {
  return clause.tolerance / std::abs(clause.coefficient(Variable::n));
}

std::vector<Variable> variables_of(const Clause& clause) {
  std::vector<Variable> found;
  for (Variable variable : kVariables) {
    if (has(clause, variable)) found.push_back(variable);
  }
  return found;
}

// The A of a clause `d < A +/- B`, the least of several. Its tolerance does not widen it: a condition that is
// accepted wrongly although d < A owes that to another clause, and one that is rejected wrongly holds, d < A
// included. Where d >= A a wrong answer is this clause's own, and paid for by its own share of delta.
std::optional<double> bound_on_d(const Condition& condition) {
  std::optional<double> least;
  for (const Clause& clause : condition.clauses) {
    const double factor = clause.coefficient(Variable::d);
    if (needs_labels(clause) || factor <= 0 || clause.comparison != Clause::Comparison::less) continue;
    const double bound = clause.threshold / factor;
    if (bound > 0 && bound < least.value_or(1)) least = bound;
  }
  return least;
}

class Planner {
 public:
  Planner(const Condition& condition, const Guarantee& guarantee)
      : condition_(condition),
        guarantee_(guarantee),
        share_(1.0 / static_cast<double>(condition.clauses.size())),
        disagreement_(bound_on_d(condition)) {}

  ClausePlan plan(const Clause& clause) const {
    ClausePlan plan = without_bound(clause);
    if (is_difference(clause)) {
      improve_by_bound(clause, plan);
      if (!disagreement_) plan.measure_first = measure_first(clause);
    }
    plan.examples = round_up(plan.exact);
    plan.labels = needs_labels(clause);
    plan.not_optimised = not_optimised(clause, plan);
    return plan;
  }

  // With the term of `guarantee_` and with that of one evaluation alone.
  std::optional<ActiveLabels> active_labels(const std::vector<ClausePlan>& plans) const {
    Guarantee single = guarantee_;
    single.terms.steps = 1;
    single.terms.adaptivity = Adaptivity::none;
    ActiveLabels active;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      const ClausePlan& plan = plans[i];
      if (!plan.labels) continue;
      if (plan.rule != SampleRule::bennett) return {};
      const double one = bennett_examples(confidence_term(single, share_), plan.disagreement,
                                          difference_tolerance(condition_.clauses[i]));
      active.per_commit = std::max(active.per_commit, round_up(plan.disagreement * plan.exact));
      active.one_commit = std::max(active.one_commit, round_up(plan.disagreement * one));
    }
    if (active.per_commit == 0) return {};
    return active;
  }

 private:
  double term(double part) const { return confidence_term(guarantee_, share_ * part); }

  ClausePlan without_bound(const Clause& clause) const {
    ClausePlan plan;
    const std::vector<Variable> variables = variables_of(clause);
    if (is_difference(clause) && guarantee_.sided == Sided::two) {
      plan.rule = SampleRule::paired;
      plan.exact = hoeffding_examples(term(1), 2, difference_tolerance(clause));
      plan.split = {difference_share(clause)};
      return plan;
    }
    // The split that makes all estimates need equally many gives each variable tolerance / weight.
    plan.rule = variables.size() > 1 ? SampleRule::split : SampleRule::hoeffding;
    const double each = clause.tolerance / weight(clause);
    plan.exact = hoeffding_examples(term(1 / static_cast<double>(variables.size())), 1, each);
    for (Variable variable : variables) {
      const double factor = std::abs(clause.coefficient(variable));
      plan.split.push_back({term_to_string(factor, to_string(variable)), factor * each});
    }
    return plan;
  }

  void improve_by_bound(const Clause& clause, ClausePlan& plan) const {
    if (!disagreement_) return;
    const double examples = bennett_examples(term(1), *disagreement_, difference_tolerance(clause));
    if (examples >= plan.exact) return;
    plan.rule = SampleRule::bennett;
    plan.exact = examples;
    plan.split = {difference_share(clause)};
    plan.disagreement = *disagreement_;
  }

  MeasureFirst measure_first(const Clause& clause) const {
    const double tolerance = 2 * difference_tolerance(clause);
    return {tolerance, round_up(hoeffding_examples(term(0.5), 1, tolerance))};
  }

  static ToleranceShare difference_share(const Clause& clause) {
    const double factor = std::abs(clause.coefficient(Variable::n));
    return {factor == 1 ? "n - o" : fmt::format("{}*(n - o)", factor), clause.tolerance};
  }

  std::string not_optimised(const Clause& clause, const ClausePlan& plan) const {
    if (plan.rule == SampleRule::split && is_difference(clause)) {
      return fmt::format("one estimate of n - o, rather than one each of n and o, would need {}",
                         round_up(hoeffding_examples(term(1), 2, difference_tolerance(clause))));
    }
    if (plan.rule == SampleRule::split && disagreement_) {
      return "the bound on d is used for multiples of n - o only";
    }
    const bool high = clause.comparison == Clause::Comparison::greater && has(clause, Variable::n) &&
                      clause.threshold >= kHighAccuracy * clause.coefficient(Variable::n);
    if (plan.rule == SampleRule::hoeffding && high) {
      return "a bound that uses how little an accuracy near 1 varies would need fewer";
    }
    return {};
  }

  const Condition& condition_;
  const Guarantee& guarantee_;
  double share_;                        // of delta, for each clause
  std::optional<double> disagreement_;  // what the clauses bound d by
};

void check(const Guarantee& guarantee) {
  PAWL_CHECK(guarantee.reliability >= 0.5 && guarantee.reliability <= kMaxReliability);
  PAWL_CHECK(guarantee.terms.steps >= 1 && guarantee.terms.steps <= kMaxSteps);
}

}  // namespace

std::string_view to_string(Sided sided) {
  return sided == Sided::one ? "one" : "two";
}

std::string_view to_string(SampleRule rule) {
  switch (rule) {
    case SampleRule::hoeffding:
      return "Hoeffding";
    case SampleRule::split:
      return "Hoeffding, tolerance split";
    case SampleRule::paired:
      return "Hoeffding, paired";
    case SampleRule::bennett:
      return "Bennett, d bounded";
  }
  PAWL_CHECK(false);
}

double confidence_term(const Guarantee& guarantee, double share) {
  check(guarantee);
  PAWL_CHECK(share > 0 && share <= 1);
  const double sides = guarantee.sided == Sided::two ? 2 : 1;
  return union_term(guarantee.terms) - std::log((1 - guarantee.reliability) * share / sides);
}

double hoeffding_examples(double term, double range, double tolerance) {
  PAWL_CHECK(term > 0 && range > 0 && tolerance > 0);
  return range * range * term / (2 * tolerance * tolerance);
}

double bennett_examples(double term, double p, double tolerance) {
  PAWL_CHECK(term > 0 && p > 0 && p <= 1 && tolerance > 0);
  const double u = tolerance / p;
  return term / (p * ((1 + u) * std::log1p(u) - u));
}

SamplePlan plan_samples(const Condition& condition, const Guarantee& guarantee) {
  PAWL_CHECK(!condition.clauses.empty());
  const Planner planner(condition, guarantee);
  Guarantee fresh = guarantee;
  fresh.terms.adaptivity = Adaptivity::none;
  const Planner planner_of_fresh(condition, fresh);
  SamplePlan plan;
  double largest_fresh = 0;
  for (const Clause& clause : condition.clauses) {
    plan.clauses.push_back(planner.plan(clause));
    const ClausePlan& made = plan.clauses.back();
    plan.examples = std::max(plan.examples, made.examples);
    if (made.labels) plan.labelled = std::max(plan.labelled, made.examples);
    largest_fresh = std::max(largest_fresh, planner_of_fresh.plan(clause).exact);
  }
  plan.fresh_sets = round_up(static_cast<double>(guarantee.terms.steps) * std::ceil(largest_fresh));
  plan.active = planner.active_labels(plan.clauses);
  return plan;
}

double examples_after_measuring(const Clause& clause, std::size_t clauses, const Guarantee& guarantee,
                                double measured) {
  PAWL_CHECK(is_difference(clause) && clauses > 0 && measured >= 0 && measured <= 1);
  const double tolerance = difference_tolerance(clause);
  const double p = std::min(1.0, measured + 2 * tolerance);
  const double share = 0.5 / static_cast<double>(clauses);
  return bennett_examples(confidence_term(guarantee, share), p, tolerance);
}

}  // namespace pawl::gate
