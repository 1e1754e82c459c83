#include "engine/core/evidence.h"

#include <fcntl.h>
#include <unistd.h>

#include "engine/base/files.h"
#include "engine/core/rescoring.h"
#include "engine/gate/metric_judge.h"
#include "engine/gate/predictions.h"
#include "engine/gate/seed_evidence.h"
#include "engine/store/evaluations.h"
#include "engine/store/results.h"
#include "engine/store/runs.h"
#include "pipelines/seeds.h"

namespace pawl::core {
namespace {

Result<gate::EvaluationVector> read_csv(const std::string& path, const std::string& name,
                                        const gate::WantedColumns& wanted) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error("cannot open", path, errno);
  gate::PredictionsReader reader(name, wanted);
  std::string buffer(1 << 18, '\0');
  while (true) {
    ssize_t n = read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("cannot read", path, errno);
    if (n == 0) return reader.finish();
    PAWL_RETURN_IF_ERROR(reader.feed(std::string_view(buffer).substr(0, static_cast<size_t>(n))));
  }
}

Result<gate::EvaluationVector> read_predictions(const store::Cas& cas, const store::Artifact& artifact,
                                                const gate::Policy& policy) {
  const gate::WantedColumns wanted = gate::wanted_columns(policy, artifact.path);
  auto found = cas.path_of(artifact.digest);
  if (!found.ok() && found.error().code() == ErrorCode::not_found) {
    return Error(ErrorCode::not_found, "is not in this home, only its digest is: the run was made elsewhere",
                 artifact.path);
  }
  PAWL_ASSIGN(std::string path, std::move(found));
  if (!artifact.path.ends_with(".npy")) return read_csv(path, artifact.path, wanted);
  PAWL_ASSIGN(std::string bytes, read_file(path, gate::kMaxPredictionsBytes));
  return gate::parse_predictions_npy(bytes, artifact.path, wanted);
}

// The last stage of the plan that wrote metrics or, when none did, that left a file of predictions.
Result<std::string> judged_stage(Db& db, const std::string& run_id, const gate::Policy& policy,
                                 const std::vector<store::Metric>& metrics,
                                 const std::vector<store::Artifact>& predictions) {
  if (!policy.stage.empty()) return policy.stage;
  PAWL_ASSIGN(auto stages, store::stages_of(db, run_id));
  const auto last_with = [&stages](const auto& rows) {
    std::string last;
    for (const store::Stage& stage : stages) {
      if (is_rescoring(stage.name)) continue;
      for (const auto& row : rows) {
        if (row.stage == stage.name) last = stage.name;
      }
    }
    return last;
  };
  return metrics.empty() ? last_with(predictions) : last_with(metrics);
}

// The files of predictions that the policy reads, of all stages.
Result<std::vector<store::Artifact>> predictions_of(Db& db, const std::string& run_id,
                                                    const gate::Policy& policy) {
  const std::set<std::string> wanted = judged_files(policy);
  PAWL_ASSIGN(auto artifacts, store::artifacts_of(db, run_id));
  std::erase_if(artifacts,
                [&wanted](const store::Artifact& artifact) { return !wanted.contains(artifact.path); });
  return artifacts;
}

std::vector<gate::Metric> metrics_of_stage(const std::vector<store::Metric>& metrics,
                                           const std::string& stage) {
  std::vector<gate::Metric> out;
  for (const store::Metric& m : metrics) {
    if (m.stage == stage) out.push_back({m.name, m.value, std::nullopt, m.unit, m.n});
  }
  return out;
}

// Directions are not in the record: the file that the stage left has them, as long as it is in this home.
Result<void> add_directions(Db& db, const store::Cas& cas, const std::string& run_id,
                            const std::string& stage, std::vector<gate::Metric>& metrics) {
  if (metrics.empty()) return {};
  PAWL_ASSIGN(const auto artifacts, store::artifacts_of(db, run_id));
  for (const store::Artifact& artifact : artifacts) {
    if (artifact.stage != stage || artifact.path != gate::kMetricsFile) continue;
    const auto path = cas.path_of(artifact.digest);
    if (!path.ok()) return {};
    PAWL_ASSIGN(const std::string text, read_file(*path, gate::kMaxMetricsBytes));
    PAWL_ASSIGN(const auto written, gate::parse_metrics(text, artifact.path));
    for (gate::Metric& metric : metrics) {
      if (const gate::Metric* found = gate::find_metric(written, metric.name))
        metric.direction = found->direction;
    }
  }
  return {};
}

// The runs of the stage with their seeds, in order; empty when it was run once.
Result<std::vector<std::pair<int64_t, std::string>>> copies_of(Db& db, const std::string& run_id,
                                                               const std::string& stage) {
  PAWL_ASSIGN(auto stages, store::stages_of(db, run_id));
  std::vector<std::pair<int64_t, std::string>> out;
  for (const store::Stage& other : stages) {
    const auto seed = pipeline::seed_of(other.name);
    if (seed && pipeline::without_seed(other.name) == pipeline::without_seed(stage))
      out.emplace_back(*seed, other.name);
  }
  return out;
}

}  // namespace

