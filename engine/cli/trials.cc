#include "engine/cli/trials.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/cli/daemon_client.h"
#include "engine/cli/follow_run.h"
#include "engine/core/evidence.h"

namespace pawl::cli {

Result<std::unique_ptr<Trials>> Trials::open(const std::string& home_flag, bool quiet) {
  PAWL_ASSIGN(const core::Home home, core::find_home(home_flag));
  std::unique_ptr<Trials> out(new Trials(quiet));
  if (DaemonClient::connect(home).ok()) {
    PAWL_ASSIGN(Record record, open_record(home_flag));
    out->record_.emplace(std::move(record));
  } else {
    PAWL_ASSIGN(out->local_, LocalEngine::open(home, quiet));
  }
  return out;
}

Result<Measurement> Trials::read(const store::Run& run, const gate::Policy& policy) {
  Measurement out;
  out.run = run;
  PAWL_ASSIGN(out.evidence, core::load_evidence(db(), cas(), run.id, policy));
  return out;
}

Result<Measurement> Trials::measure(const core::Trial& trial, const gate::Policy& policy) {
  PAWL_ASSIGN(auto known, core::find_measured(db(), home(), trial.project, trial.commit, trial.versions));
  if (known) {
    PAWL_ASSIGN(Measurement out, read(*known, policy));
    out.reused = true;
    return out;
  }
  PAWL_ASSIGN(const store::Run run, train(trial));
  if (run.verdict == "CANCELLED") return Error(ErrorCode::cancelled, run.headline);
  PAWL_ASSIGN(const bool whole, core::ran_to_its_end(db(), run));
  PAWL_ASSIGN(Measurement out, read(run, policy));
  if (!whole) out.problem = run.headline;
  return out;
}

Result<store::Run> Trials::train(const core::Trial& trial) {
  if (local_) {
    PAWL_ASSIGN(const core::NewRun request, core::new_trial(trial, SystemClock().unix_ms()));
    return local_->run(request);
  }
  PAWL_ASSIGN(DaemonClient daemon, DaemonClient::connect(home()));
  PAWL_ASSIGN(const Json started,
              daemon.post("/api/v1/projects/" + trial.project + "/trials", {{"commit", trial.commit},
                                                                            {"asked_by", trial.asked_by},
                                                                            {"note", trial.note},
                                                                            {"data", trial.data},
                                                                            {"versions", trial.versions}}));
  const std::string id = json_string(started, "id");
  if (!quiet_) {
    std::fprintf(stderr,
                 "pawl: the daemon trains run %lld, also when nobody waits; `pawl cancel %lld` stops it\n",
                 static_cast<long long>(json_int(started, "number")),
                 static_cast<long long>(json_int(started, "number")));
  }
  PAWL_RETURN_IF_ERROR(follow_run(*record_, id, quiet_));
  PAWL_ASSIGN(auto run, store::find_run(db(), id));
  if (!run || !run->finished()) return Error(ErrorCode::unavailable, "the daemon lost the trial", id);
  return std::move(*run);
}

Result<pipeline::Pipeline> trial_pipeline(const trigger::Repository& repository, const std::string& commit,
                                          const std::string& target) {
  PAWL_ASSIGN(auto own, core::pipeline_at(repository, commit, commit.substr(0, 10)));
  if (!own) {
    return Error(ErrorCode::not_found, fmt::format("commit {} has no .pawl.yml", commit.substr(0, 10)));
  }
  PAWL_ASSIGN(auto gate, core::target_gate(repository, target));
  if (gate) own->gate = std::move(*gate);
  return std::move(*own);
}

}  // namespace pawl::cli
