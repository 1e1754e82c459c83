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
  PAWL_ASSIGN(const Trained trained, train(trial));
  const store::Run& run = trained.run;
  if (run.verdict == "CANCELLED") return Error(ErrorCode::cancelled, run.headline);
  PAWL_ASSIGN(const bool whole, core::ran_to_its_end(db(), run));
  PAWL_ASSIGN(Measurement out, read(run, policy));
  out.reused = trained.was_there;
  if (!whole) out.problem = run.headline;
  return out;
}

Result<Trials::Trained> Trials::train(const core::Trial& trial) {
  if (local_) {
    PAWL_ASSIGN(const core::NewRun request, core::new_trial(trial, SystemClock().unix_ms()));
    PAWL_ASSIGN(store::Run run, local_->run(request));
    return Trained{std::move(run)};
  }
  PAWL_ASSIGN(DaemonClient daemon, DaemonClient::connect(home()));
  PAWL_ASSIGN(const Json started,
              daemon.post("/api/v1/projects/" + trial.project + "/trials", {{"commit", trial.commit},
                                                                            {"asked_by", trial.asked_by},
                                                                            {"note", trial.note},
                                                                            {"data", trial.data},
                                                                            {"versions", trial.versions}}));
  const std::string id = json_string(started, "id");
  const bool was_there = json_bool(started, "was_there");
  if (!quiet_) {
    const auto number = static_cast<long long>(json_int(started, "number"));
    std::fprintf(stderr,
                 "pawl: the daemon %s run %lld, also when nobody waits; `pawl cancel %lld` stops it\n",
                 was_there ? "is at the same training already," : "trains", number, number);
  }
  PAWL_RETURN_IF_ERROR(follow_run(*record_, id, quiet_));
  PAWL_ASSIGN(auto run, store::find_run(db(), id));
  if (!run || !run->finished()) return Error(ErrorCode::unavailable, "the daemon lost the trial", id);
  return Trained{std::move(*run), was_there};
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
