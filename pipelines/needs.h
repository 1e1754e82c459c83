// The graph of `needs`. Names must exist; parse_pipeline() has checked that.
#pragma once

#include <string>
#include <vector>

#include "pipelines/pipeline.h"

namespace pawl::pipeline {

// "a", "b", "a" when a needs b and b needs a; empty when there is no cycle.
std::vector<std::string> find_cycle(const std::vector<Stage>& stages);

// Every stage after all it needs; otherwise the order of the file. The stages must not have a cycle.
std::vector<Stage> in_topological_order(std::vector<Stage> stages);

}  // namespace pawl::pipeline
