#include "engine/cli/trials.h"

#include <fmt/format.h>

#include "engine/core/evidence.h"

namespace pawl::cli {

Result<std::unique_ptr<Trials>> Trials::open(const core::Home& home, bool quiet) {
  PAWL_ASSIGN(auto local, LocalEngine::open(home, quiet));
  return std::unique_ptr<Trials>(new Trials(std::move(local)));
}

Result<Measurement> Trials::read(const store::Run& run, const gate::Policy& policy) {
  Measurement out;
  out.run = run;
  PAWL_ASSIGN(out.evidence, core::load_evidence(db(), cas(), run.id, policy));
  if (out.evidence.metrics.empty()) out.problem = run.headline;
  return out;
}

Result<Measurement> Trials::measure(const core::Trial& trial, const core::DataDigests& digests,
                                    const gate::Policy& policy) {
  PAWL_ASSIGN(auto known, core::find_measured(db(), home(), trial.project, trial.commit, digests));
  if (known) {
    PAWL_ASSIGN(Measurement out, read(*known, policy));
    out.reused = true;
    return out;
  }
  PAWL_ASSIGN(const core::NewRun request, core::new_trial(trial, SystemClock().unix_ms()));
  PAWL_ASSIGN(const store::Run run, local_->run(request));
  if (run.verdict == "CANCELLED") return Error(ErrorCode::cancelled, run.headline);
  PAWL_ASSIGN(const core::DataDigests used, core::data_used(db(), home(), run));
  for (const auto& [dataset, digest] : used) {
    const auto wanted = digests.find(dataset);
    if (wanted == digests.end() || wanted->second == digest) continue;
    return Error(ErrorCode::conflict,
                 fmt::format("run {} was trained on another version of dataset '{}' than was asked for: it "
                             "changed meanwhile, or the commit takes other files of it",
                             run.number, dataset));
  }
  PAWL_ASSIGN(const bool whole, core::ran_to_its_end(db(), run));
  PAWL_ASSIGN(Measurement out, read(run, policy));
  if (!whole) out.problem = run.headline;
  return out;
}

Result<std::string> Trials::find_version(const core::WantedVersion& wanted) {
  if (!scratch_) {
    PAWL_ASSIGN(TempDir scratch, TempDir::create("pawl-data"));
    scratch_.emplace(std::move(scratch));
  }
  return core::find_version(db(), cas(), wanted, scratch_->path());
}

Result<pipeline::Pipeline> trial_pipeline(const trigger::Repository& repository, const std::string& commit,
                                          const std::string& target) {
  PAWL_ASSIGN(auto own, core::pipeline_at(repository, commit, commit.substr(0, 10)));
  if (!own) {
    return Error(ErrorCode::not_found, fmt::format("commit {} has no .pawl.yml", commit.substr(0, 10)));
  }
  if (auto head = repository.resolve("refs/heads/" + target); head.ok()) {
    PAWL_ASSIGN(auto targets, core::pipeline_at(repository, *head, target));
    if (targets) own->gate = std::move(targets->gate);
  }
  return std::move(*own);
}

}  // namespace pawl::cli
