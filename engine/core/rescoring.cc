#include "engine/core/rescoring.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/files.h"
#include "engine/core/evaluation_identity.h"
#include "engine/core/evidence.h"
#include "engine/core/trial.h"
#include "engine/gate/comparability.h"

namespace pawl::core {
namespace {

constexpr std::string_view kSuffix = "@baseline";

std::map<std::string, std::string> testsets_of(const gate::Evidence& evidence) {
  std::map<std::string, std::string> out;
  for (const auto& [file, vector] : evidence.vectors) out[file] = vector.testset;
  return out;
}

class Rescorer {
 public:
  Rescorer(const RescoringQuery& query, const gate::Policy& policy, gate::Inputs& inputs)
      : query_(query),
        policy_(policy),
        inputs_(inputs),
        baseline_(*inputs.baseline),
        cas_(query.cas),
        name_(rescoring_name(inputs.evidence.stage)) {}

  Result<Rescoring> run() {
    const auto spec = std::find_if(query_.plan.stages.begin(), query_.plan.stages.end(),
                                   [&](const auto& stage) { return stage.name == inputs_.evidence.stage; });
    if (spec == query_.plan.stages.end()) return Rescoring{};
    if (!inputs_.evidence.by_seed.empty() || !baseline_.evidence.by_seed.empty())
      return impossible("models of several seeds are not scored again");
    if (spec->evaluates.empty()) {
      return impossible(
          fmt::format("its model cannot be scored again, for stage {} does not say with `evaluates` whose "
                      "model it scores",
                      spec->name));
    }
    PAWL_ASSIGN(artifacts_, store::artifacts_of(query_.db, baseline_.run.id));
    model_ = model_digest(artifacts_, spec->evaluates);
    if (const schedule::StageNode* node = rescored_here()) return use_own(*node);
    PAWL_ASSIGN(bool found, use_earlier());
    if (found) return Rescoring{};
    if (model_.empty()) {
      return impossible(
          fmt::format("its model cannot be scored again: it kept no files of stage {}", spec->evaluates));
    }
    if (auto placed = place_model(spec->evaluates); !placed.ok())
      return impossible(fmt::format("its model cannot be scored again, a file of it is not here ({}){}",
                                    placed.error().message(), kept_elsewhere()));
    return Rescoring{spec->name, std::nullopt};
  }

 private:
  Rescoring impossible(std::string why) {
    baseline_.not_rescored = std::move(why);
    return {};
  }

  const schedule::StageNode* rescored_here() const {
    const auto it = std::find_if(query_.stages.begin(), query_.stages.end(),
                                 [&](const auto& node) { return node.name == name_; });
    return it == query_.stages.end() ? nullptr : &*it;
  }

  Result<Rescoring> use_own(const schedule::StageNode& node) {
    PAWL_RETURN_IF_ERROR(remove_tree(rescoring_model_dir(query_.home, query_.run.id)));
    if (node.state != schedule::StageState::succeeded)
      return impossible(fmt::format("scoring its model again failed: stage {}: {}", name_, reason()));
    PAWL_ASSIGN(gate::Evidence again, load_evidence_of(query_.db, cas_, query_.run.id, name_, policy_));
    const auto testsets = testsets_of(again);
    Rescoring out;
    out.evaluation = store::Evaluation{
        query_.run.id, name_, query_.run.project, model_, inputs_.evidence.evaluator, testsets};
    compare_with(std::move(again));
    return out;
  }

  std::string reason() const {
    auto attempts = store::attempts_of(query_.db, query_.run.id);
    std::string why = "was not run";
    if (!attempts.ok()) return why;
    for (const store::Attempt& attempt : *attempts) {
      if (attempt.stage == name_) why = attempt.reason;
    }
    return why;
  }

  // Scores that an earlier run made of the same model, by the same evaluator, on the same test sets.
  Result<bool> use_earlier() {
    const auto testsets = testsets_of(inputs_.evidence);
    if (model_.empty() || inputs_.evidence.evaluator.empty() || testsets.empty()) return false;
    PAWL_ASSIGN(auto earlier, store::find_evaluation(query_.db, query_.run.project, model_,
                                                     inputs_.evidence.evaluator, testsets));
    if (!earlier) return false;
    PAWL_ASSIGN(gate::Evidence again,
                load_evidence_of(query_.db, cas_, earlier->run_id, earlier->stage, policy_));
    if (testsets_of(again) != testsets) return false;  // its files are gone
    again.evaluator = inputs_.evidence.evaluator;
    // The same ids may have other labels by now (gate/active_labels.h).
    if (!gate::why_incomparable(policy_, inputs_.evidence, again).empty()) return false;
    compare_with(std::move(again));
    return true;
  }

  void compare_with(gate::Evidence again) {
    again.stage = baseline_.evidence.stage;
    again.evaluator = inputs_.evidence.evaluator;
    baseline_.evidence = std::move(again);
    baseline_.run.note += fmt::format("{}its model scored again", baseline_.run.note.empty() ? "" : ", ");
  }

  std::string kept_elsewhere() const {
    auto run = store::find_run(query_.db, baseline_.run.id);
    const bool elsewhere = run.ok() && *run && !(*run)->origin.empty();
    return elsewhere
               ? "; of runs of other machines a record in git keeps no models, a folder or a daemon does"
               : "";
  }

  Result<void> place_model(const std::string& stage) const {
    const std::string dir = rescoring_model_dir(query_.home, query_.run.id);
    PAWL_RETURN_IF_ERROR(remove_tree(dir));
    for (const store::Artifact& artifact : artifacts_) {
      if (artifact.stage != stage) continue;
      PAWL_RETURN_IF_ERROR(make_dirs(parent_path(dir + "/" + artifact.path)));
      PAWL_RETURN_IF_ERROR(cas_.copy_to(artifact.digest, dir + "/" + artifact.path));
    }
    return {};
  }

  const RescoringQuery& query_;
  const gate::Policy& policy_;
  gate::Inputs& inputs_;
  gate::Baseline& baseline_;
  const store::Cas& cas_;
  const std::string name_;  // of the stage that scores the baseline's model
  std::vector<store::Artifact> artifacts_;
  std::string model_;
};

}  // namespace

std::string rescoring_name(std::string_view stage) {
  return std::string(stage) + std::string(kSuffix);
}

bool is_rescoring(std::string_view stage) {
  return stage.ends_with(kSuffix);
}

std::string rescoring_model_dir(const Home& home, const std::string& run_id) {
  return home.run(run_id) + "/model" + std::string(kSuffix);
}

Result<Rescoring> rescore_baseline(const RescoringQuery& query, const gate::Policy& policy,
                                   gate::Inputs& inputs) {
  // Whoever asked for a trial compares it with something else.
  if (!inputs.baseline || !inputs.stages.empty() || is_trial(query.run)) return Rescoring{};
  if (gate::why_incomparable(policy, inputs.evidence, inputs.baseline->evidence).empty()) return Rescoring{};
  return Rescorer(query, policy, inputs).run();
}

pipeline::Stage rescoring_stage(const pipeline::Stage& stage) {
  pipeline::Stage out = stage;
  out.name = rescoring_name(stage.name);
  out.capture = pipeline::Capture::none();
  out.event_files.clear();
  out.rules.clear();
  return out;
}

}  // namespace pawl::core
