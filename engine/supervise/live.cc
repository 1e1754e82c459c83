#include "engine/supervise/live.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/supervise/json_fields.h"

namespace pawl::supervise {
namespace {

constexpr std::array kPhases = {Phase::starting, Phase::running, Phase::stopping, Phase::finished};
constexpr std::string_view kWhere = "sock";

Json to_json(const LiveState& state) {
  Json json = {{"phase", to_string(state.phase)},
               {"reason", state.reason},
               {"elapsed_s", state.elapsed_s},
               {"log_bytes", state.log_bytes},
               {"findings", state.findings}};
  if (state.step) json["step"] = *state.step;
  if (state.steps_total) json["steps_total"] = *state.steps_total;
  if (state.steps_per_s) json["steps_per_s"] = *state.steps_per_s;
  if (state.loss) json["loss"] = number_to_json(*state.loss);
  if (state.eta_s) json["eta_s"] = *state.eta_s;
  return json;
}

Json with_type(Json json, const char* type) {
  json["type"] = type;
  return json;
}

Result<LiveState> parse_state(const Json& json) {
  LiveState state;
  std::string text = json.at("phase");
  auto phase = std::ranges::find(kPhases, text, [](Phase p) { return to_string(p); });
  if (phase == kPhases.end()) return Error(ErrorCode::invalid, "unknown phase \"" + text + "\"");
  state.phase = *phase;
  state.reason = json.at("reason");
  state.elapsed_s = json.at("elapsed_s");
  state.log_bytes = json.at("log_bytes");
  state.findings = json.at("findings");
  if (json.contains("step")) state.step = json.at("step").get<uint64_t>();
  if (json.contains("steps_total")) state.steps_total = json.at("steps_total").get<uint64_t>();
  if (json.contains("steps_per_s")) state.steps_per_s = json.at("steps_per_s").get<double>();
  if (json.contains("loss")) state.loss = number_from_json(json.at("loss"));
  if (json.contains("eta_s")) state.eta_s = json.at("eta_s").get<double>();
  return state;
}

}  // namespace

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::starting:
      return "starting";
    case Phase::running:
      return "running";
    case Phase::stopping:
      return "stopping";
    case Phase::finished:
      return "finished";
  }
  return "finished";
}

std::string live_line(const LiveMessage& message) {
  Json json;
  if (const auto* state = std::get_if<LiveState>(&message)) {
    json = with_type(to_json(*state), "state");
  } else if (const auto* finding = std::get_if<rules::Finding>(&message)) {
    json = with_type({{"finding", to_json(*finding)}}, "finding");
  } else {
    json = with_type({{"result", to_json(std::get<AttemptResult>(message))}}, "result");
  }
  return dump_json(json) + "\n";
}

Result<LiveMessage> parse_live_line(std::string_view line) {
  return parse_fields<LiveMessage>(line, kWhere, [](const Json& json) -> Result<LiveMessage> {
    std::string type = json.at("type");
    if (type == "state") {
      PAWL_ASSIGN(LiveState state, parse_state(json));
      return LiveMessage(std::move(state));
    }
    if (type == "finding") {
      PAWL_ASSIGN(rules::Finding finding, parse_finding(json.at("finding")));
      return LiveMessage(std::move(finding));
    }
    if (type == "result") {
      PAWL_ASSIGN(AttemptResult result, parse_result(dump_json(json.at("result")), kWhere));
      return LiveMessage(std::move(result));
    }
    return Error(ErrorCode::invalid, "unknown message type \"" + type + "\"");
  });
}

}  // namespace pawl::supervise
