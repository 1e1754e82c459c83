#include "engine/gate/verdict_json.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

namespace pawl::gate {
namespace {

constexpr std::array kKinds = {VerdictKind::pass, VerdictKind::inconclusive, VerdictKind::no_baseline,
                               VerdictKind::error, VerdictKind::fail};
constexpr std::array kChecks = {Check::finding,  Check::stage,  Check::output,       Check::metric,
                                Check::baseline, Check::floor,  Check::ceiling,      Check::max_drop,
                                Check::paired,   Check::slices, Check::sustained,    Check::condition,
                                Check::test_set, Check::seeds,  Check::disjoint_from};
constexpr std::array kStatuses = {Status::pass,   Status::not_judged,   Status::bootstrap,
                                  Status::waived, Status::inconclusive, Status::no_baseline,
                                  Status::error,  Status::fail};

template <class E, std::size_t kSize>
Result<E> enum_from(const Json& object, std::string_view key, const std::array<E, kSize>& values) {
  const std::string text = json_string(object, key);
  for (const E value : values) {
    if (to_string(value) == text) return value;
  }
  return Error(ErrorCode::invalid, fmt::format("\"{}\" is no {} of a verdict", text, key));
}

void put(Json& object, const char* key, const std::optional<double>& value) {
  if (value) object[key] = *value;
}

std::optional<double> number(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number()) return std::nullopt;
  return it->get<double>();
}

Json to_json(const BaselineRun& run) {
  return {{"run", run.id},
          {"number", run.number},
          {"commit", run.commit},
          {"branch", run.branch},
          {"finished_ms", run.finished_unix_ms},
          {"note", run.note}};
}

// Every number of a reason is finite: what is not has a sentence of its own instead.
Json to_json(const Reason& reason) {
  Json object = {{"check", to_string(reason.check)},
                 {"status", to_string(reason.status)},
                 {"subject", reason.subject},
                 {"sentence", reason.sentence}};
  put(object, "value", reason.value);
  put(object, "baseline", reason.baseline);
  put(object, "limit", reason.limit);
  put(object, "level", reason.level);
  put(object, "p_value", reason.p_value);
  put(object, "p_margin", reason.p_margin);
  put(object, "p_adjusted", reason.p_adjusted);
  if (!reason.slice.empty()) object["slice"] = reason.slice;
  if (!reason.test.empty()) object["test"] = reason.test;
  if (reason.waiver) object["waiver"] = *reason.waiver;
  if (reason.counts) {
    object["n"] = reason.counts->n;
    object["b"] = reason.counts->b;
    object["c"] = reason.counts->c;
  }
  if (reason.interval) {
    object["ci_low"] = reason.interval->low;
    object["ci_high"] = reason.interval->high;
  }
  return object;
}

Result<Reason> reason_from(const Json& object) {
  Reason reason;
  PAWL_ASSIGN(reason.check, enum_from(object, "check", kChecks));
  PAWL_ASSIGN(reason.status, enum_from(object, "status", kStatuses));
  reason.subject = json_string(object, "subject");
  reason.sentence = json_string(object, "sentence");
  reason.value = number(object, "value");
  reason.baseline = number(object, "baseline");
  reason.limit = number(object, "limit");
  reason.level = number(object, "level");
  reason.p_value = number(object, "p_value");
  reason.p_margin = number(object, "p_margin");
  reason.p_adjusted = number(object, "p_adjusted");
  reason.slice = json_string(object, "slice");
  reason.test = json_string(object, "test");
  if (object.contains("waiver")) reason.waiver = json_int(object, "waiver");
  if (object.contains("n")) {
    reason.counts = PairedCounts{json_int(object, "n"), json_int(object, "b"), json_int(object, "c")};
  }
  if (object.contains("ci_low")) {
    reason.interval = Interval{json_double(object, "ci_low"), json_double(object, "ci_high")};
  }
  return reason;
}

}  // namespace

Json to_json(const Verdict& verdict) {
  Json reasons = Json::array();
  for (const Reason& reason : verdict.reasons) reasons.push_back(to_json(reason));
  return {{"kind", to_string(verdict.kind)},
          {"headline", verdict.headline},
          {"exit_code", exit_code(verdict.kind)},
          {"baseline", verdict.baseline ? to_json(*verdict.baseline) : Json(nullptr)},
          {"reasons", std::move(reasons)}};
}

Result<Verdict> verdict_from_json(std::string_view text) {
  PAWL_ASSIGN(const Json object, parse_json(text, "verdict"));
  Verdict verdict;
  PAWL_ASSIGN(verdict.kind, enum_from(object, "kind", kKinds));
  verdict.headline = json_string(object, "headline");
  if (const auto it = object.find("baseline"); it != object.end() && it->is_object()) {
    verdict.baseline =
        BaselineRun{json_string(*it, "run"),    json_int(*it, "number"),      json_string(*it, "commit"),
                    json_string(*it, "branch"), json_int(*it, "finished_ms"), json_string(*it, "note")};
  }
  if (const auto it = object.find("reasons"); it != object.end() && it->is_array()) {
    for (const Json& item : *it) {
      PAWL_ASSIGN(Reason reason, reason_from(item));
      verdict.reasons.push_back(std::move(reason));
    }
  }
  return verdict;
}

}  // namespace pawl::gate
