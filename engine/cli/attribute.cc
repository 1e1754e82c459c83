// pawl attribute: how much of a change came from the code and how much from the data.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/trials.h"
#include "engine/gate/attribution.h"
#include "engine/gate/wording.h"
#include "engine/store/data.h"
#include "engine/store/verdicts.h"

namespace pawl::cli {
namespace {

struct Side {
  store::Run run;
  core::DataDigests data;
  pipeline::Pipeline pipeline;  // of its commit
};

// "code", "data", "code and data"; empty: neither.
std::string what_changed(const Side& before, const Side& now) {
  const bool code = before.run.commit_sha != now.run.commit_sha;
  const bool data = before.data != now.data;
  return code && data ? "code and data" : code ? "code" : data ? "data" : "";
}

// In quotes. A dataset that only one of them has comes with the code.
std::vector<std::string> changed_datasets(const Side& before, const Side& now) {
  std::vector<std::string> out;
  for (const auto& [dataset, digest] : now.data) {
    const auto old = before.data.find(dataset);
    if (old != before.data.end() && old->second != digest) out.push_back("'" + dataset + "'");
  }
  return out;
}

class Attribute {
 public:
  Attribute(const Global& global, const AttributeOptions& options)
      : global_(global), options_(options), repository_(options.path) {}

  Result<int> run() {
    PAWL_ASSIGN(trials_, Trials::open(global_.home, options_.quiet || global_.json));
    PAWL_RETURN_IF_ERROR(find_sides());
    policy_ = now_.pipeline.gate;
    if (policy_.metrics.empty())
      return Error(ErrorCode::usage, "the gate looks at no metric: there is nothing to attribute");
    changed_ = what_changed(before_, now_);
    PAWL_RETURN_IF_ERROR(measure());
    PAWL_RETURN_IF_ERROR(attribute());
    global_.json ? print_json(document()) : print(text());
    return 0;
  }

 private:
  Result<Side> side(const std::string& name) {
    Side out;
    PAWL_ASSIGN(out.run, store::look_up_run(trials_->db(), name));
    PAWL_ASSIGN(const bool whole, core::ran_to_its_end(trials_->db(), out.run));
    if (!whole) {
      return Error(ErrorCode::invalid,
                   fmt::format("run {} did not measure anything: {}", out.run.number, out.run.headline));
    }
    if (!repository_.has_commit(out.run.commit_sha)) {
      return Error(ErrorCode::not_found,
                   fmt::format("has no commit {} of run {}: name a clone that has it with --path",
                               out.run.commit_sha.substr(0, 10), out.run.number),
                   options_.path);
    }
    PAWL_ASSIGN(out.data, core::data_used(trials_->db(), trials_->home(), out.run));
    PAWL_ASSIGN(out.pipeline, trial_pipeline(repository_, out.run.commit_sha, out.run.target));
    return out;
  }

  Result<void> find_sides() {
    PAWL_ASSIGN(now_, side(options_.run));
    std::string against = options_.against;
    if (against.empty()) {
      PAWL_ASSIGN(const auto verdict, store::verdict_of(trials_->db(), now_.run.id));
      if (!verdict || !verdict->baseline_run) {
        return Error(
            ErrorCode::not_found,
            fmt::format("run {} was compared with no other: name one with --against", now_.run.number));
      }
      against = *verdict->baseline_run;
    }
    PAWL_ASSIGN(before_, side(against));
    return {};
  }

  // The four trainings; what did not change is not trained twice.
  Result<void> measure() {
    PAWL_ASSIGN(cells_[0][0], trials_->read(before_.run, policy_));
    PAWL_ASSIGN(cells_[1][1], trials_->read(now_.run, policy_));
    if (changed_ != "code and data") {
      cells_[1][0] = changed_ == "code" ? cells_[1][1] : cells_[0][0];
      cells_[0][1] = changed_ == "code" ? cells_[0][0] : cells_[1][1];
      return {};
    }
    // Before the first training, so that nobody waits for one in vain.
    PAWL_ASSIGN(const core::Trial new_code, trial_of(now_, before_, "the new code with the old data"));
    PAWL_ASSIGN(const core::Trial old_code, trial_of(before_, now_, "the old code with the new data"));
    PAWL_ASSIGN(cells_[1][0], train(new_code));
    PAWL_ASSIGN(cells_[0][1], train(old_code));
    return {};
  }

