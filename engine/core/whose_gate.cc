#include "engine/core/whose_gate.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/core/prepare.h"

namespace pawl::core {

std::string whose_gate(const trigger::Repository& repository, const store::Run& run,
                       const gate::Policy& judged) {
  if (run.branch == run.target) return "";
  const auto own = pipeline_at(repository, run.commit_sha, run.branch);
  if (!own.ok() || !*own || (*own)->gate == judged) return "";
  return fmt::format("judged by the gate of {}; this commit changes it", run.target);
}

std::string gate_note(const store::Verdict& verdict) {
  auto body = parse_json(verdict.body, "verdicts.body");
  return body.ok() && body->is_object() ? json_string(*body, "gate_note") : "";
}

Result<std::string> gate_note(Db& db, const store::Run& run) {
  PAWL_ASSIGN(const auto verdict, store::verdict_of(db, run.id));
  return verdict ? gate_note(*verdict) : std::string();
}

}  // namespace pawl::core
