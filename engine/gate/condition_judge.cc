#include "engine/gate/condition_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "engine/base/digest.h"
#include "engine/gate/comparability.h"
#include "engine/gate/metric_judge.h"
#include "engine/gate/paired_reason.h"
#include "engine/gate/sample_size.h"
#include "engine/gate/slices.h"
#include "engine/gate/wording.h"

namespace pawl::gate {
namespace {

// The run's files hold the predictions, and often metrics.json too.
constexpr Revealed kRevealed = Revealed::score;

// The same predictions on the same test set give the same digest. Codes count in the sorted list of names,
// labels among them, so both are taken.
std::string digest_of(const Classes& classes) {
  Sha256 hash;
  for (const std::string& name : classes.names) hash.update(fmt::format("{}:{}", name.size(), name));
  hash.update(fmt::format(";{};", classes.predictions.size()));
  hash.update({reinterpret_cast<const char*>(classes.predictions.data()),
               classes.predictions.size() * sizeof(classes.predictions[0])});
  return hash.hex();
}

// Of vectors of the same test set.
double share_of_different(const Classes& a, const Classes& b) {
  PAWL_CHECK(a.predictions.size() == b.predictions.size() && !a.predictions.empty());
  constexpr auto kNone = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> code_in_b(a.names.size(), kNone);
  for (std::size_t i = 0; i < a.names.size(); ++i) {
    const auto it = std::lower_bound(b.names.begin(), b.names.end(), a.names[i]);
    if (it != b.names.end() && *it == a.names[i]) {
      code_in_b[i] = static_cast<std::uint32_t>(it - b.names.begin());
    }
  }
  std::size_t different = 0;
  for (std::size_t i = 0; i < a.predictions.size(); ++i) {
    different += code_in_b[a.predictions[i]] == b.predictions[i] ? 0 : 1;
  }
  return static_cast<double>(different) / static_cast<double>(a.predictions.size());
}

std::string times(std::int64_t count) {
  return count == 1 ? "once" : fmt::format("{} times", count);
}

std::string describe_spent(const TestBudget& budget) {
  if (budget.uses < budget.terms.steps) {
    return "this test set has passed a model, which ends it with adaptivity first-change: bring a new one";
  }
  if (budget.uses == budget.terms.steps) {
    return fmt::format("the test set has answered {}, which is what it was sized for: bring a new one",
                       times(budget.uses));
  }
  return fmt::format("the test set has answered {} and was sized for {}: bring a new one", times(budget.uses),
                     budget.terms.steps);
}

class ConditionJudge {
 public:
  ConditionJudge(const Policy& policy, const ConditionRule& rule, const Inputs& inputs, Verdict& verdict)
      : policy_(policy),
        rule_(rule),
        inputs_(inputs),
        verdict_(verdict),
        subject_(to_string(rule.condition)),
        compares_(compares(rule.condition)) {}

  void run() {
    if (!inputs_.evidence.by_seed.empty()) {
      return add(Check::condition, Status::error,
                 subject_ + " asks about one model, and the stage was run with several seeds");
    }
    now_ = find_vector(inputs_.evidence, rule_.predictions);
    if (now_ == nullptr) return missing_predictions();
    if (compares_ && !find_baseline()) return;
    PAWL_CHECK(now_->classes.predictions.size() == static_cast<std::size_t>(now_->n));
    load_ledger();
    if (enough_examples()) answer();
  }

 private:
  void add(Check check, Status status, std::string sentence) {
    verdict_.reasons.push_back(plain_reason(check, status, subject_, std::move(sentence)));
  }

  void missing_predictions() {
    const auto why = inputs_.evidence.unreadable.find(rule_.predictions);
    add(Check::condition, Status::error,
        why == inputs_.evidence.unreadable.end()
            ? fmt::format("{} needs {}, which is missing", subject_, rule_.predictions)
            : fmt::format("{}: {}", subject_, why->second));
  }

  bool find_baseline() {
    if (!inputs_.baseline && policy_.bootstrap && !inputs_.target_was_ever_green) {
      add(Check::condition, Status::bootstrap,
          fmt::format("{} was not judged: nothing to compare with yet, {} never had a green run", subject_,
                      inputs_.target_branch));
      return false;
    }
    const std::string problem = why_incomparable();
    if (problem.empty()) return true;
    add(Check::condition, Status::no_baseline, fmt::format("{} cannot be judged: {}", subject_, problem));
    return false;
  }

  std::string why_incomparable() {
    if (!inputs_.baseline) {
      return fmt::format("{} has no baseline; {}", inputs_.target_branch, advice_without_baseline(inputs_));
    }
    then_ = find_vector(inputs_.baseline->evidence, rule_.predictions);
    if (!inputs_.baseline->evidence.by_seed.empty())
      return fmt::format("{} was run with several seeds", describe(inputs_.baseline->run));
    if (then_ == nullptr)
      return fmt::format("{} left no {}", describe(inputs_.baseline->run), rule_.predictions);
    const std::string why = gate::why_incomparable(rule_, inputs_.evidence, inputs_.baseline->evidence);
    return why.empty() ? why : in_baseline(why, *inputs_.baseline);
  }