  // A dataset that only one of them has cannot be taken from the other.
  static core::DataDigests versions_for(const Side& code, const Side& data) {
    core::DataDigests out = code.data;
    for (auto& [dataset, digest] : out) {
      if (const auto it = data.data.find(dataset); it != data.data.end()) digest = it->second;
    }
    return out;
  }

  Result<core::Trial> trial_of(const Side& code, const Side& data, const std::string& what) {
    core::Trial trial;
    trial.project = now_.run.project;
    trial.target = now_.run.target;
    trial.commit = code.run.commit_sha;
    trial.asked_by = "attribute";
    trial.note = fmt::format("pawl attribute {}: {}", now_.run.number, what);
    PAWL_ASSIGN(trial.repository, repository_.git_dir());
    trial.versions = versions_for(code, data);
    for (const auto& [dataset, folder] : options_.data) {
      PAWL_ASSIGN(trial.data[dataset], absolute_path(folder));
    }
    PAWL_ASSIGN(const auto known, core::find_measured(trials_->db(), trials_->home(), trial.project,
                                                      trial.commit, trial.versions));
    if (!known) PAWL_RETURN_IF_ERROR(find_data(code, trial));
    return trial;
  }

  // Puts the folder that has the version of each dataset into `trial`; the run looks for kept copies itself.
  Result<void> find_data(const Side& code, core::Trial& trial) {
    for (const pipeline::Dataset& dataset : code.pipeline.data) {
      const auto version = trial.versions.find(dataset.name);
      if (version == trial.versions.end()) continue;  // it lies in the repository
      core::WantedVersion wanted{trial.project, dataset.name, version->second, {}};
      const auto given = trial.data.find(dataset.name);
      wanted.places.push_back(
          {given != trial.data.end() ? given->second : dataset.path, dataset.include, dataset.exclude});
      for (const Side* side : {&now_, &before_}) {
        PAWL_ASSIGN(const auto used, store::data_of(trials_->db(), side->run.id));
        for (const store::RunData& data : used) {
          if (data.dataset == dataset.name)
            wanted.places.push_back({data.path, dataset.include, dataset.exclude});
        }
      }
      PAWL_ASSIGN(const core::FoundVersion found, core::find_version(trials_->db(), trials_->cas(), wanted));
      if (!found.kept) trial.data[dataset.name] = found.folder;
    }
    return {};
  }

  Result<Measurement> train(const core::Trial& trial) {
    PAWL_ASSIGN(Measurement out, trials_->measure(trial, policy_));
    if (out.problem.empty()) return out;
    return Error(ErrorCode::unavailable,
                 fmt::format("run {} ({}) measured nothing: {}", out.run.number, trial.note, out.problem));
  }

  Result<void> attribute() {
    const gate::FourTrainings four = {
        {{&cells_[0][0].evidence, &cells_[0][1].evidence}, {&cells_[1][0].evidence, &cells_[1][1].evidence}}};
    for (const gate::MetricRule& rule : policy_.metrics) {
      PAWL_ASSIGN(auto found, gate::attribute(rule, four, options_.alpha));
      found_.push_back(std::move(found));
    }
    for (const gate::MetricRule& rule : policy_.metrics) {
      if (rule.paired && test_sets(rule.paired->predictions) > 1) several_test_sets_ = true;
    }
    other_evaluator_ = cells_[0][0].evidence.evaluator != cells_[1][1].evidence.evaluator;
    return {};
  }

  std::size_t test_sets(const std::string& file) const {
    std::set<std::string> digests;
    for (const auto& row : cells_) {
      for (const Measurement& cell : row) {
        if (const auto it = cell.evidence.vectors.find(file); it != cell.evidence.vectors.end())
          digests.insert(it->second.testset);
      }
    }
    return digests.size();
  }

