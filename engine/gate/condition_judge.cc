#include "engine/gate/condition_judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/digest.h"
#include "engine/gate/active_labels.h"
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

// The same predictions on the same test set give the same digest, whatever labels there are.
std::string digest_of(const Classes& classes) {
  std::vector<std::uint32_t> code(classes.names.size(), 0);
  for (const std::uint32_t prediction : classes.predictions) code[prediction] = 1;
  Sha256 hash;
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i] == 0) continue;
    hash.update(fmt::format("{}:{}", classes.names[i].size(), classes.names[i]));
    code[i] = next++;
  }
  std::vector<std::uint32_t> predictions;
  predictions.reserve(classes.predictions.size());
  for (const std::uint32_t prediction : classes.predictions) predictions.push_back(code[prediction]);
  hash.update(fmt::format(";{};", predictions.size()));
  hash.update(
      {reinterpret_cast<const char*>(predictions.data()), predictions.size() * sizeof(predictions[0])});
  return hash.hex();
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
    if (compares_) differences_ = differences(*now_, *then_);
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
    add(Check::condition, Status::no_baseline,
        fmt::format("{} cannot be judged: {}; {}", subject_, problem,
                    advice_without_baseline(inputs_, inputs_.baseline ? &*inputs_.baseline : nullptr)));
    return false;
  }

  std::string why_incomparable() {
    if (!inputs_.baseline) return inputs_.target_branch + " has no baseline";
    then_ = find_vector(inputs_.baseline->evidence, rule_.predictions);
    if (!inputs_.baseline->evidence.by_seed.empty())
      return fmt::format("{} was run with several seeds", describe(inputs_.baseline->run));
    if (then_ == nullptr)
      return fmt::format("{} {}", describe(inputs_.baseline->run),
                         why_no_vector(inputs_.baseline->evidence, rule_.predictions));
    const std::string why = gate::why_incomparable(rule_, inputs_.evidence, inputs_.baseline->evidence);
    return why.empty() ? why : in_baseline(why, *inputs_.baseline);
  }

  // While labels are missing a test set goes by its ids, and keeps that ledger when they are all there.
  const std::string& ledger_key() const {
    const auto is_open = [&](const std::string& testset) {
      return inputs_.ledgers.contains(testset) ||
             std::any_of(verdict_.test_uses.begin(), verdict_.test_uses.end(),
                         [&](const NewTestUse& use) { return use.testset == testset; });
    };
    const bool labelled = now_->unlabelled.empty();
    const std::string& own = labelled ? now_->by_labels : now_->by_ids;
    const std::string& other = labelled ? now_->by_ids : now_->by_labels;
    return !is_open(own) && is_open(other) ? other : own;
  }

  // Another condition of this run may have used the same test set just now.
  void load_ledger() {
    ledger_.terms = rule_.terms;
    testset_ = ledger_key();
    if (const auto it = inputs_.ledgers.find(testset_); it != inputs_.ledgers.end()) ledger_ = it->second;
    for (const NewTestUse& added : verdict_.test_uses) {
      if (added.testset != testset_) continue;
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
    const auto earlier = answered_before(ledger_, use);
    const TestBudget before = budget_after(ledger_, earlier.value_or(ledger_.uses.size()));
    const bool spent = standing_by_count(before) == BudgetStanding::retired;
    if (spent && rule_.on_spent == ConditionRule::OnSpent::block) {
      add(Check::condition, Status::not_judged, subject_ + " was not judged: the test set is used up");
      add(Check::test_set, Status::inconclusive, describe_spent(before) + terms_note());
      return;
    }
    if (lacks_labels()) return ask_for_labels();
    use.passed = is_met();
    use.revealed = kRevealed;
    add(Check::condition, use.passed ? Status::pass : Status::fail, answer_sentence(use.passed));
    add(Check::test_set, spent ? Status::not_judged : Status::pass,
        spent ? describe_spent(before) + "; this answer has no guarantee" + terms_note()
              : describe_use(before, use, earlier.has_value()) + terms_note() + exposure_note());
    if (earlier) return;
    const auto number = static_cast<std::int64_t>(ledger_.uses.size()) + 1;
    verdict_.test_uses.push_back({testset_, ledger_.terms, number, std::move(use)});
  }

  TestUse question() const {
    TestUse use;
    use.asked = fmt::format("{} ({})", subject_, to_string(rule_.mode));
    use.model = digest_of(now_->classes);
    if (then_ != nullptr) use.baseline = digest_of(then_->classes);
    return use;
  }

  // What is decided by d alone takes no label.
  bool lacks_labels() const {
    return is_about_differences(rule_.condition) && !differences_.to_label.empty() && clauses_on_d_hold();
  }

  bool clauses_on_d_hold() const {
    Condition on_d;
    for (const Clause& clause : rule_.condition.clauses) {
      if (clause.coefficient(Variable::n) == 0) on_d.clauses.push_back(clause);
    }
    return on_d.clauses.empty() || accepts(evaluate(on_d, estimates()), rule_.mode);
  }

  void ask_for_labels() {
    const std::size_t lists = verdict_.to_label.size();
    const std::string file = lists == 0 ? "to_label.csv" : fmt::format("to_label-{}.csv", lists + 1);
    const auto count = static_cast<std::int64_t>(differences_.to_label.size());
    add(Check::condition, Status::inconclusive,
        fmt::format("{} needs {} more label{}: {} differs on {} of {} examples, and {} of these {} no label; "
                    "{} beside the report has {}",
                    subject_, count, count == 1 ? "" : "s", describe(inputs_.baseline->run),
                    differences_.different, differences_.n, count, count == 1 ? "has" : "have", file,
                    count == 1 ? "its id" : "their ids"));
    verdict_.to_label.push_back({rule_.predictions, file, differences_.to_label});
  }

  bool is_met() const {
    if (is_about_differences(rule_.condition) && !clauses_on_d_hold()) return false;
    return accepts(evaluate(rule_.condition, estimates()), rule_.mode);
  }

  // Of a condition about differences n and o are the shares of right answers among the examples on which the
  // models differ: n - o is the same.
  Estimates estimates() const {
    const auto n = static_cast<double>(now_->n);
    Estimates out;
    if (!is_about_differences(rule_.condition)) {
      out.n = now_->accuracy();
      if (then_ != nullptr) out.o = then_->accuracy();
    } else {
      out.n = static_cast<double>(differences_.won) / n;
      out.o = static_cast<double>(differences_.lost) / n;
    }
    out.d = static_cast<double>(differences_.different) / n;
    return out;
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
  Differences differences_;                 // the same
  std::string testset_;                     // under which the ledger is kept
  TestLedger ledger_;
};

}  // namespace

void judge_condition(const Policy& policy, const ConditionRule& rule, const Inputs& inputs,
                     Verdict& verdict) {
  ConditionJudge(policy, rule, inputs, verdict).run();
}

}  // namespace pawl::gate
