// Scoring the baseline's model again: when the test set or the evaluator is another than the baseline's, the
// stage that is judged runs once more in the same run, with the files of the baseline's model in the place of
// the run's own, and the comparison is made on what it leaves. Blocks (git, files, a read-only connection of
// the record); runs on the worker pool.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/home.h"
#include "engine/gate/verdict.h"
#include "engine/schedule/dag.h"
#include "engine/store/cas.h"
#include "engine/store/evaluations.h"
#include "engine/store/runs.h"
#include "pipelines/plan.h"

namespace pawl::core {

// "evaluate@baseline". No stage of a pipeline can have such a name.
std::string rescoring_name(std::string_view stage);
bool is_rescoring(std::string_view stage);

// Where the baseline's model lies for that stage.
std::string rescoring_model_dir(const Home& home, const std::string& run_id);

struct RescoringQuery {
  Db& db;
  const Home& home;
  const store::Cas& cas;  // has or finds the files that runs left
  const store::Run& run;
  const pipeline::Plan& plan;
  const std::vector<schedule::StageNode>& stages;
};

struct Rescoring {
  // The name of the stage to run once more, with the model in rescoring_model_dir(); empty: nothing to do.
  std::string stage;
  // What is known of the scores the comparison is now made on, to be recorded when this run made them.
  std::optional<store::Evaluation> evaluation;
};

// Makes inputs.baseline comparable with inputs.evidence as far as that is possible: with scores that are
// there already (of this run or an earlier one), else by asking for a stage to be run. What cannot be is said
// in inputs.baseline->not_rescored. Does nothing when both were measured alike, when a stage failed, and for
// a trial.
Result<Rescoring> rescore_baseline(const RescoringQuery& query, const gate::Policy& policy,
                                   gate::Inputs& inputs);

// `stage` of the plan as it scores the model in rescoring_model_dir(): no hooks, no rules.
pipeline::Stage rescoring_stage(const pipeline::Stage& stage);

}  // namespace pawl::core
