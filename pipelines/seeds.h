// Stages that are run once for each of several seeds, as copies of their own: "train@1", "train@2". What
// needs such a stage is copied with it, so that every seed has a chain of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/pipeline.h"

namespace pawl::pipeline {

// "train", 3 -> "train@3". No stage of a file can have such a name.
std::string seed_copy_name(std::string_view stage, int64_t seed);
std::optional<int64_t> seed_of(std::string_view name);  // 3 of "train@3"
std::string_view without_seed(std::string_view name);   // "train" of "train@3" and of "train"

struct StageSeeds {
  std::string stage;
  std::vector<int64_t> seeds;  // its own or those of what it needs; empty: it is run once
  bool conflict = false;       // what it needs has other seeds than itself, or than something else it needs
};

// In the order of `stages`, which have no cycle.
std::vector<StageSeeds> seeds_of_stages(const std::vector<Stage>& stages);

// The copies in place of the stages with seeds. The stages are in topological order and without conflicts;
// so is the result.
std::vector<Stage> copy_for_seeds(const std::vector<Stage>& stages);

}  // namespace pawl::pipeline
