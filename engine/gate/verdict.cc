#include "engine/gate/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "engine/base/text.h"
#include "engine/gate/condition_judge.h"
#include "engine/gate/metric_judge.h"
#include "engine/gate/multiplicity.h"
#include "engine/gate/paired_reason.h"
#include "engine/gate/sustained.h"
#include "engine/gate/wording.h"

namespace pawl::gate {
namespace {

constexpr std::size_t kNamedInHeadline = 5;

VerdictKind kind_of(Status status) {
  switch (status) {
    case Status::pass:
    case Status::not_judged:
    case Status::bootstrap:
    case Status::waived:
      return VerdictKind::pass;
    case Status::inconclusive:
      return VerdictKind::inconclusive;
    case Status::no_baseline:
      return VerdictKind::no_baseline;
    case Status::error:
      return VerdictKind::error;
    case Status::fail:
      return VerdictKind::fail;
  }
  return VerdictKind::error;
}

void add_failures(const Inputs& inputs, std::vector<Reason>& out) {
  for (const Finding& finding : inputs.findings) {
    out.push_back(plain_reason(Check::finding, Status::fail, finding.rule, describe(finding)));
  }
  for (const StageFailure& failure : inputs.stages) {
    out.push_back(plain_reason(Check::stage,
                               failure.infrastructure || failure.evaluator ? Status::error : Status::fail,
                               failure.stage, fmt::format("stage {}: {}", failure.stage, failure.message)));
  }
  for (const Unwatched& stage : inputs.unwatched) {
    out.push_back(plain_reason(
        Check::stage, Status::not_judged, stage.stage,
        stage.rule.empty()
            ? fmt::format("stage {}: no rule was evaluated: {}", stage.stage, stage.why)
            : fmt::format("stage {}: rule {} was not evaluated: {}", stage.stage, stage.rule, stage.why)));
  }
}

// What a metric is compared with; nullptr: nothing.
const Baseline* baseline_of(const MetricRule& rule, const Inputs& inputs) {
  const auto own = inputs.own_baselines.find(rule.metric);
  if (own != inputs.own_baselines.end()) return &own->second;
  return inputs.baseline ? &*inputs.baseline : nullptr;
}

using Compared = std::map<const MetricRule*, Result<Comparison>>;

// The paired tests of all metrics. Those of the same two models are made together, for what they share.
Compared compare_all(const Policy& policy, const Inputs& inputs, const ParallelFor& parallel_for) {
  struct Group {
    std::vector<const MetricRule*> rules;
    std::vector<ModelTest> tests;
  };
  std::map<std::pair<const EvaluationVector*, const EvaluationVector*>, Group> groups;
  for (const MetricRule& rule : policy.metrics) {
    const Baseline* baseline = baseline_of(rule, inputs);
    if (!rule.paired || baseline == nullptr) continue;
    const EvaluationVector* now = find_vector(inputs.evidence, rule.paired->predictions);
    const EvaluationVector* then = find_vector(baseline->evidence, rule.paired->predictions);
    if (now == nullptr || then == nullptr) continue;
    Group& group = groups[{now, then}];
    group.rules.push_back(&rule);
    group.tests.push_back({*rule.paired, rule.direction});
  }
  Compared out;
  for (const auto& [models, group] : groups) {
    auto results = compare_models(group.tests, *models.first, *models.second, parallel_for);
    for (std::size_t i = 0; i < results.size(); ++i) out.emplace(group.rules[i], std::move(results[i]));
  }
  return out;
}

// `reasons` are those of add_failures. A stage that only rules failed follows their waivers: all or none.
void waive_failures(const Inputs& inputs, std::vector<Reason>& reasons) {
  std::set<std::string> waived;
  std::set<std::string> red;
  for (std::size_t i = 0; i < inputs.findings.size(); ++i) {
    if (inputs.findings[i].step) apply_waivers({&reasons[i], 1}, inputs.waivers, inputs.now_unix_ms);
    (reasons[i].status == Status::waived ? waived : red).insert(inputs.findings[i].stage);
  }
  for (std::size_t i = 0; i < inputs.stages.size(); ++i) {
    const StageFailure& failure = inputs.stages[i];
    if (!waived.contains(failure.stage) || red.contains(failure.stage)) continue;
    Reason& reason = reasons[inputs.findings.size() + i];
    if (failure.only_rules) {
      reason.status = Status::waived;
      reason.sentence += "; every rule that fired in it is waived";
    } else {
      reason.sentence += "; its rules are waived, but what it left cannot be judged";
    }
  }
}

// Red, and not only unwatched.
const Reason* failed_stage(const std::vector<Reason>& reasons) {
  const auto it = std::find_if(reasons.begin(), reasons.end(), [](const Reason& reason) {
    return reason.check == Check::stage && kind_of(reason.status) != VerdictKind::pass;
  });
  return it == reasons.end() ? nullptr : &*it;
}

void judge_metrics(const Policy& policy, const Inputs& inputs, const ParallelFor& parallel_for,
                   std::vector<Reason>& out) {
  const Compared compared = compare_all(policy, inputs, parallel_for);
  for (const MetricRule& rule : policy.metrics) {
    const auto it = compared.find(&rule);
    judge_metric({policy, rule, inputs, baseline_of(rule, inputs),
                  it == compared.end() ? nullptr : &it->second, parallel_for},
                 out);
    if (policy.sustained) judge_sustained(*policy.sustained, rule, inputs, out);
  }
}

void add_metrics(const Policy& policy, const Inputs& inputs, const ParallelFor& parallel_for,
                 std::vector<Reason>& out) {
  std::string unjudged;
  if (const Reason* stage = failed_stage(out)) {
    unjudged = fmt::format("stage {} did not succeed", stage->subject);
  } else if (const auto it = inputs.evidence.unreadable.find(std::string(kMetricsFile));
             it != inputs.evidence.unreadable.end() && !policy.metrics.empty()) {
    out.push_back(plain_reason(Check::output, Status::error, it->first, it->second));
    unjudged = fmt::format("{} cannot be read", it->first);
  }
  if (unjudged.empty()) return judge_metrics(policy, inputs, parallel_for, out);
  for (const MetricRule& rule : policy.metrics) {
    out.push_back(plain_reason(Check::metric, Status::not_judged, rule.metric,
                               fmt::format("{} was not judged: {}", rule.metric, unjudged)));
  }
}

void add_conditions(const Policy& policy, const Inputs& inputs, Verdict& verdict) {
  for (const ConditionRule& rule : policy.conditions) {
    if (inputs.stages.empty()) {
      judge_condition(policy, rule, inputs, verdict);
    } else {
      const std::string text = to_string(rule.condition);
      verdict.reasons.push_back(plain_reason(
          Check::condition, Status::not_judged, text,
          fmt::format("{} was not judged: stage {} did not succeed", text, inputs.stages.front().stage)));
    }
  }
}

int weight(Check check) {
  switch (check) {
    case Check::finding:
      return 8;
    case Check::stage:
      return 7;
    case Check::output:
      return 6;
    case Check::paired:
    case Check::seeds:
    case Check::condition:
      return 5;
    case Check::max_drop:
      return 4;
    case Check::baseline:
      return 3;
    case Check::floor:
    case Check::ceiling:
      return 2;
    case Check::metric:
    case Check::sustained:
    case Check::test_set:
    case Check::disjoint_from:
      return 1;
    case Check::slices:
      return 0;
  }
  return 0;
}

// Holm's correction over the lenient tests: what one test alone would call worse may be chance among many.
void correct_for_many(std::vector<Reason>& reasons) {
  std::vector<Reason*> tests;
  std::vector<double> p;
  for (Reason& reason : reasons) {
    if (!reason.p_margin) continue;
    tests.push_back(&reason);
    p.push_back(*reason.p_margin);
  }
  if (tests.size() < 2) return;
  const std::vector<double> adjusted = holm_adjusted(p);
  for (std::size_t i = 0; i < tests.size(); ++i) {
    Reason& reason = *tests[i];
    reason.p_adjusted = adjusted[i];
    const double alpha = (1 - *reason.level) / 2;
    if (reason.status != Status::fail || adjusted[i] <= alpha) continue;
    reason.status = Status::pass;
    reason.sentence = with_doubt(std::move(reason.sentence), tests.size(), p[i], adjusted[i]);
  }
}

std::string name_of(const Reason& reason) {
  return reason.slice.empty() ? reason.subject : fmt::format("{} of {}", reason.subject, reason.slice);
}

// The worst reason, and what else is as bad: `counts` says which reasons are told.
template <class Counts>
std::string headline_of(const std::vector<Reason>& reasons, std::string_view also, Counts counts) {
  const Reason& worst = *most_telling(reasons);
  std::vector<std::string> others;
  for (const Reason& reason : reasons) {
    const bool follows = reason.check == Check::stage && worst.check == Check::finding;
    const std::string name = name_of(reason);
    if (!counts(reason) || name == name_of(worst) || follows) continue;
    if (std::find(others.begin(), others.end(), name) == others.end()) others.push_back(name);
  }
  if (others.size() > kNamedInHeadline) {
    const std::size_t more = others.size() - kNamedInHeadline;
    others.resize(kNamedInHeadline);
    others.push_back(fmt::format("{} more", more));
  }
  if (others.empty()) return worst.sentence;
  return fmt::format("{}; {}: {}", worst.sentence, also, join(others, ", "));
}

std::string red_headline(const std::vector<Reason>& reasons) {
  return headline_of(reasons, "also red",
                     [](const Reason& reason) { return kind_of(reason.status) != VerdictKind::pass; });
}

// Only a waiver keeps the run from being red: that is what there is to read.
std::string waived_headline(const std::vector<Reason>& reasons) {
  return "waived: " + headline_of(reasons, "also waived",
                                  [](const Reason& reason) { return reason.status == Status::waived; });
}

// What a reader of a green verdict must not miss.
std::string caveats(const std::vector<Reason>& reasons) {
  std::string out;
  std::size_t slices = 0;
  for (const Reason& reason : reasons) {
    if (reason.status != Status::not_judged) continue;
    if (reason.check == Check::stage) out += "; " + reason.sentence;
    if (reason.check == Check::slices && !reason.slice.empty()) ++slices;
  }
  if (slices > 0) out += "; some slices were too small to be judged";
  return out;
}

std::string green_headline(const Policy& policy, const Verdict& verdict) {
  if (is_waived(verdict)) return waived_headline(verdict.reasons);
  const std::string but = caveats(verdict.reasons);
  if (!policy.judges_models()) {
    return fmt::format("every stage succeeded{}; no metric is gated{}",
                       but.empty() ? " and no rule fired" : "", but);
  }
  // With what it was compared is said once.
  const std::string tail = verdict.baseline ? " against " + describe(*verdict.baseline) : "";
  std::vector<std::string> parts;
  bool compared = false;
  const auto tell = [&](std::string_view sentence) {
    if (!tail.empty() && sentence.ends_with(tail)) {
      sentence.remove_suffix(tail.size());
      compared = true;
    }
    parts.emplace_back(sentence);
  };
  for (const MetricRule& rule : policy.metrics) {
    const Reason* reason = most_telling(verdict.reasons, rule.metric);
    PAWL_CHECK(reason != nullptr);
    tell(reason->sentence);
  }
  for (const Reason& reason : verdict.reasons) {
    if (reason.check == Check::condition) tell(reason.sentence);
  }
  const std::string headline = join(parts, "; ") + (compared ? tail : "") + but;
  const bool spent = std::any_of(verdict.reasons.begin(), verdict.reasons.end(), [](const Reason& reason) {
    return reason.check == Check::test_set && reason.status != Status::pass;
  });
  return spent ? headline + "; the test set is used up" : headline;
}

}  // namespace

std::string_view to_string(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::pass:
      return "PASS";
    case VerdictKind::inconclusive:
      return "INCONCLUSIVE";
    case VerdictKind::no_baseline:
      return "NO_BASELINE";
    case VerdictKind::error:
      return "ERROR";
    case VerdictKind::fail:
      return "FAIL";
  }
  return "ERROR";
}