  // Another condition of this run may have used the same test set just now.
  void load_ledger() {
    ledger_.terms = rule_.terms;
    if (const auto it = inputs_.ledgers.find(now_->testset); it != inputs_.ledgers.end()) {
      ledger_ = it->second;
    }
    for (const NewTestUse& added : verdict_.test_uses) {
      if (added.testset != now_->testset) continue;
      if (ledger_.uses.empty()) ledger_.terms = added.terms;
      ledger_.uses.push_back(added.use);
    }
  }

  bool enough_examples() {
    Guarantee guarantee;
    guarantee.reliability = rule_.reliability;
    guarantee.terms = ledger_.terms;
    const std::int64_t needed = plan_samples(rule_.condition, guarantee).examples;
    if (now_->n >= needed) return true;
    add(Check::condition, Status::inconclusive,
        fmt::format("{} cannot be answered with {} examples: reliability {} over {} evaluation{} with "
                    "adaptivity {} takes {}, `pawl gate samples` explains",
                    subject_, now_->n, rule_.reliability, ledger_.terms.steps,
                    ledger_.terms.steps == 1 ? "" : "s", to_string(ledger_.terms.adaptivity), needed));
    return false;
  }

  void answer() {
    TestUse use = question();
    use.passed = is_met();
    use.revealed = kRevealed;
    const auto earlier = answered_before(ledger_, use);
    const TestBudget before = budget_after(ledger_, earlier.value_or(ledger_.uses.size()));
    const bool spent = standing_by_count(before) == BudgetStanding::retired;
    if (spent && rule_.on_spent == ConditionRule::OnSpent::block) {
      add(Check::condition, Status::not_judged, subject_ + " was not judged: the test set is used up");
      add(Check::test_set, Status::inconclusive, describe_spent(before) + terms_note());
      return;
    }
    add(Check::condition, use.passed ? Status::pass : Status::fail, answer_sentence(use.passed));
    add(Check::test_set, spent ? Status::not_judged : Status::pass,
        spent ? describe_spent(before) + "; this answer has no guarantee" + terms_note()
              : describe_use(before, use, earlier.has_value()) + terms_note() + exposure_note());
    if (earlier) return;
    const auto number = static_cast<std::int64_t>(ledger_.uses.size()) + 1;
    verdict_.test_uses.push_back({now_->testset, ledger_.terms, number, std::move(use)});
  }

  TestUse question() const {
    TestUse use;
    use.asked = fmt::format("{} ({})", subject_, to_string(rule_.mode));
    use.model = digest_of(now_->classes);
    if (then_ != nullptr) use.baseline = digest_of(then_->classes);
    return use;
  }

  bool is_met() const {
    Estimates estimates;
    estimates.n = now_->accuracy();
    if (then_ != nullptr) {
      estimates.o = then_->accuracy();
      estimates.d = share_of_different(now_->classes, then_->classes);
    }
    return accepts(evaluate(rule_.condition, estimates), rule_.mode);
  }

  // Whether what is not surely true is false or unknown would be more than pass or fail.
  std::string answer_sentence(bool met) const {
    const bool strict = rule_.mode == ConditionMode::fp_free;
    const char* const text = met ? (strict ? "is met" : "is met, or too close to tell")
                                 : (strict ? "is not met, or too close to tell" : "is not met");
    std::string out = fmt::format("{} {}", subject_, text);
    if (compares_) out += " against " + describe(inputs_.baseline->run);
    return out;
  }

  static std::string describe_use(const TestBudget& before, const TestUse& use, bool repeated) {
    const TestBudget after = record_use(before, use.passed, Revealed::nothing);
    std::string out =
        fmt::format("evaluation {} of {} that this test set was sized for", after.uses, after.terms.steps);
    if (repeated) return out + ": it was asked this before, and that counts once";
    if (standing_by_count(after) == BudgetStanding::retired) out += ", and its last: bring a new one";
    return out;
  }

  std::string terms_note() const {
    const auto same = check_terms(budget_after(ledger_, ledger_.uses.size()), rule_.terms);
    return same ? "" : "; " + same.error().message();
  }

  std::string exposure_note() const {
    const bool none = ledger_.terms.adaptivity == Adaptivity::none;
    return fmt::format("; the guarantee supposes that developers see {}, and this run shows {}{}",
                       none ? "nothing of it" : "pass or fail and no scores",
                       inputs_.evidence.metrics.empty() ? "" : fmt::format("{} and ", kMetricsFile),
                       rule_.predictions);
  }

  const Policy& policy_;
  const ConditionRule& rule_;
  const Inputs& inputs_;
  Verdict& verdict_;
  const std::string subject_;
  const bool compares_;
  const EvaluationVector* now_ = nullptr;
  const EvaluationVector* then_ = nullptr;  // only when the condition compares
  TestLedger ledger_;
};

}  // namespace

void judge_condition(const Policy& policy, const ConditionRule& rule, const Inputs& inputs,
                     Verdict& verdict) {
  ConditionJudge(policy, rule, inputs, verdict).run();
}

}  // namespace pawl::gate
