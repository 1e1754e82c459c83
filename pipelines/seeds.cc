#include "pipelines/seeds.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/text.h"
#include "pipelines/needs.h"

namespace pawl::pipeline {
namespace {

const StageSeeds* find(const std::vector<StageSeeds>& all, std::string_view stage) {
  const auto it = std::ranges::find(all, stage, &StageSeeds::stage);
  return it == all.end() ? nullptr : &*it;
}

// Of a stage all of whose needs are in `known`.
StageSeeds seeds_of_stage(const Stage& stage, const std::vector<StageSeeds>& known) {
  StageSeeds out{stage.name, stage.seeds, false};
  for (const std::string& need : stage.needs) {
    const StageSeeds* needed = find(known, need);
    if (needed == nullptr || needed->seeds.empty()) continue;
    if (out.seeds.empty()) out.seeds = needed->seeds;
    out.conflict |= out.seeds != needed->seeds;
  }
  return out;
}

Stage copy_of(Stage stage, int64_t seed, const std::vector<StageSeeds>& all) {
  const auto follow = [&](std::string& name) {
    const StageSeeds* seeds = find(all, name);
    if (seeds != nullptr && !seeds->seeds.empty()) name = seed_copy_name(name, seed);
  };
  stage.name = seed_copy_name(stage.name, seed);
  stage.seed = seed;
  stage.seeds.clear();
  for (std::string& need : stage.needs) follow(need);
  follow(stage.evaluates);
  return stage;
}

}  // namespace

std::string seed_copy_name(std::string_view stage, int64_t seed) {
  return fmt::format("{}@{}", stage, seed);
}

std::optional<int64_t> seed_of(std::string_view name) {
  const size_t at = name.find('@');
  if (at == std::string_view::npos) return std::nullopt;
  const auto seed = parse_int(name.substr(at + 1));
  return seed.ok() ? std::optional(*seed) : std::nullopt;
}

std::string_view without_seed(std::string_view name) {
  return seed_of(name) ? name.substr(0, name.find('@')) : name;
}

std::vector<StageSeeds> seeds_of_stages(const std::vector<Stage>& stages) {
  std::vector<StageSeeds> known;
  for (const Stage& stage : in_topological_order(stages)) known.push_back(seeds_of_stage(stage, known));
  std::vector<StageSeeds> out;
  for (const Stage& stage : stages) out.push_back(*find(known, stage.name));
  return out;
}

std::vector<Stage> copy_for_seeds(const std::vector<Stage>& stages) {
  const std::vector<StageSeeds> all = seeds_of_stages(stages);
  std::vector<Stage> out;
  for (size_t i = 0; i < stages.size(); ++i) {
    if (all[i].seeds.empty()) out.push_back(stages[i]);
    for (const int64_t seed : all[i].seeds) out.push_back(copy_of(stages[i], seed, all));
  }
  return out;
}

}  // namespace pawl::pipeline