int exit_code(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::pass:
      return 0;
    case VerdictKind::fail:
      return 1;
    case VerdictKind::error:
      return 3;
    case VerdictKind::inconclusive:
    case VerdictKind::no_baseline:
      return 4;
  }
  return 3;
}

std::string_view to_string(Check check) {
  switch (check) {
    case Check::finding:
      return "finding";
    case Check::stage:
      return "stage";
    case Check::output:
      return "output";
    case Check::metric:
      return "metric";
    case Check::baseline:
      return "baseline";
    case Check::floor:
      return "floor";
    case Check::ceiling:
      return "ceiling";
    case Check::max_drop:
      return "max_drop";
    case Check::paired:
      return "paired";
    case Check::seeds:
      return "seeds";
    case Check::slices:
      return "slices";
    case Check::sustained:
      return "sustained";
    case Check::condition:
      return "condition";
    case Check::test_set:
      return "test_set";
    case Check::disjoint_from:
      return "disjoint_from";
  }
  return "metric";
}

std::string_view to_string(Status status) {
  switch (status) {
    case Status::pass:
      return "pass";
    case Status::not_judged:
      return "not_judged";
    case Status::bootstrap:
      return "bootstrap";
    case Status::waived:
      return "waived";
    case Status::inconclusive:
      return "inconclusive";
    case Status::no_baseline:
      return "no_baseline";
    case Status::error:
      return "error";
    case Status::fail:
      return "fail";
  }
  return "error";
}

