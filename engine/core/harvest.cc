#include "engine/core/harvest.h"

#include <fmt/format.h>

#include "engine/base/files.h"
#include "engine/base/log.h"
#include "engine/core/trace_summary.h"
#include "engine/gate/metrics.h"
#include "engine/store/cas.h"

namespace pawl::core {
namespace {

constexpr int kMaxDepth = 16;

void collect_metrics(const std::string& out_dir, const store::Attempt& attempt, Harvest& harvest) {
  std::string path = out_dir + "/metrics.json";
  if (!path_exists(path)) return;
  auto text = read_file(path, gate::kMaxMetricsBytes);
  auto metrics = text.ok() ? gate::parse_metrics(*text, "metrics.json")
                           : Result<std::vector<gate::Metric>>(text.error());
  if (!metrics.ok()) {
    harvest.problem = metrics.error().to_string();
    return;
  }
  for (const gate::Metric& m : *metrics) {
    harvest.metrics.push_back({attempt.run_id, attempt.stage, m.name, m.value, m.unit, m.n});
  }
}

void collect_artifacts(const store::Cas& cas, const std::string& out_dir, const std::string& relative,
                       int depth, const store::Attempt& attempt, Harvest& harvest) {
  auto entries = list_dir(relative.empty() ? out_dir : out_dir + "/" + relative);
  if (!entries.ok() || depth > kMaxDepth) return;
  for (const DirEntry& entry : *entries) {
    std::string path = relative.empty() ? entry.name : relative + "/" + entry.name;
    if (entry.type == DirEntry::Type::directory) {
      collect_artifacts(cas, out_dir, path, depth + 1, attempt, harvest);
      continue;
    }
    if (entry.type != DirEntry::Type::file) continue;
    if (harvest.artifacts.size() >= kMaxArtifacts) {
      log_warning("stage {} of run {} left more than {} files: the rest is not kept", attempt.stage,
                  attempt.run_id, kMaxArtifacts);
      return;
    }
    auto stored = cas.put_file(out_dir + "/" + path);
    if (!stored.ok()) {
      log_warning("an artifact of run {} cannot be kept: {}", attempt.run_id, stored.error().to_string());
      continue;
    }
    harvest.artifacts.push_back(
        {attempt.run_id, attempt.stage, path, stored->digest, static_cast<int64_t>(stored->bytes)});
  }
}

store::Finding finding_row(const store::Attempt& attempt, const rules::Finding& f) {
  store::Finding row;
  row.run_id = attempt.run_id;
  row.stage = attempt.stage;
  row.attempt = attempt.number;
  row.rule = f.rule;
  row.severity = rules::to_string(f.severity);
  row.action = rules::to_string(f.action);
  row.first_step = static_cast<int64_t>(f.first_step);
  row.last_step = static_cast<int64_t>(f.last_step);
  row.count = static_cast<int64_t>(f.count);
  row.rank = f.rank;
  row.tensor = f.tensor;
  row.value = f.value;
  row.limit = f.limit;
  row.message = f.message;
  return row;
}

}  // namespace

Harvest harvest_attempt(const Home& home, const store::Attempt& attempt,
                        const supervise::AttemptResult& result) {
  Harvest harvest;
  std::string dir = home.attempt(attempt.run_id, attempt.stage, attempt.number);
  collect_metrics(dir + "/out", attempt, harvest);
  collect_artifacts(store::Cas(home.cas()), dir + "/out", "", 0, attempt, harvest);
  for (const rules::Finding& finding : result.findings)
    harvest.findings.push_back(finding_row(attempt, finding));
  summarise_trace(dir, attempt, harvest);
  return harvest;
}

}  // namespace pawl::core
