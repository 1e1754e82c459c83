// The plan of a run: the pipeline with everything resolved, in the order of work. The engine stores its text
// with the run, so that a restart or a rerun does what was decided then, whatever defaults are today.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "pipelines/pipeline.h"

namespace pawl::pipeline {

// The runs that gate.early compares with.
struct GreenRuns {
  std::vector<std::string> ids;  // nearest first
  std::string missing;           // why they cannot be told; empty: they are known, as many as there are

  bool operator==(const GreenRuns&) const = default;
};

struct Plan {
  std::map<std::string, std::string> env;
  std::vector<Dataset> data;
  std::vector<Stage> stages;  // each after all it needs; those with seeds as their copies
  gate::Policy gate;
  GreenRuns green_runs;  // looked up when the run was prepared; make_plan() knows of none

  bool operator==(const Plan&) const = default;
};

Plan make_plan(Pipeline pipeline);

// One JSON object; the same plan always gives the same text.
std::string to_json(const Plan& plan);

// What to_json() wrote. Error invalid for anything else, also for a rule or parameter that this version does
// not have. Ranges are not checked again: the text is the engine's own.
Result<Plan> plan_from_json(std::string_view text);

}  // namespace pawl::pipeline