Verdict refuse_overlap(std::string dataset, std::string sentence) {
  Verdict verdict;
  verdict.kind = VerdictKind::fail;
  verdict.headline = sentence;
  verdict.reasons.push_back(
      plain_reason(Check::disjoint_from, Status::fail, std::move(dataset), std::move(sentence)));
  return verdict;
}

bool is_waived(const Verdict& verdict) {
  if (verdict.kind != VerdictKind::pass) return false;
  return std::any_of(verdict.reasons.begin(), verdict.reasons.end(),
                     [](const Reason& reason) { return reason.status == Status::waived; });
}

const Reason* most_telling(const std::vector<Reason>& reasons, std::string_view subject) {
  const Reason* best = nullptr;
  for (const Reason& reason : reasons) {
    if (!subject.empty() && reason.subject != subject) continue;
    const auto rank = [](const Reason& r) {
      // What is only told about slices is no news of the metric.
      const Status status =
          r.check == Check::slices && r.status == Status::not_judged ? Status::pass : r.status;
      return std::tuple(status, r.slice.empty(), weight(r.check));
    };
    if (best == nullptr || rank(reason) > rank(*best)) best = &reason;
  }
  return best;
}

Verdict judge(const Policy& policy, const Inputs& inputs, const ParallelFor& parallel_for) {
  Verdict verdict;
  add_failures(inputs, verdict.reasons);
  waive_failures(inputs, verdict.reasons);
  const std::size_t failures = verdict.reasons.size();
  add_metrics(policy, inputs, parallel_for, verdict.reasons);
  correct_for_many(verdict.reasons);
  add_conditions(policy, inputs, verdict);
  apply_waivers(std::span(verdict.reasons).subspan(failures), inputs.waivers, inputs.now_unix_ms);
  if (inputs.baseline) verdict.baseline = inputs.baseline->run;
  verdict.kind = VerdictKind::pass;
  for (const Reason& reason : verdict.reasons) verdict.kind = std::max(verdict.kind, kind_of(reason.status));
  verdict.headline =
      verdict.kind == VerdictKind::pass ? green_headline(policy, verdict) : red_headline(verdict.reasons);
  return verdict;
}

}  // namespace pawl::gate
