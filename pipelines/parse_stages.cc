#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "engine/base/text.h"
#include "pipelines/sections.h"

namespace pawl::pipeline {
namespace {

constexpr size_t kMaxStages = 200;
constexpr size_t kMaxCommand =
    60 << 10;  // the kernel takes 128 KiB for one argument, `setup` and `run` are one
constexpr int64_t kMaxRanks = 1024;
constexpr int64_t kMaxCpus = 4096;
constexpr int64_t kMaxGpus = 64;
constexpr int64_t kMaxRetries = 10;
constexpr int64_t kMaxSeeds = 30;
constexpr int64_t kLargestSeed = 2'147'483'647;
constexpr int64_t kMaxSteps = 1'000'000'000'000;
constexpr std::chrono::milliseconds kMinTimeout = std::chrono::seconds(1);
constexpr std::chrono::milliseconds kMaxTimeout = std::chrono::hours(30 * 24);

Field command_field(Reader& reader, std::string_view name, std::string& out) {
  return {name, [&reader, name, &out](const Node& node) {
            out = reader.text(node, name).value_or("");
            if (out.size() > kMaxCommand)
              reader.error(node.span, fmt::format("'{}' is longer than {}", name, format_bytes(kMaxCommand)),
                           "put it into a script of the repository");
          }};
}

void read_gpus(Reader& reader, const Node& node, GpuRequest& gpus) {
  if (is_word(node, "auto")) {
    gpus.automatic = true;
  } else if (node.kind == Node::Kind::scalar && !node.text.empty() &&
             node.text.find_first_not_of("0123456789") != std::string::npos) {
    reader.wrong_type(node, "gpus", "a number per rank or 'auto'");
  } else if (auto count = reader.integer(node, "gpus", 0, kMaxGpus)) {
    gpus.count = static_cast<int>(*count);
  }
}

void read_timeout(Reader& reader, const Node& node, std::chrono::milliseconds& timeout) {
  auto text = reader.text(node, "timeout");
  if (!text) return;
  auto ms = parse_duration_ms(*text);
  if (!ms) {
    reader.error(node.span, ms.error().message());
  } else if (*ms < kMinTimeout.count() || *ms > kMaxTimeout.count()) {
    reader.error(node.span, "'timeout' must be between 1s and 30d");
  } else {
    timeout = std::chrono::milliseconds(*ms);
  }
}

// `seeds: 5` are 1 to 5.
void read_seeds(Reader& reader, const Node& node, std::vector<int64_t>& seeds) {
  if (node.kind == Node::Kind::scalar) {
    const int64_t count = reader.integer(node, "seeds", 2, kMaxSeeds).value_or(0);
    for (int64_t seed = 1; seed <= count; ++seed) seeds.push_back(seed);
    return;
  }
  if (node.kind != Node::Kind::sequence)
    return reader.wrong_type(node, "seeds", "a number or a list of numbers");
  if (node.items.size() < 2 || node.items.size() > static_cast<size_t>(kMaxSeeds))
    reader.error(node.span, fmt::format("'seeds' are 2 to {}", kMaxSeeds));
  for (const Node& item : node.items) {
    const auto seed = reader.integer(item, "seeds", 0, kLargestSeed);
    if (!seed) continue;
    if (std::find(seeds.begin(), seeds.end(), *seed) != seeds.end())
      reader.error(item.span, fmt::format("'{}' is given twice", *seed));
    seeds.push_back(*seed);
  }
}

bool has(const Node& map, std::string_view key) {
  return std::any_of(map.entries.begin(), map.entries.end(),
                     [key](const Entry& field) { return field.key == key; });
}

// The nodes of a stage whose meaning depends on others.
struct Deferred {
  const Node* uses = nullptr;
  const Node* with = nullptr;
  const Node* debug = nullptr;
  const Node* rules = nullptr;
  const Node* evaluates = nullptr;
};

bool check_program(Reader& reader, const Entry& entry, const Stage& stage, const Deferred& nodes) {
  if (!has(entry.value, "run") && !nodes.uses) {
    reader.error(entry.key_span, fmt::format("stage '{}' needs 'run'", stage.name),
                 "the command of the stage; or 'uses', a program that comes with Pawl");
  }
  if (!nodes.uses && nodes.with)
    reader.error(nodes.with->span, fmt::format("stage '{}' has 'with', but no 'uses'", stage.name));
  if (!nodes.uses) return false;
  if (has(entry.value, "run")) {
    reader.error(nodes.uses->span, fmt::format("stage '{}' has both 'run' and 'uses'", stage.name));
    return false;
  }
  const std::vector<std::string> programs = stage_programs();
  if (std::find(programs.begin(), programs.end(), stage.uses) == programs.end()) {
    reader.unknown(nodes.uses->span, "stage program", stage.uses, programs);
    return false;
  }
  if (!nodes.with)
    reader.error(nodes.uses->span, fmt::format("stage '{}' needs 'with'", stage.name),
                 "with: {model: model.pt}");
  if (stage.ranks != 1)
    reader.error(nodes.uses->span, fmt::format("'{}' is one process: 'ranks' must be 1", stage.uses));
  return nodes.with != nullptr;
}

void use_evaluate(Reader& reader, const Node& with, StageSection& out) {
  EvaluateSection section = read_evaluate(reader, with);
  if (section.command.size() > kMaxCommand)
    reader.error(with.span, fmt::format("'with' is longer than {}", format_bytes(kMaxCommand)));
  const std::vector<std::string>& needs = out.stage.needs;
  if (section.from && std::find(needs.begin(), needs.end(), section.from->value) == needs.end())
    reader.error(section.from->span, "'from' must be one of the stages this one needs",
                 fmt::format("needs: [{}]", to_valid_utf8(section.from->value, 63)));
  if (section.from) out.stage.evaluates = section.from->value;
  out.stage.run = std::move(section.command);
  out.data = std::move(section.data);
  out.needs_a_dataset = true;
}

void find_evaluated(Reader& reader, const Node* node, Stage& stage) {
  if (node == nullptr) return;  // with `uses` it is known already
  if (!stage.uses.empty()) {
    reader.error(node->span, fmt::format("stage '{}' has 'uses': 'with' says what it scores", stage.name),
                 "with: {from: train, model: model.pt}");
    return;
  }
  stage.evaluates = reader.text(*node, "evaluates").value_or("");
  if (std::find(stage.needs.begin(), stage.needs.end(), stage.evaluates) == stage.needs.end())
    reader.error(node->span, "'evaluates' must be one of the stages this one needs",
                 fmt::format("needs: [{}]", to_valid_utf8(stage.evaluates, 63)));
}

StageSection read_stage(Reader& reader, const Entry& entry) {
  StageSection out{{}, entry.key_span, {}, {}, false};
  Stage& stage = out.stage;
  stage.name = entry.key;
  if (!reader.is_map(entry.value, fmt::format("stages.{}", stage.name))) return out;
  int cpus = 0;
  Deferred nodes;
  reader.fields(entry.value, fmt::format("stage '{}'", stage.name),
                {{"needs", [&](const Node& n) { out.needs = reader.distinct(n, "needs"); }},
                 {"evaluates", [&](const Node& n) { nodes.evaluates = &n; }},
                 command_field(reader, "run", stage.run),
                 {"uses",
                  [&](const Node& n) {
                    nodes.uses = &n;
                    stage.uses = reader.text(n, "uses").value_or("");
                  }},
                 {"with", [&](const Node& n) { nodes.with = &n; }},
                 command_field(reader, "setup", stage.setup),
                 reader.integer_field("ranks", 1, kMaxRanks, stage.ranks),
                 reader.integer_field("cpus", 1, kMaxCpus, cpus),
                 {"gpus", [&](const Node& n) { read_gpus(reader, n, stage.gpus); }},
                 {"timeout", [&](const Node& n) { read_timeout(reader, n, stage.timeout); }},
                 reader.integer_field("retries", 0, kMaxRetries, stage.retries),
                 {"steps", [&](const Node& n) { stage.steps = reader.integer(n, "steps", 1, kMaxSteps); }},
                 {"seeds", [&](const Node& n) { read_seeds(reader, n, stage.seeds); }},
                 {"debug", [&](const Node& n) { nodes.debug = &n; }},
                 {"rules", [&](const Node& n) { nodes.rules = &n; }}});
  for (const Text& need : out.needs) stage.needs.push_back(need.value);
  stage.cpus = cpus > 0 ? cpus : stage.ranks;
  if (nodes.uses != nullptr) stage.capture = Capture::none();  // no hook is in these programs
  if (nodes.debug != nullptr)
    stage.capture = read_debug(reader, *nodes.debug, stage.ranks, stage.event_files);
  stage.rules = read_rules(reader, nodes.rules, stage.capture);
  if (check_program(reader, entry, stage, nodes)) use_evaluate(reader, *nodes.with, out);
  find_evaluated(reader, nodes.evaluates, stage);
  return out;
}

}  // namespace

std::vector<StageSection> read_stages(Reader& reader, const Node& node) {
  std::vector<StageSection> out;
  if (!reader.is_map(node, "stages")) return out;
  if (node.entries.empty()) reader.error(node.span, "'stages' is empty");
  if (node.entries.size() > kMaxStages) {
    reader.error(node.span, fmt::format("more than {} stages", kMaxStages));
    return out;
  }
  std::unordered_map<std::string, std::string> variables;  // and whose they are
  for (const Entry& entry : node.entries) {
    if (!is_name(entry.key)) {
      reader.error(entry.key_span, fmt::format("'{}' is not a name", to_valid_utf8(entry.key, 80)),
                   "a small letter, then small letters, digits, '-' and '_', at most 63");
    }
    auto [other, fresh] = variables.emplace(env_suffix(entry.key), entry.key);
    if (!fresh)
      reader.error(entry.key_span, fmt::format("'{}' and '{}' would share the variable PAWL_STAGE_{}_DIR",
                                               entry.key, other->second, other->first));
    out.push_back(read_stage(reader, entry));
  }
  return out;
}

}  // namespace pawl::pipeline
