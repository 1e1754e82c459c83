// The verdict on a run: values in, values out, the same for `pawl run` and `pawl serve`.
//
// Everything is judged closed: what is missing, unreadable, not a number or not comparable is red, each with
// its own reason. Red is red, but the kind says whose turn it is, so of several reasons the worst gives the
// kind:
//
//   FAIL         a rule fired, a stage failed, or the model is worse than allowed. Certain by itself: nothing
//                that another reason leaves open could make the run green.
//   ERROR        something the judgement needs is missing or broken.
//   NO_BASELINE  there is nothing to compare with, or it is another test set.
//   INCONCLUSIVE everything is there; a strict test could not show that the model is not worse, or a
//                condition has no answer on this test set.
//   PASS         nothing is red, or only what a waiver covers (waivers.h); the headline says so.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/gate/active_labels.h"
#include "engine/gate/evaluation.h"
#include "engine/gate/green_run.h"
#include "engine/gate/metrics.h"
#include "engine/gate/paired.h"
#include "engine/gate/parallel_for.h"
#include "engine/gate/policy.h"
#include "engine/gate/test_ledger.h"
#include "engine/gate/waivers.h"

namespace pawl::gate {

enum class VerdictKind { pass, inconclusive, no_baseline, error, fail };  // from good to bad

std::string_view to_string(VerdictKind kind);  // "PASS", "NO_BASELINE", ...
int exit_code(VerdictKind kind);               // 0 PASS, 1 FAIL, 3 ERROR, 4 NO_BASELINE and INCONCLUSIVE

// Of one metric, after one of several trainings.
struct SeedValue {
  std::int64_t seed = 0;
  std::optional<double> value;  // nullopt: it is not among the metrics of that seed

  bool operator==(const SeedValue&) const = default;
};

// What a model left behind. A file is named as in the stage's outputs ("predictions.csv").
struct Evidence {
  std::vector<Metric> metrics;
  std::map<std::string, EvaluationVector> vectors;
  std::map<std::string, std::string> unreadable;  // file -> what is wrong with it, with the place
  std::string stage = {};                         // that left it
  std::string evaluator = {};                     // digest of what scored the model; empty: not known
  // By metric, when the stage was run with several seeds (seed_evidence.h).
  std::map<std::string, std::vector<SeedValue>> by_seed = {};

  bool operator==(const Evidence&) const = default;
};

// A finding of severity fail, or a required rule that could not be evaluated (then without a place).
struct Finding {
  std::string rule;
  std::optional<std::int64_t> step;
  std::optional<std::int64_t> rank;
  std::string tensor;
  std::string message;
  std::string stage = "";  // in which it fired
};

// A stage that was to be watched and left no trace, so that no rule could look at anything.
struct Unwatched {
  std::string stage;
  std::string why;
  std::string rule = "";  // only this one was asked for and could not look; empty: none could
};

struct StageFailure {
  std::string stage;
  std::string message;          // "exit code 1", "timed out after 10m"
  bool infrastructure = false;  // not the user's program but what runs it
  bool only_rules = false;      // it ran to its end and would have succeeded but for its findings
  bool evaluator = false;       // it only measures: that it failed says nothing of the model
};

// The run that was compared with.
struct BaselineRun {
  std::string id;
  std::int64_t number = 0;  // 0: it has none, people are told the id
  std::string commit;
  std::string branch;
  std::int64_t finished_unix_ms = 0;
  std::string note = "";  // what is special about it: "pinned", "3 commits before the merge base"

