#include "engine/supervise/intent.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/supervise/json_fields.h"
#include "runners/process_table.h"

namespace pawl::supervise {
namespace {

constexpr uint64_t kMaxFile = 16 << 20;
constexpr int kMaxRanks = 4096;

Json to_json(const rules::RuleConfig& rule) {
  return {{"rule", rule.rule},         {"enabled", rule.enabled}, {"on_fire", rules::to_string(rule.on_fire)},
          {"required", rule.required}, {"params", rule.params},   {"include", rule.include}};
}

Result<rules::RuleConfig> parse_rule(const Json& json) {
  rules::RuleConfig rule;
  rule.rule = json.at("rule");
  rule.enabled = json.at("enabled");
  rule.required = json.at("required");
  rule.params = json.at("params");
  rule.include = json.at("include");
  auto action = rules::parse_action(json.at("on_fire").get<std::string>());
  if (!action) return Error(ErrorCode::invalid, "on_fire is no action: " + json.at("on_fire").dump());
  rule.on_fire = *action;
  const rules::RuleDef* definition = rules::find_rule(rule.rule);
  if (definition == nullptr) return Error(ErrorCode::invalid, "there is no rule " + rule.rule);
  for (const auto& [name, value] : rule.params) {
    if (definition->find_param(name) == nullptr) {
      return Error(ErrorCode::invalid, "rule " + rule.rule + " has no parameter " + name);
    }
  }
  return rule;
}

Json to_json(const rules::GreenBand& band) {
  Json stretches = Json::array();
  for (const rules::Stretch& s : band.stretches)
    stretches.push_back({s.first, s.last, s.mean, s.low, s.high, s.allowance, s.margin});
  return {{"curve", band.curve},
          {"higher_is_better", band.higher_is_better},
          {"runs", band.runs},
          {"stretches", stretches},
          {"missing", band.missing}};
}

Result<rules::GreenBand> parse_band(const Json& json) {
  auto invalid = [](const char* what) { return Error(ErrorCode::invalid, what); };
  rules::GreenBand band;
  band.curve = json.at("curve");
  band.higher_is_better = json.at("higher_is_better");
  band.runs = json.at("runs").get<std::vector<std::string>>();
  band.missing = json.at("missing");
  const Json& stretches = json.at("stretches");
  if (stretches.size() > rules::kMaxStretches) return invalid("the band has too many stretches");
  for (const Json& s : stretches) {
    band.stretches.push_back({s.at(0), s.at(1), s.at(2), s.at(3), s.at(4), s.at(5), s.at(6)});
    const rules::Stretch& now = band.stretches.back();
    const bool first = band.stretches.size() == 1;
    if (now.first > now.last || (!first && now.first <= band.stretches.end()[-2].last))
      return invalid("the stretches of the band are not in order");
    if (now.allowance < 0 || now.margin < 0) return invalid("a stretch of the band allows less than nothing");
  }
  if (band.stretches.empty() == band.missing.empty())
    return invalid("the band has neither stretches nor a reason for that, or both");
  return band;
}

Result<void> check(const Intent& intent) {
  auto invalid = [](const char* what) { return Error(ErrorCode::invalid, what); };
  if (intent.ranks < 1 || intent.ranks > kMaxRanks) return invalid("ranks is out of range");
  if (intent.attempt < 1 || intent.cpus < 1) return invalid("attempt and cpus start at 1");
  if (intent.timeout_s < 0 || intent.grace_s < 0) return invalid("a time is negative");
  if (intent.cookie.empty()) return invalid("the cookie is empty");
  if (intent.attempt_dir.empty() || intent.attempt_dir[0] != '/')
    return invalid("attempt_dir is not absolute");
  if (intent.source_dir.empty() || intent.source_dir[0] != '/') return invalid("source_dir is not absolute");
  if (!intent.gpu_uuids.empty() && intent.gpu_uuids.size() != static_cast<size_t>(intent.ranks)) {
    return invalid("gpu_uuids has not one entry per rank");
  }
  return {};
}

}  // namespace

Json to_json(const Intent& intent) {
  Json rules = Json::array();
  for (const rules::RuleConfig& rule : intent.rules) rules.push_back(to_json(rule));
  Json json = {{"version", 1},
               {"run_id", intent.run_id},
               {"stage", intent.stage},
               {"attempt", intent.attempt},
               {"fence", intent.fence},
               {"cookie", intent.cookie},
               {"setup", intent.setup},
               {"command", intent.command},
               {"source_dir", intent.source_dir},
               {"attempt_dir", intent.attempt_dir},
               {"checkpoint_dir", intent.checkpoint_dir},
               {"data_dirs", intent.data_dirs},
               {"needs_dirs", intent.needs_dirs},
               {"python_dir", intent.python_dir},
               {"capture_lib", intent.capture_lib},
               {"include_dir", intent.include_dir},
               {"lib_dir", intent.lib_dir},
               {"bin_dir", intent.bin_dir},
               {"env", intent.env},
               {"ranks", intent.ranks},
               {"cpus", intent.cpus},
               {"gpu_uuids", intent.gpu_uuids},
               {"capture", intent.capture},
               {"timeout_s", intent.timeout_s},
               {"grace_s", intent.grace_s},
               {"rules", rules}};
  if (intent.seed) json["seed"] = *intent.seed;
  if (intent.steps_total) json["steps_total"] = *intent.steps_total;
  if (!intent.event_files.empty()) json["event_files"] = intent.event_files;
  if (intent.green) json["green"] = to_json(*intent.green);
  return json;
}

Result<Intent> parse_intent(std::string_view text, std::string_view where) {
  return parse_fields<Intent>(text, where, [](const Json& json) -> Result<Intent> {
    Intent intent;
    intent.run_id = json.at("run_id");
    intent.stage = json.at("stage");
    intent.attempt = json.at("attempt");
    intent.fence = json.at("fence");
    intent.cookie = json.at("cookie");
    intent.setup = json.at("setup");
    intent.command = json.at("command");
    intent.source_dir = json.at("source_dir");
    intent.attempt_dir = json.at("attempt_dir");
    intent.checkpoint_dir = json.at("checkpoint_dir");
    intent.data_dirs = json.at("data_dirs");
    intent.needs_dirs = json.at("needs_dirs");
    intent.python_dir = json.at("python_dir");
    intent.capture_lib = json.at("capture_lib");
    intent.include_dir = json.at("include_dir");
    intent.lib_dir = json.at("lib_dir");
    intent.bin_dir = json.at("bin_dir");
    intent.env = json.at("env");
    intent.ranks = json.at("ranks");
    intent.cpus = json.at("cpus");
    intent.gpu_uuids = json.at("gpu_uuids");
    intent.capture = json.at("capture");
    intent.timeout_s = json.at("timeout_s");
    intent.grace_s = json.at("grace_s");
    if (json.contains("seed")) intent.seed = json.at("seed").get<int64_t>();
    if (json.contains("steps_total")) intent.steps_total = json.at("steps_total").get<uint64_t>();
    if (json.contains("event_files")) intent.event_files = json.at("event_files");
    for (const Json& rule : json.at("rules")) {
      PAWL_ASSIGN(rules::RuleConfig config, parse_rule(rule));
      intent.rules.push_back(std::move(config));
    }
    if (json.contains("green")) {
      PAWL_ASSIGN(intent.green, parse_band(json.at("green")));
    }
    PAWL_RETURN_IF_ERROR(check(intent));
    return intent;
  });
}

Result<void> write_intent(const Intent& intent) {
  return write_file_atomic(intent.attempt_dir + "/intent.json", dump_json_pretty(to_json(intent)) + "\n",
                           0600);
}

Result<Intent> read_intent(const std::string& attempt_dir) {
  std::string path = attempt_dir + "/intent.json";
  PAWL_ASSIGN(std::string text, read_file(path, kMaxFile));
  return parse_intent(text, path);
}

Result<Started> describe_self(int64_t fence, int64_t unix_ms) {
  PAWL_ASSIGN(runners::Process self, runners::find_process(getpid()));
  PAWL_ASSIGN(std::string boot_id, read_file("/proc/sys/kernel/random/boot_id", 128));
  return Started{fence, self.pid, self.start_ticks, std::string(trim(boot_id)), unix_ms};
}

Json to_json(const Started& started) {
  return {{"version", 1},
          {"fence", started.fence},
          {"pid", started.pid},
          {"start_ticks", started.start_ticks},
          {"boot_id", started.boot_id},
          {"unix_ms", started.unix_ms}};
}

Result<Started> parse_started(std::string_view text, std::string_view where) {
  return parse_fields<Started>(text, where, [](const Json& json) -> Result<Started> {
    Started started;
    started.fence = json.at("fence");
    started.pid = json.at("pid");
    started.start_ticks = json.at("start_ticks");
    started.boot_id = json.at("boot_id");
    started.unix_ms = json.at("unix_ms");
    return started;
  });
}

Result<void> write_started(const std::string& attempt_dir, const Started& started) {
  return write_file_atomic(attempt_dir + "/supervisor.json", dump_json_pretty(to_json(started)) + "\n");
}

Result<Started> read_started(const std::string& attempt_dir) {
  std::string path = attempt_dir + "/supervisor.json";
  PAWL_ASSIGN(std::string text, read_file(path, kMaxFile));
  return parse_started(text, path);
}

}  // namespace pawl::supervise
