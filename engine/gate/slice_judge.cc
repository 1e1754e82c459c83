#include "engine/gate/slice_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/base/text.h"
#include "engine/gate/comparability.h"
#include "engine/gate/metric_judge.h"
#include "engine/gate/multiplicity.h"
#include "engine/gate/paired_reason.h"
#include "engine/gate/slice_comparison.h"
#include "engine/gate/slices.h"
#include "engine/gate/wording.h"

namespace pawl::gate {
namespace {

constexpr std::size_t kWorstSlices = 3;
constexpr std::size_t kNamedSmallSlices = 5;
constexpr std::int64_t kMinExamplesFound = 5;  // of a slice that nobody asked for; the test sees to the rest
constexpr double kFalseDiscoveryRate = 0.05;

class SliceJudge {
 public:
  SliceJudge(const MetricContext& context, std::vector<Reason>& out)
      : policy_(context.policy),
        rule_(context.rule),
        inputs_(context.inputs),
        baseline_(context.baseline),
        parallel_for_(context.parallel_for),
        out_(out),
        test_(rule_.paired.value_or(PairedTest())) {
    now_ = find_vector(inputs_.evidence, test_.predictions);
    if (baseline_ != nullptr) then_ = find_vector(baseline_->evidence, test_.predictions);
  }

  void run() {
    for (const SliceRule& slices : rule_.slices) judge(slices);
    if (tells_worst() && now_ != nullptr && then_ != nullptr) tell_worst();
  }

 private:
  void add(Status status, std::string slice, std::string sentence, Check check = Check::slices) {
    Reason reason = plain_reason(check, status, rule_.metric, std::move(sentence));
    reason.slice = std::move(slice);
    out_.push_back(std::move(reason));
  }

  static std::string name_of(const SliceRule& slices) { return slices.by.empty() ? slices.name : slices.by; }

  void judge(const SliceRule& slices) {
    if (now_ == nullptr) {
      const auto why = inputs_.evidence.unreadable.find(test_.predictions);
      const std::string problem = why != inputs_.evidence.unreadable.end()
                                      ? why->second
                                      : fmt::format("they need {}, which is missing", test_.predictions);
      return add(Status::error, name_of(slices),
                 fmt::format("{}, slices by {}: {}", rule_.metric, name_of(slices), problem));
    }
    auto slicing = slice(slices, *now_);
    if (!slicing) {
      return add(Status::error, name_of(slices),
                 fmt::format("{} by {}: {}", rule_.metric, name_of(slices), slicing.error().message()));
    }
    const bool comparable = can_compare(slices);
    const std::size_t all = slicing->names.size();
    const auto [judged, small] = split_by_size(*std::move(slicing), slices.min_examples);
    judge_each(slices, judged, comparable);
    if (!small.names.empty()) tell_small(slices, small, comparable, all);
  }

  // "lang=ch (12 examples, 0.9, was 1)"
  static std::string describe_small(const std::string& name, std::int64_t examples, const Result<double>& now,
                                    const Result<double>* then) {
    std::string out = fmt::format("{} ({} example{}", name, examples, examples == 1 ? "" : "s");
    if (now) out += ", " + format_number(*now);
    if (now && then != nullptr && *then) out += ", was " + format_number(**then);
    return out + ")";
  }

  // A slice that was asked for and cannot be judged is red; one among many values of a column is told.
  void tell_small(const SliceRule& slices, const Slicing& small, bool comparable, std::size_t all) {
    const std::size_t count = small.names.size();
    const auto now = values_of_slices(test_, *now_, small);
    const auto then = comparable ? values_of_slices(test_, *then_, small) : now;
    std::vector<std::string> told;
    for (std::size_t i = 0; i < std::min(count, kNamedSmallSlices); ++i) {
      told.push_back(describe_small(small.names[i], small.sizes[i], now[i], comparable ? &then[i] : nullptr));
    }
    if (count > kNamedSmallSlices) told.push_back("...");
    add(count == all ? Status::error : Status::not_judged, name_of(slices),
        fmt::format("{} by {}: {} of {} slices {} fewer than {} examples and {} not judged: {}", rule_.metric,
                    name_of(slices), count, all, count == 1 ? "has" : "have", slices.min_examples,
                    count == 1 ? "is" : "are", join(told, ", ")));
  }