  bool operator==(const BaselineRun&) const = default;
};

struct Baseline {
  BaselineRun run;
  Evidence evidence;
  // When it was measured otherwise than the candidate: why its model could not be scored again.
  std::string not_rescored = {};
};

struct Inputs {
  Evidence evidence;                  // of the stage that is judged
  std::vector<Finding> findings;      // in the order in which they fired
  std::vector<StageFailure> stages;   // those that did not succeed, in the order of the pipeline
  std::vector<Unwatched> unwatched;   // when no stage at all was watched: those that were to be
  std::optional<Baseline> baseline;   // as policy.baseline chose it
  std::string target_branch;          // as people are told of it
  bool target_was_ever_green = true;  // false allows policy.bootstrap
  std::map<std::string, Baseline> own_baselines = {};  // metric -> another baseline than the others'
  std::vector<GreenRun> past = {};                     // oldest first: what policy.sustained looks at
  std::vector<Waiver> waivers = {};  // of the run's project, branch and commit, in order of preference
  std::int64_t now_unix_ms = 0;      // whether they hold
  std::map<std::string, TestLedger> ledgers =
      {};  // of the test sets that conditions are judged on, by both digests of EvaluationVector
};

enum class Check {
  finding,
  stage,
  output,
  metric,
  baseline,
  floor,
  ceiling,
  max_drop,
  paired,
  seeds,
  slices,
  sustained,
  condition,
  test_set,
  disjoint_from
};
// not_judged, bootstrap and waived do not make a verdict worse than PASS.
enum class Status { pass, not_judged, bootstrap, waived, inconclusive, no_baseline, error, fail };

std::string_view to_string(Check check);
std::string_view to_string(Status status);

// One check and what came of it. Numbers are there as far as the check has them.
struct Reason {
  Check check = Check::metric;
  Status status = Status::pass;
  std::string subject;             // the metric; the rule of a finding; the stage; the file
  std::string slice;               // "lang=de"; empty: all examples
  std::optional<double> value;     // of the candidate
  std::optional<double> baseline;  // of the baseline
  std::optional<double> limit;     // the worst value that is still green; of a paired test: -margin
  std::optional<PairedCounts> counts;
  std::optional<Interval> interval;  // of the difference, candidate minus baseline, at `level`
  std::optional<double> level;
  std::string test;                  // of a paired test: which one
  std::optional<double> p_value;     // for no difference, one-sided: small when the candidate is worse
  std::optional<double> p_margin;    // for a drop within the margin: small when it is worse by more
  std::optional<double> p_adjusted;  // p_margin with Holm's correction for all lenient tests of the verdict
  std::string sentence;              // for a reviewer
  // That covers it or, of a red one, covered it until the waiver ended.
  std::optional<std::int64_t> waiver;
};

struct Verdict {
  VerdictKind kind = VerdictKind::error;
  std::string headline;         // the one sentence to read
  std::vector<Reason> reasons;  // findings, stages, then metrics in the order of the policy; passes too
  std::optional<BaselineRun> baseline;
  std::vector<NewTestUse> test_uses;   // to be recorded with the verdict, in this order
  std::vector<ToLabel> to_label = {};  // what reasons send the reader to, to be written beside the report
};

// Never fails: whatever is wrong with the inputs is a reason.
//
// A metric is judged only if every stage succeeded, or failed for nothing but rules that are all waived.
// ERROR, and nothing else of it is judged: it is missing or not finite, its direction is not the rule's, the
// predictions give another value (by more than 0.0005), or it turned from a share into percent or back since
// the baseline. With a baseline:
//   floor, ceiling: value < floor or > ceiling is FAIL.
//   max_drop: FAIL when the value is worse than the baseline's by more, up to rounding (1e-9 of the larger
//   one).
//   paired: the difference of the two models on the same examples (comparison.h), with an interval of level
//   1 - 2*alpha.
//     lenient: FAIL when the interval lies beyond the margin and, where several lenient tests are made,
//     Holm's correction still rejects: twenty slices must not make a good model red by chance. strict: PASS
//     when the interval lies within the margin, FAIL when beyond it, else INCONCLUSIVE; all tests must pass,
//     which needs no correction. Models that answer alike pass.
//   seeds: the values of several seeds against those of the baseline's (seed_judge.h).
//   slices: floor, max_drop and the paired test within each slice, on values taken from the predictions.
//   sustained: FAIL when the value is worse than the sustained best by more (sustained.h).
// max_drop, paired and slices need a comparable baseline: the same metric, over as many examples, on the same
// test set (as far as both runs left predictions), with the same slices. Without one NO_BASELINE, except that
// policy.bootstrap lets a run pass while the target branch was never green and there is no baseline at all;
// floors, ceilings, rules and stages hold then too. Conditions are judged as condition_judge.h says. A policy
// without metrics and conditions judges rules and stages only.
//
// `parallel_for` runs what takes long (resamples of a bootstrap, of 16 bytes for each example); the verdict
// is the same whoever does.
Verdict judge(const Policy& policy, const Inputs& inputs, const ParallelFor& parallel_for = serial_for);

// The verdict on a run that is not started, for examples of `dataset` are in a dataset that it has to be
// disjoint from: FAIL by `sentence`.
Verdict refuse_overlap(std::string dataset, std::string sentence);

// PASS, and only by a waiver.
bool is_waived(const Verdict& verdict);

// The worst reason about a subject (empty: about any), of several equally bad the one that says most: the
// cause before the consequence, by how much before that it is so. nullptr when there is none.
const Reason* most_telling(const std::vector<Reason>& reasons, std::string_view subject = {});

}  // namespace pawl::gate
