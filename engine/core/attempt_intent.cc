#include "engine/core/attempt_intent.h"

#include "engine/base/log.h"
#include "engine/core/green_runs.h"
#include "engine/core/rescoring.h"
#include "engine/store/verdicts.h"
#include "pipelines/seeds.h"

namespace pawl::core {
namespace {

// The steps the baseline took in this stage: what to expect when the pipeline does not say.
std::optional<uint64_t> baseline_steps(Db& db, const store::Run& run, const std::string& stage) {
  auto baseline = store::current_baseline(db, run.project, run.target);
  if (!baseline.ok() || !*baseline) return std::nullopt;
  auto attempts = store::attempts_of(db, (*baseline)->run_id);
  if (!attempts.ok()) return std::nullopt;
  std::optional<uint64_t> steps;
  for (const store::Attempt& attempt : *attempts) {
    if (attempt.stage == stage && attempt.steps && *attempt.steps > 0)
      steps = static_cast<uint64_t>(*attempt.steps);
  }
  return steps;
}

}  // namespace

schedule::Demand demand_of(const pipeline::Stage& stage) {
  return {stage.ranks, stage.cpus, stage.gpus.count, stage.gpus.automatic};
}

supervise::Intent make_intent(const AttemptInputs& in) {
  const Home& home = in.context.home;
  const Install& install = in.context.install;
  supervise::Intent intent;
  intent.run_id = in.run.id;
  intent.stage = in.stage.name;
  intent.attempt = static_cast<int>(in.attempt.number);
  intent.fence = in.attempt.fence;
  intent.cookie = runners::make_cookie(intent.run_id, intent.stage, intent.attempt, intent.fence);
  intent.setup = in.stage.setup;
  intent.command = in.stage.run;
  intent.source_dir = home.source(in.run.id);
  intent.attempt_dir = home.attempt(in.run.id, in.stage.name, in.attempt.number);
  intent.checkpoint_dir = home.checkpoints(in.run.id, in.stage.name);
  for (const PreparedData& data : in.data) intent.data_dirs[data.dataset] = data.path;
  for (const std::string& need : in.stage.needs) {
    const bool of_baseline = need == in.stage.evaluates && is_rescoring(in.stage.name);
    intent.needs_dirs[std::string(pipeline::without_seed(need))] =
        of_baseline ? rescoring_model_dir(home, in.run.id)
                    : home.attempt(in.run.id, need, in.last_attempts.at(need)) + "/out";
  }
  intent.python_dir = install.python_dir;
  intent.capture_lib = install.capture_lib;
  intent.include_dir = install.include_dir;
  intent.lib_dir = install.lib_dir;
  intent.bin_dir = install.bin_dir;
  intent.env = in.plan.env;
  intent.seed = in.stage.seed;
  intent.ranks = in.stage.ranks;
  intent.cpus = in.grant.cpus;
  intent.gpu_uuids = in.grant.gpus;
  // Whoever asked for no GPU sees none: the queue can only share out what nobody takes unasked.
  bool has_gpus = !in.context.slots.machine().gpus.empty();
  if (has_gpus && intent.gpu_uuids.empty()) intent.gpu_uuids.resize(static_cast<size_t>(in.stage.ranks));
  intent.capture = pipeline::capture_request(in.stage.capture);
  intent.event_files = in.stage.event_files;
  intent.timeout_s = std::chrono::duration_cast<std::chrono::seconds>(in.stage.timeout).count();
  if (in.stage.steps) {
    intent.steps_total = static_cast<uint64_t>(*in.stage.steps);
  } else {
    intent.steps_total = baseline_steps(in.context.db, in.run, in.stage.name);
  }
  intent.rules = in.stage.rules;
  if (in.plan.gate.early && in.stage.capture.enabled)
    intent.green = green_band(in.context.db, *in.plan.gate.early, in.plan.green_runs, in.stage.name);
  return intent;
}

}  // namespace pawl::core
