// What scored which model, as digests: the keys of evaluation vectors (engine/store/evaluations.h).
#pragma once

#include <string>
#include <vector>

#include "engine/store/data.h"
#include "engine/store/results.h"
#include "engine/trigger/git.h"
#include "pipelines/pipeline.h"

namespace pawl::core {

// The stage whose files are the model that `stage` scores: another one, or itself when it trains too.
const std::string& model_stage(const pipeline::Stage& stage);

// SHA-256 over the files that the stage left, but for metrics.json and predictions; empty when there are
// none.
std::string model_digest(const std::vector<store::Artifact>& artifacts, const std::string& stage);

// SHA-256 over the command of a stage that scores the model of another, the files of the commit that the
// command names (`eval.py` in "python eval.py", and "-m tools.eval" as tools/eval.py), and the versions of
// the datasets whose variable (PAWL_DATA_TEST) one of them names: the same ids and labels may come with other
// inputs. Of a stage that does not say whose model it scores it is empty.
Result<std::string> evaluator_digest(const pipeline::Stage& stage, const trigger::Repository& repository,
                                     const std::string& commit, const std::vector<store::RunData>& data);

}  // namespace pawl::core
