// pawl bisect: the commit that lowered a metric, found by training commits between a good and a bad one.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/project_name.h"
#include "engine/cli/trials.h"
#include "engine/gate/bisection.h"
#include "engine/gate/wording.h"

namespace pawl::cli {
namespace {

struct Step {
  std::size_t commit = 0;  // among those after the good end
  int64_t run = 0;
  bool reused = false;
  std::string problem;  // why the commit was skipped; empty: it was measured
  gate::SideOfDrop side = {};
};

constexpr int kSeveralLeft = 1;
constexpr int kNotWorse = 4;

class Bisect {
 public:
  Bisect(const Global& global, const BisectOptions& options)
      : global_(global), options_(options), repository_(options.path) {}

  Result<int> run() {
    PAWL_ASSIGN(project_, project_name(options_.project, repository_));
    PAWL_ASSIGN(trials_, Trials::open(global_.home, options_.quiet || global_.json));
    PAWL_RETURN_IF_ERROR(find_line());
    PAWL_RETURN_IF_ERROR(find_rule());
    PAWL_ASSIGN(good_, end(good_commit_, "GOOD"));
    PAWL_ASSIGN(bad_, end(line_.back().sha, "BAD"));
    auto drop = gate::measure_drop(rule_, bad_.evidence, good_.evidence);
    if (!drop.ok()) return std::move(drop).error().wrap("GOOD and BAD cannot be compared");
    drop_ = *drop;
    if (!drop_.sure) return report_not_worse();
    tell(fmt::format("{}: {} commits between, at most {} trainings\n", describe_drop(), line_.size() - 1,
                     gate::Bisection(line_.size()).steps_left()));
    PAWL_RETURN_IF_ERROR(search());
    return report();
  }

 private:
  // To people who watch; the result goes to standard output.
  void tell(const std::string& line) const {
    if (!global_.json) std::fputs(sanitize_for_terminal(line).c_str(), stderr);
  }

  // A revision or, when there is none of that name, a run.
  Result<std::string> commit_named(const std::string& name) {
    auto commit = repository_.resolve(name);
    if (commit.ok()) return commit;
    auto run = store::look_up_run(trials_->db(), name);
    if (run.ok() && repository_.has_commit(run->commit_sha)) return run->commit_sha;
    return std::move(commit).error().wrap(fmt::format("'{}' is neither a commit nor a run", name));
  }

  Result<void> find_line() {
    const std::size_t dots = options_.range.find("..");
    if (dots == 0 || dots == std::string::npos || dots + 2 == options_.range.size() ||
        options_.range[dots + 2] == '.')
      return Error(ErrorCode::usage, fmt::format("write GOOD..BAD, not '{}'", options_.range));
    PAWL_ASSIGN(good_commit_, commit_named(options_.range.substr(0, dots)));
    PAWL_ASSIGN(const std::string bad, commit_named(options_.range.substr(dots + 2)));
    PAWL_ASSIGN(line_, repository_.first_parents(good_commit_, bad));
    if (line_.empty()) return Error(ErrorCode::usage, "GOOD and BAD are the same commit");
    return {};
  }

  // The gate's rule for the metric; the folders and versions of the datasets as they are now.
  Result<void> find_rule() {
    PAWL_ASSIGN(const pipeline::Pipeline pipeline,
                trial_pipeline(repository_, line_.back().sha, options_.target));
    policy_ = pipeline.gate;
    std::vector<std::string> names;
    const gate::MetricRule* found = nullptr;
    for (const gate::MetricRule& rule : policy_.metrics) {
      names.push_back(rule.metric);
      const bool compared = rule.paired || rule.max_drop;
      const bool wanted = options_.metric.empty() ? compared : options_.metric == rule.metric;
      if (wanted && found == nullptr) found = &rule;
    }
    if (found == nullptr) {
      const std::string meant = did_you_mean(options_.metric, names);
      return Error(ErrorCode::usage,
                   options_.metric.empty()
                       ? "the gate compares no metric: name one with --metric"
                       : fmt::format("the gate knows no metric '{}'{}", options_.metric,
                                     meant.empty() ? "" : "; did you mean '" + meant + "'?"));
    }
    rule_ = *found;
    return find_data(pipeline);
  }

  Result<void> find_data(const pipeline::Pipeline& pipeline) {
    trigger::StatCache cache;
    for (const pipeline::Dataset& dataset : pipeline.data) {
      const auto given = options_.data.find(dataset.name);
      std::string path = given != options_.data.end() ? given->second : dataset.path;
      if (given != options_.data.end()) {
        PAWL_ASSIGN(path, absolute_path(path));
        data_[dataset.name] = path;
      }
      if (!path.starts_with('/')) continue;  // it lies in the repository
      auto version = trigger::scan_data({path, dataset.include, dataset.exclude}, cache);
      if (!version.ok()) return std::move(version).error().wrap(fmt::format("dataset '{}'", dataset.name));
      versions_[dataset.name] = version->digest;
    }
    return {};
  }

  Result<Measurement> measure(const std::string& commit) {
    core::Trial trial;
    trial.project = project_;
    trial.target = options_.target;
    trial.commit = commit;
    trial.asked_by = "bisect";
    trial.note = fmt::format("pawl bisect {}", options_.range);
    PAWL_ASSIGN(trial.repository, repository_.git_dir());
    trial.data = data_;
    trial.versions = versions_;
    return trials_->measure(trial, policy_);
  }

  Result<Measurement> end(const std::string& commit, const std::string& name) {
    tell(fmt::format("measuring {}, commit {}\n", name, commit.substr(0, 10)));
    PAWL_ASSIGN(Measurement out, measure(commit));
    if (out.problem.empty()) return out;
    return Error(ErrorCode::unavailable,
                 fmt::format("{} was not measured, run {}: {}", name, out.run.number, out.problem));
  }

