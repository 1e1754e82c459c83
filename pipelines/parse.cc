#include "pipelines/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "engine/base/text.h"
#include "engine/gate/seeds.h"
#include "pipelines/needs.h"
#include "pipelines/sections.h"
#include "pipelines/seeds.h"

namespace pawl::pipeline {
namespace {

constexpr int64_t kVersion = 1;
constexpr size_t kMaxRunsOfStages = 400;
constexpr const char* kNoGate =
    "no gate.metrics and no gate.conditions: only rules and exit codes decide, no model is compared with "
    "another";

// What the sections hold, before the references between them are checked.
struct Sections {
  TriggerSection on;
  DataSection data;
  std::map<std::string, std::string> env;
  std::vector<StageSection> stages;
  GateSection gate;
};

void read_version(Reader& reader, const Node& node) {
  auto version = reader.integer(node, "version", 0, INT_MAX);
  if (version && *version != kVersion)
    reader.error(node.span,
                 fmt::format("version {} is not known: this Pawl reads version {}", *version, kVersion));
}

Sections read_sections(Reader& reader, const Node& root) {
  Sections out;
  reader.fields(root, "the pipeline",
                {{"version", [&](const Node& node) { read_version(reader, node); }, true},
                 {"on", [&](const Node& node) { out.on = read_triggers(reader, node); }, true},
                 {"data", [&](const Node& node) { out.data = read_data(reader, node); }},
                 {"env", [&](const Node& node) { out.env = read_env(reader, node); }},
                 {"stages", [&](const Node& node) { out.stages = read_stages(reader, node); }, true},
                 {"gate", [&](const Node& node) { out.gate = read_gate(reader, node); }}});
  return out;
}

template <class Range, class Name>
std::vector<std::string> names_of(const Range& range, Name name) {
  std::vector<std::string> names;
  for (const auto& element : range) names.push_back(name(element));
  return names;
}

// The stage that is judged has one model, or one for each of several seeds; the gate must ask accordingly.
void check_seeded_gate(Reader& reader, const GateSection& gate, const StageSeeds* judged) {
  const size_t seeds = judged == nullptr ? 0 : judged->seeds.size();
  for (size_t i = 0; i < gate.policy.metrics.size(); ++i) {
    const gate::MetricRule& rule = gate.policy.metrics[i];
    if (rule.seeds && seeds < gate::kMinSeeds)
      reader.error(
          gate.metric_spans[i],
          fmt::format("the test over seeds of '{}' takes at least {} seeds, and {}", rule.metric,
                      gate::kMinSeeds, seeds == 0 ? "no stage that may be judged has any" : "there are 2"),
          "seeds: 5, in the stage that trains");
    if (seeds > 0 && (rule.paired || !rule.slices.empty()))
      reader.error(
          gate.metric_spans[i],
          fmt::format(
              "paired tests and slices of '{}' look at one model, and stage '{}' is run with {} seeds",
              rule.metric, judged->stage, seeds),
          "use 'seeds' in place of them, or name another stage in 'gate.stage'");
  }
  if (seeds > 0 && !gate.policy.conditions.empty())
    reader.error(gate.conditions_span,
                 fmt::format("conditions ask about one model, and stage '{}' is run with {} seeds",
                             judged->stage, seeds),
                 "name another stage in 'gate.stage'");
}

// Without `gate.stage` any stage may turn out to be the one that is judged.
const StageSeeds* judged_seeds(const std::vector<StageSeeds>& all, const std::string& stage) {
  const auto it = std::find_if(all.begin(), all.end(), [&](const StageSeeds& seeds) {
    return stage.empty() ? !seeds.seeds.empty() : seeds.stage == stage;
  });
  return it == all.end() ? nullptr : &*it;
}

void check_seeds(Reader& reader, const Sections& sections, const std::vector<Stage>& stages) {
  const std::vector<StageSeeds> all = seeds_of_stages(stages);
  size_t runs = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    runs += std::max<size_t>(1, all[i].seeds.size());
    if (all[i].conflict)
      reader.error(sections.stages[i].span,
                   fmt::format("stage '{}' needs a stage that is run with other seeds", all[i].stage),
                   "a stage is run with the seeds of what it needs; give them to the first only");
  }
  if (runs > kMaxRunsOfStages)
    reader.error(
        sections.stages.front().span,
        fmt::format("with their seeds the stages are {} runs, more than {}", runs, kMaxRunsOfStages));
  check_seeded_gate(reader, sections.gate, judged_seeds(all, sections.gate.policy.stage));
}

void check_needs(Reader& reader, const Sections& sections, const std::vector<std::string>& stages) {
  bool all_known = true;
  for (const StageSection& section : sections.stages) {
    for (const Text& need : section.needs) {
      if (std::find(stages.begin(), stages.end(), need.value) != stages.end()) continue;
      reader.unknown(need.span, "stage", need.value, stages);
      all_known = false;
    }
  }
  if (!all_known) return;
  std::vector<Stage> nodes;
  for (const StageSection& section : sections.stages) nodes.push_back(section.stage);
  std::vector<std::string> cycle = find_cycle(nodes);
  if (cycle.empty()) return check_seeds(reader, sections, nodes);
  auto first = std::find(stages.begin(), stages.end(), cycle.front()) - stages.begin();
  reader.error(sections.stages[static_cast<size_t>(first)].span,
               fmt::format("stages wait for each other: {}", join(cycle, " needs ")));
}

void check_dataset(Reader& reader, const StageSection& section, const std::vector<std::string>& datasets) {
  if (section.data && std::find(datasets.begin(), datasets.end(), section.data->value) == datasets.end()) {
    reader.unknown(section.data->span, "dataset", section.data->value, datasets);
  } else if (!section.data && section.needs_a_dataset && datasets.size() != 1) {
    reader.error(
        section.span,
        fmt::format("which dataset is stage '{}' to read? There are {}", section.stage.name, datasets.size()),
        "with: {data: NAME}, of those in 'data'");
  }
}

void check_references(Reader& reader, const Sections& sections) {
  auto datasets = names_of(sections.data.data, [](const Dataset& data) { return data.name; });
  for (const Text& name : sections.on.data) {
    if (std::find(datasets.begin(), datasets.end(), name.value) == datasets.end())
      reader.unknown(name.span, "dataset", name.value, datasets);
  }
  for (const Text& name : sections.data.disjoint) {
    if (std::find(datasets.begin(), datasets.end(), name.value) == datasets.end())
      reader.unknown(name.span, "dataset", name.value, datasets);
  }
  for (const StageSection& section : sections.stages) check_dataset(reader, section, datasets);
  auto stages = names_of(sections.stages, [](const StageSection& section) { return section.stage.name; });
  check_needs(reader, sections, stages);
  const std::string& judged = sections.gate.policy.stage;
  if (!judged.empty() && std::find(stages.begin(), stages.end(), judged) == stages.end())
    reader.unknown(sections.gate.stage_span, "stage", judged, stages);
}

Pipeline assemble(Sections sections) {
  Pipeline pipeline;
  pipeline.on = std::move(sections.on.on);
  pipeline.data = std::move(sections.data.data);
  pipeline.env = std::move(sections.env);
  for (StageSection& section : sections.stages) pipeline.stages.push_back(std::move(section.stage));
  pipeline.gate = std::move(sections.gate.policy);
  return pipeline;
}

// Stops at the document when that is broken: what follows from it would only be noise.
std::optional<Sections> read_file(const Source& source, std::vector<Diagnostic>& diagnostics) {
  std::optional<Node> root = parse_document(source, diagnostics);
  if (!root) return std::nullopt;
  Reader reader(source, diagnostics);
  if (root->kind != Node::Kind::map) {
    reader.error(root->span, "a pipeline file is a map: version, on, stages, ...");
    return std::nullopt;
  }
  Sections sections = read_sections(reader, *root);
  check_references(reader, sections);
  return sections;
}

}  // namespace

ParseResult parse_pipeline(std::string_view text, std::string file) {
  ParseResult result;
  Source source(std::move(file), text);
  std::optional<Sections> sections = read_file(source, result.diagnostics);
  auto place = [](const Diagnostic& d) { return std::pair(d.line == 0 ? INT_MAX : d.line, d.column); };
  std::stable_sort(result.diagnostics.begin(), result.diagnostics.end(),
                   [&](const Diagnostic& a, const Diagnostic& b) { return place(a) < place(b); });
  bool failed =
      !sections || std::any_of(result.diagnostics.begin(), result.diagnostics.end(),
                               [](const Diagnostic& d) { return d.level == Diagnostic::Level::error; });
  if (failed) return result;
  if (!sections->gate.policy.judges_models() && !sections->gate.off)
    result.diagnostics.push_back(source.warning({}, kNoGate, "write 'gate: off' if this is meant"));
  result.pipeline = assemble(*std::move(sections));
  return result;
}

}  // namespace pawl::pipeline
