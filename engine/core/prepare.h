// The first thing a run does: check out its commit, read the pipeline at that commit, and find the version of
// every dataset. Blocks (git, hashing); runs on the worker pool and touches no engine state.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/sync.h"
#include "engine/core/home.h"
#include "engine/gate/verdict.h"
#include "engine/store/runs.h"
#include "engine/trigger/data.h"
#include "engine/trigger/git.h"
#include "pipelines/pipeline.h"
#include "pipelines/plan.h"

namespace pawl::core {

// Where a run's commit comes from, and where datasets lie on this machine.
struct RunSource {
  std::string repository;                   // a local git repository that has the commit
  std::map<std::string, std::string> data;  // dataset -> folder, over the path in .pawl.yml
  // Dataset -> digest: of a trial, which runs on these versions wherever they are found (trial.h).
  std::map<std::string, std::string> versions = {};
};

struct PreparedData {
  std::string dataset;
  std::string path;  // absolute
  trigger::DataVersion version;
};

struct Prepared {
  pipeline::Pipeline pipeline;
  std::vector<PreparedData> data;
  std::optional<gate::Verdict> refusal;  // datasets share examples although they must not
  pipeline::GreenRuns green_runs;        // empty unless the gate has `early`
};

// The gate of the target branch as it is now (origin's where the clone knows that one, else its own); nullopt
// when that branch, or its pipeline file, is not there yet.
Result<std::optional<gate::Policy>> target_gate(const trigger::Repository& repository,
                                                const std::string& target);

// Where the laid out versions of a trial lie, until it has finished.
std::string trial_data_dir(const Home& home, const std::string& run_id);

// Errors: usage (the pipeline file is missing or wrong; the message is the rendered diagnostics), not_found
// (a dataset), unavailable (the clone has not the target branch, or is shallow and does not reach what the
// gate compares with), others from git and files. The gate is the target branch's own where the run is not on
// it, so that a change cannot relax the gate that judges it.
Result<Prepared> prepare_run(const Home& home, const store::Run& run, const RunSource& source,
                             Sync<trigger::StatCache>& cache);

// The pipeline of a commit; nullopt when it has none. Error usage: it has mistakes, told under the commit's
// `name`.
Result<std::optional<pipeline::Pipeline>> pipeline_at(const trigger::Repository& repository,
                                                      const std::string& commit, const std::string& name);

// The folder of a dataset: the machine's own setting, else the path in the pipeline, relative to the
// checkout.
trigger::DataSpec data_spec(const pipeline::Dataset& dataset,
                            const std::map<std::string, std::string>& overrides, const std::string& checkout);

}  // namespace pawl::core