  Result<void> search() {
    gate::Bisection bisection(line_.size());
    while (const auto next = bisection.next()) {
      const trigger::Commit& commit = line_[*next];
      tell(fmt::format("step {}, at most {} left: commit {} {}\n", steps_.size() + 1, bisection.steps_left(),
                       commit.sha.substr(0, 10), commit.subject));
      PAWL_ASSIGN(const Measurement measured, measure(commit.sha));
      Step step{*next, measured.run.number, measured.reused, measured.problem};
      if (step.problem.empty()) {
        auto side = gate::side_of_drop(rule_, measured.evidence, good_.evidence, drop_.worse_by);
        if (side.ok()) {
          step.side = *side;
        } else {
          step.problem = side.error().to_string();
        }
      }
      if (!step.problem.empty()) {
        bisection.skip(*next);
      } else if (step.side.bad) {
        bisection.mark_bad(*next);
      } else {
        bisection.mark_good(*next);
      }
      tell(describe(step) + "\n");
      steps_.push_back(std::move(step));
    }
    suspects_ = bisection.suspects();
    return {};
  }

  std::string describe(const Step& step) const {
    const std::string where = fmt::format("  run {}{}: ", step.run, step.reused ? ", which was there" : "");
    if (!step.problem.empty()) return where + "skipped: " + step.problem;
    std::string out = where + fmt::format("{} {}, {}", rule_.metric, gate::format_number(step.side.value),
                                          step.side.bad ? "bad" : "good");
    if (step.side.p_value) {
      out += step.side.sure ? fmt::format(" (p {:.2g})", *step.side.p_value)
                            : fmt::format(", but it may be chance (p {:.2g})", *step.side.p_value);
    }
    return out;
  }

  std::string describe_drop() const {
    return gate::describe_change(rule_.metric, drop_.good, drop_.bad) +
           (drop_.p_value ? fmt::format(" (p {:.2g})", *drop_.p_value) : "");
  }

  Result<int> report_not_worse() const {
    const std::string sentence =
        describe_drop() + ": BAD is not worse than GOOD beyond chance, there is nothing to find";
    if (global_.json) {
      print_json(
          {{"found", false}, {"metric", rule_.metric}, {"sentence", sentence}, {"steps", Json::array()}});
    } else {
      print(sentence + "\n");
    }
    return kNotWorse;
  }

  bool sure() const {
    return suspects_.size() == 1 && std::all_of(steps_.begin(), steps_.end(), [](const Step& step) {
             return !step.problem.empty() || step.side.sure || !step.side.p_value;
           });
  }

  std::string sentence() const {
    if (suspects_.size() > 1) {
      return fmt::format("{} with one of these {} commits: those before the last could not be measured",
                         describe_drop(), suspects_.size());
    }
    const trigger::Commit& commit = line_[suspects_.front()];
    return fmt::format("{} with commit {} ({}){}", describe_drop(), commit.sha.substr(0, 10), commit.subject,
                       sure() ? "" : "; a step on the way was too close to call");
  }

  Result<int> report() const {
    if (global_.json) {
      print_json(document());
    } else {
      std::string out = sentence() + "\n";
      for (const std::size_t i : suspects_) {
        const trigger::Commit& commit = line_[i];
        out += fmt::format("{}  {}  {}\n", commit.sha, commit.author, commit.subject);
      }
      print(sanitize_lines(out));
    }
    return suspects_.size() == 1 ? 0 : kSeveralLeft;
  }

  static std::string sanitize_lines(const std::string& text) {
    std::string out;
    for (std::string_view line : split(text, '\n')) out += sanitize_for_terminal(line) + "\n";
    out.pop_back();
    return out;
  }

  Json document() const {
    Json suspects = Json::array();
    for (const std::size_t i : suspects_) {
      suspects.push_back(
          {{"commit", line_[i].sha}, {"author", line_[i].author}, {"subject", line_[i].subject}});
    }
    Json steps = Json::array();
    for (const Step& step : steps_) {
      Json one = {{"commit", line_[step.commit].sha}, {"run", step.run}, {"reused", step.reused}};
      if (!step.problem.empty()) {
        one["skipped"] = step.problem;
      } else {
        one["value"] = step.side.value;
        one["bad"] = step.side.bad;
        if (step.side.p_value) one["p_value"] = *step.side.p_value;
        if (step.side.p_value) one["sure"] = step.side.sure;
      }
      steps.push_back(std::move(one));
    }
    Json out = {{"found", suspects_.size() == 1},
                {"sure", sure()},
                {"metric", rule_.metric},
                {"good", {{"commit", good_commit_}, {"run", good_.run.number}, {"value", drop_.good}}},
                {"bad", {{"commit", line_.back().sha}, {"run", bad_.run.number}, {"value", drop_.bad}}},
                {"suspects", std::move(suspects)},
                {"steps", std::move(steps)},
                {"sentence", sentence()}};
    if (drop_.p_value) out["p_value"] = *drop_.p_value;
    return out;
  }

  const Global& global_;
  const BisectOptions& options_;
  const trigger::Repository repository_;
  std::unique_ptr<Trials> trials_;
  std::string project_;
  std::string good_commit_;
  std::vector<trigger::Commit> line_;  // after the good end, the bad end last
  gate::Policy policy_;
  gate::MetricRule rule_;
  std::map<std::string, std::string> data_;  // folders that were given
  core::DataDigests versions_;
  Measurement good_;
  Measurement bad_;
  gate::MeasuredDrop drop_;
  std::vector<Step> steps_;
  std::vector<std::size_t> suspects_;
};

}  // namespace

int bisect(const Global& global, const BisectOptions& options) {
  auto result = Bisect(global, options).run();
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