  // What the numbers do not say.
  std::vector<std::string> notes() const {
    std::vector<std::string> out;
    if (changed_.empty()) out.push_back("neither the code nor the data changed: what differs is chance");
    if (changed_ == "code") out.push_back("only the code changed: all of it is the code's");
    if (changed_ == "data") out.push_back("only the data changed: all of it is the data's");
    if (const auto datasets = changed_datasets(before_, now_); datasets.size() > 1) {
      out.push_back(fmt::format(
          "{} datasets changed, {}: the effect of the data is one number for all of them together",
          datasets.size(), join(datasets, ", ")));
    }
    if (several_test_sets_)
      out.push_back(
          "the data has another test set too: the effect of the data is that of the training data and "
          "of the test set together");
    if (other_evaluator_)
      out.push_back("the code scores in another way too: the effect of the code has that in it");
    const bool intervals = std::any_of(found_.begin(), found_.end(),
                                       [](const auto& found) { return found.no_interval.empty(); });
    if (intervals)
      out.push_back(
          "the intervals say what the choice of test examples explains, not what another seed would "
          "have given");
    return out;
  }

  std::string text() const {
    std::string out = fmt::format("run {} (commit {}) against run {} (commit {})\n", now_.run.number,
                                  now_.run.commit_sha.substr(0, 7), before_.run.number,
                                  before_.run.commit_sha.substr(0, 7));
    for (const gate::Attribution& found : found_) {
      const auto cell = [&](int code, int data) {
        return Cell{fmt::format("{} (run {})", gate::format_number(found.values[code][data]),
                                cells_[code][data].run.number)};
      };
      out += "\n" +
             render_table({found.metric, "old data", "new data"},
                          {{{"old code"}, cell(0, 0), cell(0, 1)}, {{"new code"}, cell(1, 0), cell(1, 1)}});
      out += gate::describe(found, options_.alpha) + "\n";
      if (!found.no_interval.empty())
        out += "no intervals: " + sanitize_for_terminal(found.no_interval) + "\n";
    }
    out += "\n";
    for (const std::string& note : notes()) out += note + "\n";
    return out;
  }

  Json document() const {
    Json metrics = Json::array();
    const auto effect = [](const gate::Effect& e) {
      Json out = {{"change", e.change}};
      if (e.interval) out["interval"] = {e.interval->low, e.interval->high};
      return out;
    };
    for (const gate::Attribution& found : found_) {
      Json one = {{"metric", found.metric},
                  {"values", found.values},
                  {"total", effect(found.total)},
                  {"code", effect(found.code)},
                  {"data", effect(found.data)},
                  {"interaction", effect(found.interaction)},
                  {"sentence", gate::describe(found, options_.alpha)}};
      if (!found.no_interval.empty()) one["no_interval"] = found.no_interval;
      metrics.push_back(std::move(one));
    }
    Json runs = Json::array();
    for (const auto& row : cells_) {
      Json numbers = Json::array();
      for (const Measurement& cell : row) numbers.push_back(cell.run.number);
      runs.push_back(std::move(numbers));
    }
    return {{"run", now_.run.number},  {"against", before_.run.number},
            {"changed", changed_},     {"level", 1 - 2 * options_.alpha},
            {"runs", std::move(runs)}, {"metrics", std::move(metrics)},
            {"notes", notes()}};
  }

  const Global& global_;
  const AttributeOptions& options_;
  const trigger::Repository repository_;
  std::unique_ptr<Trials> trials_;
  Side before_;
  Side now_;
  gate::Policy policy_;
  std::string changed_;
  std::array<std::array<Measurement, 2>, 2> cells_;  // by [code][data], 0 old and 1 new
  std::vector<gate::Attribution> found_;
  bool several_test_sets_ = false;
  bool other_evaluator_ = false;
};

}  // namespace

int attribute(const Global& global, const AttributeOptions& options) {
  auto result = Attribute(global, options).run();
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