std::set<std::string> judged_files(const gate::Policy& policy) {
  std::set<std::string> out = {"predictions.csv"};  // an edited test set is noticed for max_drop too
  for (const gate::MetricRule& rule : policy.metrics) {
    if (rule.paired) out.insert(rule.paired->predictions);
  }
  for (const gate::ConditionRule& rule : policy.conditions) out.insert(rule.predictions);
  return out;
}

Result<std::vector<gate::Metric>> load_metrics(Db& db, const std::string& run_id,
                                               const gate::Policy& policy) {
  PAWL_ASSIGN(auto metrics, store::metrics_of(db, run_id));
  PAWL_ASSIGN(std::string stage, judged_stage(db, run_id, policy, metrics, {}));
  PAWL_ASSIGN(const auto copies, copies_of(db, run_id, stage));
  if (copies.empty()) return metrics_of_stage(metrics, stage);
  std::vector<std::pair<int64_t, gate::Evidence>> seeds;
  for (const auto& [seed, copy] : copies) {
    seeds.emplace_back(seed, gate::Evidence{});
    seeds.back().second.metrics = metrics_of_stage(metrics, copy);
  }
  return gate::over_seeds(std::move(seeds)).metrics;
}

Result<gate::Evidence> load_evidence(Db& db, const store::Cas& cas, const std::string& run_id,
                                     const gate::Policy& policy) {
  PAWL_ASSIGN(auto metrics, store::metrics_of(db, run_id));
  PAWL_ASSIGN(auto artifacts, predictions_of(db, run_id, policy));
  PAWL_ASSIGN(std::string stage, judged_stage(db, run_id, policy, metrics, artifacts));
  PAWL_ASSIGN(const auto copies, copies_of(db, run_id, stage));
  if (copies.empty()) return load_evidence_of(db, cas, run_id, stage, policy);
  std::vector<std::pair<int64_t, gate::Evidence>> seeds;
  for (const auto& [seed, copy] : copies) {
    PAWL_ASSIGN(gate::Evidence evidence, load_evidence_of(db, cas, run_id, copy, policy));
    seeds.emplace_back(seed, std::move(evidence));
  }
  return gate::over_seeds(std::move(seeds));
}

Result<gate::Evidence> load_evidence_of(Db& db, const store::Cas& cas, const std::string& run_id,
                                        const std::string& stage, const gate::Policy& policy) {
  gate::Evidence evidence;
  evidence.stage = stage;
  PAWL_ASSIGN(auto metrics, store::metrics_of(db, run_id));
  evidence.metrics = metrics_of_stage(metrics, stage);
  PAWL_RETURN_IF_ERROR(add_directions(db, cas, run_id, stage, evidence.metrics));
  PAWL_ASSIGN(auto artifacts, predictions_of(db, run_id, policy));
  for (const store::Artifact& artifact : artifacts) {
    if (artifact.stage != stage) continue;
    auto vector = read_predictions(cas, artifact, policy);
    if (vector.ok()) {
      evidence.vectors[artifact.path] = std::move(*vector);
    } else {
      // What cannot be fetched from another machine's run says nothing about what the run left.
      const ErrorCode code = vector.error().code();
      const bool elsewhere =
          code == ErrorCode::unavailable || code == ErrorCode::timeout || code == ErrorCode::io;
      if (elsewhere) return std::move(vector).error().wrap("a file of run " + run_id);
      evidence.unreadable[artifact.path] = vector.error().to_string();
    }
  }
  PAWL_ASSIGN(auto evaluation, store::evaluation_of(db, run_id, stage));
  if (evaluation) evidence.evaluator = evaluation->evaluator;
  return evidence;
}

}  // namespace pawl::core
