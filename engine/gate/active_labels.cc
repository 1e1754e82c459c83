#include "engine/gate/active_labels.h"

#include <algorithm>

namespace pawl::gate {
namespace {

// The classes of one file as positions among those of another; kNoLabel: not among them.
std::vector<std::uint32_t> codes_in(const Classes& other, const Classes& classes) {
  std::vector<std::uint32_t> out(classes.names.size(), kNoLabel);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto it = std::lower_bound(other.names.begin(), other.names.end(), classes.names[i]);
    if (it != other.names.end() && *it == classes.names[i])
      out[i] = static_cast<std::uint32_t>(it - other.names.begin());
  }
  return out;
}

void check(const EvaluationVector& candidate, const EvaluationVector& baseline) {
  const auto n = static_cast<std::size_t>(candidate.n);
  PAWL_CHECK(candidate.n == baseline.n && n > 0);
  for (const Classes* it : {&candidate.classes, &baseline.classes}) {
    PAWL_CHECK(it->labels.size() == n && it->predictions.size() == n);
  }
}

std::string quoted(const std::string& id) {
  if (id.find_first_of(",\"\r\n") == std::string::npos) return id;
  std::string out = "\"";
  for (const char c : id) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

}  // namespace

bool may_lack_labels(const Policy& policy, std::string_view file) {
  const bool of_a_metric = std::any_of(
      policy.metrics.begin(), policy.metrics.end(),
      [&](const MetricRule& rule) { return rule.paired.value_or(PairedTest()).predictions == file; });
  return !of_a_metric &&
         std::any_of(policy.conditions.begin(), policy.conditions.end(), [&](const ConditionRule& rule) {
           return rule.predictions == file && is_about_differences(rule.condition);
         });
}

Differences differences(const EvaluationVector& candidate, const EvaluationVector& baseline) {
  check(candidate, baseline);
  const Classes& now = candidate.classes;
  const Classes& then = baseline.classes;
  const std::vector<std::uint32_t> code_now = codes_in(now, then);  // of the baseline's classes
  Differences out;
  out.n = candidate.n;
  std::size_t unlabelled = 0;
  for (std::size_t i = 0; i < now.labels.size(); ++i) {
    const std::size_t nth = unlabelled;
    if (now.labels[i] == kNoLabel) ++unlabelled;
    if (code_now[then.predictions[i]] == now.predictions[i]) continue;
    ++out.different;
    if (now.labels[i] == kNoLabel && then.labels[i] == kNoLabel) {
      out.to_label.push_back(candidate.unlabelled[nth]);
      continue;
    }
    const std::string& label =
        now.labels[i] != kNoLabel ? now.names[now.labels[i]] : then.names[then.labels[i]];
    // Not both: they differ.
    out.won += is_right(label, now.names[now.predictions[i]]);
    out.lost += is_right(label, then.names[then.predictions[i]]);
  }
  return out;
}

std::int64_t changed_labels(const EvaluationVector& candidate, const EvaluationVector& baseline) {
  const Classes& now = candidate.classes;
  const Classes& then = baseline.classes;
  if (now.labels.empty() || then.labels.empty()) return 0;
  check(candidate, baseline);
  const std::vector<std::uint32_t> code_now = codes_in(now, then);
  std::int64_t changed = 0;
  for (std::size_t i = 0; i < now.labels.size(); ++i) {
    if (now.labels[i] == kNoLabel || then.labels[i] == kNoLabel) continue;
    changed += now.labels[i] != code_now[then.labels[i]];
  }
  return changed;
}

std::string to_csv(const ToLabel& list) {
  std::string out = "id\n";
  for (const std::string& id : list.ids) out += quoted(id) + '\n';
  return out;
}

}  // namespace pawl::gate