  // Says why not, once for the rule.
  bool can_compare(const SliceRule& slices) {
    if (!slices.max_drop && !slices.margin) return false;
    if (baseline_ == nullptr) {
      // The metric's own reason says that there is no baseline, unless only its slices are compared.
      const bool said = rule_.max_drop || rule_.paired;
      const bool bootstrap = policy_.bootstrap && !inputs_.target_was_ever_green;
      if (!said) {
        add(bootstrap ? Status::bootstrap : Status::no_baseline, name_of(slices),
            fmt::format("{} by {} cannot be compared: {} has no baseline{}{}", rule_.metric, name_of(slices),
                        inputs_.target_branch, bootstrap ? "" : "; ",
                        bootstrap ? "" : advice_without_baseline(inputs_, nullptr)),
            Check::baseline);
      }
      return false;
    }
    std::string problem;
    if (then_ == nullptr) {
      problem = fmt::format("it left no {}", test_.predictions);
    } else if (const auto aligned = compare(*now_, *then_); !aligned) {
      problem = aligned.error().message();
    } else {
      problem = why_incomparable(rule_, inputs_.evidence, baseline_->evidence);
      if (problem.empty()) problem = slicing_problem(slices, *now_, *then_);
    }
    if (problem.empty()) return true;
    add(Status::no_baseline, name_of(slices),
        fmt::format("{} by {} cannot be compared with {}: {}; {}", rule_.metric, name_of(slices),
                    describe(baseline_->run), problem, advice_without_baseline(inputs_, baseline_)),
        Check::baseline);
    return false;
  }

  void judge_each(const SliceRule& slices, const Slicing& slicing, bool comparable) {
    PairedTest test = test_;
    if (slices.margin) test.margin = *slices.margin;
    std::vector<Result<double>> values;
    if (slices.floor) values = values_of_slices(test, *now_, slicing);
    std::vector<Result<Comparison>> compared;
    if (comparable) {
      compared = compare_slices(test, rule_.direction, *now_, *then_, slicing, parallel_for_);
    }
    for (std::size_t i = 0; i < slicing.names.size(); ++i) {
      const std::string metric = fmt::format("{} of {}", rule_.metric, slicing.names[i]);
      if (slices.floor) check_floor(*slices.floor, slicing.names[i], metric, values[i], slicing.sizes[i]);
      if (comparable) check_change(slices, slicing.names[i], metric, test, compared[i]);
    }
  }

  void check_change(const SliceRule& slices, const std::string& name, const std::string& metric,
                    const PairedTest& test, const Result<Comparison>& comparison) {
    if (!comparison)
      return add(Status::error, name, fmt::format("{}: {}", metric, comparison.error().message()));
    if (slices.max_drop) check_max_drop(*slices.max_drop, name, metric, *comparison);
    if (!slices.margin) return;
    Reason reason = paired_reason(test, rule_.metric, *comparison, test.margin,
                                  describe_change(metric, comparison->baseline, comparison->candidate), "",
                                  describe(baseline_->run));
    reason.slice = name;
    reason.value = comparison->candidate;
    reason.baseline = comparison->baseline;
    out_.push_back(std::move(reason));
  }

  void check_floor(double floor, const std::string& name, const std::string& metric,
                   const Result<double>& value, std::int64_t examples) {
    if (!value) return add(Status::error, name, fmt::format("{}: {}", metric, value.error().message()));
    const bool holds = *value >= floor;
    const auto [shown, bound] = format_numbers(*value, floor);
    add(holds ? Status::pass : Status::fail, name,
        fmt::format(
            "{} {} is {} the floor {}{}", metric, shown, holds ? "not below" : "below", bound,
            test_.of == PairedTest::Of::accuracy
                ? describe_share(std::llround(*value * static_cast<double>(examples)), examples, test_.alpha)
                : ""),
        Check::floor);
    out_.back().value = *value;
    out_.back().limit = floor;
  }

