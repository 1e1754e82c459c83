#include "engine/supervise/result.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/supervise/json_fields.h"

namespace pawl::supervise {
namespace {

constexpr uint64_t kMaxFile = 64 << 20;

constexpr std::array kOutcomes = {Outcome::succeeded, Outcome::failed,    Outcome::stopped_by_rule,
                                  Outcome::timed_out, Outcome::cancelled, Outcome::lost,
                                  Outcome::error};

template <class T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json optional_number(const std::optional<double>& value) {
  return value ? number_to_json(*value) : Json();
}

std::optional<double> optional_number(const Json& json, const char* key) {
  return json.at(key).is_null() ? std::nullopt : number_from_json(json.at(key));
}

template <class T>
std::optional<T> optional_value(const Json& json, const char* key) {
  if (json.at(key).is_null()) return std::nullopt;
  return json.at(key).get<T>();
}

Json to_json(const RankExit& rank_exit) {
  return {{"rank", rank_exit.rank}, {"code", rank_exit.status.code()}, {"signal", rank_exit.status.signal()}};
}

RankExit parse_exit(const Json& json) {
  int signal = json.at("signal");
  return {json.at("rank"), signal != 0 ? ExitStatus::killed(signal) : ExitStatus::exited(json.at("code"))};
}

Json to_json(const rules::RuleOutcome& rule) {
  return {{"rule", rule.rule},
          {"outcome", rules::to_string(rule.outcome)},
          {"required", rule.required},
          {"reason", rule.reason}};
}

Result<rules::RuleOutcome> parse_rule_outcome(const Json& json) {
  rules::RuleOutcome rule{json.at("rule"), rules::Outcome::pass, json.at("required"), json.at("reason")};
  std::string text = json.at("outcome");
  for (auto outcome : {rules::Outcome::pass, rules::Outcome::fired, rules::Outcome::not_evaluated}) {
    if (rules::to_string(outcome) != text) continue;
    rule.outcome = outcome;
    return rule;
  }
  return Error(ErrorCode::invalid, "unknown rule outcome \"" + text + "\"");
}

Result<AttemptResult> read_fields(const Json& json) {
  AttemptResult result;
  std::string outcome_text = json.at("outcome");
  auto outcome = parse_outcome(outcome_text);
  if (!outcome) return Error(ErrorCode::invalid, "unknown outcome \"" + outcome_text + "\"");
  result.outcome = *outcome;
  result.fence = json.at("fence");
  result.reason = json.at("reason");
  for (const Json& entry : json.at("exits")) result.exits.push_back(parse_exit(entry));
  result.first_failing_rank = optional_value<int>(json, "first_failing_rank");
  for (const Json& entry : json.at("findings")) {
    PAWL_ASSIGN(rules::Finding finding, parse_finding(entry));
    result.findings.push_back(std::move(finding));
  }
  for (const Json& entry : json.at("rules")) {
    PAWL_ASSIGN(rules::RuleOutcome rule, parse_rule_outcome(entry));
    result.rules.push_back(std::move(rule));
  }
  result.steps = json.at("steps");
  result.last_step = optional_value<uint64_t>(json, "last_step");
  result.seconds = json.at("seconds");
  result.steps_per_s = optional_number(json, "steps_per_s");
  result.last_loss = optional_number(json, "last_loss");
  result.trace_anomalies = json.at("trace_anomalies");
  result.log_bytes = json.at("log_bytes");
  result.log_lost_bytes = json.at("log_lost_bytes");
  result.notes = json.at("notes");
  result.started_unix_ms = json.at("started_unix_ms");
  result.ended_unix_ms = json.at("ended_unix_ms");
  return result;
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::succeeded:
      return "succeeded";
    case Outcome::failed:
      return "failed";
    case Outcome::stopped_by_rule:
      return "stopped_by_rule";
    case Outcome::timed_out:
      return "timed_out";
    case Outcome::cancelled:
      return "cancelled";
    case Outcome::lost:
      return "lost";
    case Outcome::error:
      return "error";
  }
  return "error";
}

std::optional<Outcome> parse_outcome(std::string_view text) {
  for (Outcome outcome : kOutcomes) {
    if (to_string(outcome) == text) return outcome;
  }
  return std::nullopt;
}

Json to_json(const rules::Finding& finding) {
  return {{"rule", finding.rule},
          {"action", rules::to_string(finding.action)},
          {"severity", rules::to_string(finding.severity)},
          {"first_step", finding.first_step},
          {"last_step", finding.last_step},
          {"count", finding.count},
          {"rank", finding.rank},
          {"tensor", finding.tensor},
          {"kind", finding.kind},
          {"value", number_to_json(finding.value)},
          {"limit", number_to_json(finding.limit)},
          {"message", finding.message}};
}

Result<rules::Finding> parse_finding(const Json& json) {
  try {
    rules::Finding finding;
    finding.rule = json.at("rule");
    auto action = rules::parse_action(json.at("action").get<std::string>());
    auto value = number_from_json(json.at("value"));
    auto limit = number_from_json(json.at("limit"));
    if (!action || !value || !limit)
      return Error(ErrorCode::invalid, "a finding has an unknown action or value");
    finding.action = *action;
    finding.severity = rules::severity_of(*action);
    finding.value = *value;
    finding.limit = *limit;
    finding.first_step = json.at("first_step");
    finding.last_step = json.at("last_step");
    finding.count = json.at("count");
    finding.rank = json.at("rank");
    finding.tensor = json.at("tensor");
    finding.kind = json.at("kind");
    finding.message = json.at("message");
    return finding;
  } catch (const Json::exception& e) {
    return Error(ErrorCode::invalid, std::string("a finding is malformed: ") + e.what());
  }
}

Json to_json(const AttemptResult& result) {
  Json exits = Json::array();
  Json findings = Json::array();
  Json rule_list = Json::array();
  for (const RankExit& rank_exit : result.exits) exits.push_back(to_json(rank_exit));
  for (const rules::Finding& finding : result.findings) findings.push_back(to_json(finding));
  for (const rules::RuleOutcome& rule : result.rules) rule_list.push_back(to_json(rule));
  return {{"version", 1},
          {"fence", result.fence},
          {"outcome", to_string(result.outcome)},
          {"reason", result.reason},
          {"exits", exits},
          {"first_failing_rank", optional_json(result.first_failing_rank)},
          {"findings", findings},
          {"rules", rule_list},
          {"steps", result.steps},
          {"last_step", optional_json(result.last_step)},
          {"seconds", result.seconds},
          {"steps_per_s", optional_number(result.steps_per_s)},
          {"last_loss", optional_number(result.last_loss)},
          {"trace_anomalies", result.trace_anomalies},
          {"log_bytes", result.log_bytes},
          {"log_lost_bytes", result.log_lost_bytes},
          {"notes", result.notes},
          {"started_unix_ms", result.started_unix_ms},
          {"ended_unix_ms", result.ended_unix_ms}};
}

Result<AttemptResult> parse_result(std::string_view text, std::string_view where) {
  return parse_fields<AttemptResult>(text, where, read_fields);
}

Result<void> write_result(const std::string& attempt_dir, const AttemptResult& result) {
  return write_file_atomic(attempt_dir + "/result.json", dump_json_pretty(to_json(result)) + "\n");
}

Result<AttemptResult> read_result(const std::string& attempt_dir) {
  std::string path = attempt_dir + "/result.json";
  PAWL_ASSIGN(std::string text, read_file(path, kMaxFile));
  return parse_result(text, path);
}

}  // namespace pawl::supervise
