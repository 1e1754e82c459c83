#include "engine/supervise/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/supervise/json_fields.h"

namespace pawl::supervise {
namespace {

constexpr std::string_view kWhere = "sock";
constexpr size_t kMaxReason = 1000;
constexpr size_t kMaxPattern = 4096;
constexpr size_t kMaxNumbers = 10'000;

Json change_json(const pipeline::CaptureChange& change) {
  Json json = {{"cmd", "capture"}, {"collection", change.collection}, {"ranks", change.ranks}};
  if (change.off) json["off"] = *change.off;
  if (change.every) json["every"] = *change.every;
  if (change.from) json["from"] = *change.from;
  if (change.to) json["to"] = *change.to;
  if (change.at) json["at"] = *change.at;
  if (change.modes) json["modes"] = pipeline::to_string(*change.modes);
  if (change.max_size) json["max_size"] = *change.max_size;
  if (change.raw) json["raw"] = *change.raw;
  if (change.fine) json["fine"] = *change.fine;
  if (change.include) json["include"] = *change.include;
  return json;
}

Result<void> check(const pipeline::CaptureChange& change) {
  auto invalid = [](std::string message) -> Result<void> {
    return Error(ErrorCode::invalid, std::move(message));
  };
  if (std::ranges::find(pipeline::kCollections, change.collection) == std::end(pipeline::kCollections))
    return invalid(fmt::format("there is no collection '{}'", change.collection));
  const auto negative = [](const auto& n) { return n < 0; };
  if (std::ranges::any_of(change.ranks, negative) || change.ranks.size() > kMaxNumbers)
    return invalid("wrong ranks");
  if (change.every.value_or(1) < 1) return invalid("'every' must be at least 1");
  if (change.max_size.value_or(1) < 1) return invalid("'max_size' must be at least 1");
  if (change.raw.value_or(0) < 0 || change.raw.value_or(0) > pipeline::kMaxRaw)
    return invalid(fmt::format("'raw' must be from 0 to {} bytes", pipeline::kMaxRaw));
  if (change.from.value_or(0) < 0 || change.to.value_or(0) < 0) return invalid("steps are not negative");
  if (change.at && (std::ranges::any_of(*change.at, negative) || change.at->size() > kMaxNumbers))
    return invalid("wrong steps in 'at'");
  const std::string pattern = change.include.value_or("");
  if (pattern.size() > kMaxPattern ||
      pattern.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
    return invalid("the regular expression is too long or more than one line");
  return {};
}

Result<Command> parse_change(const Json& json) {
  pipeline::CaptureChange change;
  change.collection = json.at("collection");
  if (json.contains("ranks")) change.ranks = json.at("ranks").get<std::vector<int>>();
  if (json.contains("off")) change.off = json.at("off").get<bool>();
  if (json.contains("every")) change.every = json.at("every").get<int64_t>();
  if (json.contains("from")) change.from = json.at("from").get<int64_t>();
  if (json.contains("to")) change.to = json.at("to").get<int64_t>();
  if (json.contains("at")) change.at = json.at("at").get<std::vector<int64_t>>();
  if (json.contains("modes")) {
    change.modes = pipeline::parse_modes(json.at("modes").get<std::string>());
    if (!change.modes) return Error(ErrorCode::invalid, "'modes' are train, eval or both");
  }
  if (json.contains("max_size")) change.max_size = json.at("max_size").get<int64_t>();
  if (json.contains("raw")) change.raw = json.at("raw").get<int64_t>();
  if (json.contains("fine")) change.fine = json.at("fine").get<bool>();
  if (json.contains("include")) change.include = json.at("include").get<std::string>();
  PAWL_RETURN_IF_ERROR(check(change));
  return Command(std::move(change));
}

}  // namespace

std::string command_line(const Command& command) {
  if (const auto* stop = std::get_if<StopCommand>(&command))
    return dump_json({{"cmd", "stop"}, {"reason", to_valid_utf8(stop->reason, kMaxReason)}}) + "\n";
  return dump_json(change_json(std::get<pipeline::CaptureChange>(command))) + "\n";
}

Result<Command> parse_command(std::string_view line) {
  return parse_fields<Command>(line, kWhere, [](const Json& json) -> Result<Command> {
    std::string command = json.at("cmd");
    if (command == "capture") return parse_change(json);
    if (command != "stop") return Error(ErrorCode::invalid, "unknown command \"" + command + "\"");
    return Command(StopCommand{to_valid_utf8(json_string(json, "reason", "cancelled"), kMaxReason)});
  });
}

std::string capture_line(const CaptureAnswer& answer) {
  return dump_json({{"type", "capture"}, {"generation", answer.generation}, {"request", answer.request}}) +
         "\n";
}

std::string error_line(std::string_view message) {
  return dump_json({{"type", "error"}, {"message", message}}) + "\n";
}

Result<CaptureAnswer> parse_capture_answer(std::string_view line) {
  return parse_fields<CaptureAnswer>(line, kWhere, [](const Json& json) -> Result<CaptureAnswer> {
    std::string type = json.at("type");
    if (type == "error") return Error(ErrorCode::invalid, json.at("message").get<std::string>());
    if (type != "capture") return Error(ErrorCode::not_found, "no answer");
    return CaptureAnswer{json.at("generation"), json.at("request")};
  });
}

}  // namespace pawl::supervise