  void check_max_drop(double max_drop, const std::string& name, const std::string& metric,
                      const Comparison& comparison) {
    const Direction direction =
        lower_is_better(test_, rule_.direction) ? Direction::lower : Direction::higher;
    const Drop drop = drop_of(direction, comparison.candidate, comparison.baseline, max_drop, false);
    add(drop.holds ? Status::pass : Status::fail, name,
        fmt::format("{} (limit {}, {} examples) against {}",
                    describe_change(metric, comparison.baseline, comparison.candidate),
                    format_number(drop.limit), comparison.n, describe(baseline_->run)),
        Check::max_drop);
    out_.back().value = comparison.candidate;
    out_.back().baseline = comparison.baseline;
    out_.back().limit = drop.limit;
  }

  // The first metric with a paired test on a file tells of that file's slices.
  bool tells_worst() const {
    for (const MetricRule& rule : policy_.metrics) {
      if (rule.paired && rule.paired->predictions == test_.predictions) return &rule == &rule_;
    }
    return false;
  }

  struct Found {
    std::string name;
    Comparison comparison;
  };

  // Found by themselves, so that many were looked at: Benjamini-Hochberg decides which are worth a word.
  void tell_worst() {
    if (!compare(*now_, *then_)) return;
    std::vector<Found> found;
    for (const SliceRule& slices : possible_slicings(*now_)) {
      auto slicing = slice(slices, *now_);
      if (!slicing || !slicing_problem(slices, *now_, *then_).empty()) continue;
      const Slicing looked_at = split_by_size(*std::move(slicing), kMinExamplesFound).first;
      PairedTest test = test_;
      test.of = PairedTest::Of::accuracy;
      auto compared = compare_slices(test, rule_.direction, *now_, *then_, looked_at);
      for (std::size_t i = 0; i < compared.size(); ++i) {
        if (compared[i]) found.push_back({looked_at.names[i], *std::move(compared[i])});
      }
    }
    std::vector<double> p;
    for (const Found& slice : found) p.push_back(slice.comparison.p_worse);
    const std::vector<double> adjusted = benjamini_hochberg_adjusted(p);
    std::vector<Found> worse;
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (adjusted[i] <= kFalseDiscoveryRate) worse.push_back(std::move(found[i]));
    }
    if (worse.empty()) return;
    std::sort(worse.begin(), worse.end(), [](const Found& a, const Found& b) {
      return a.comparison.difference() < b.comparison.difference();
    });
    std::vector<std::string> told;
    for (std::size_t i = 0; i < std::min(worse.size(), kWorstSlices); ++i) {
      const Comparison& c = worse[i].comparison;
      told.push_back(
          fmt::format("{} ({:+.1f} points of {} examples)", worse[i].name, 100 * c.difference(), c.n));
    }
    add(Status::not_judged, "",
        fmt::format(
            "slices in which fewer answers are right than in {}: {}{}", describe(baseline_->run),
            join(told, ", "),
            worse.size() > told.size() ? fmt::format(" and {} more", worse.size() - told.size()) : ""));
  }

  const Policy& policy_;
  const MetricRule& rule_;
  const Inputs& inputs_;
  const Baseline* const baseline_;
  const ParallelFor& parallel_for_;
  std::vector<Reason>& out_;
  const PairedTest test_;
  const EvaluationVector* now_ = nullptr;
  const EvaluationVector* then_ = nullptr;
};

}  // namespace

void judge_slices(const MetricContext& context, std::vector<Reason>& out) {
  SliceJudge(context, out).run();
}

}  // namespace pawl::gate
