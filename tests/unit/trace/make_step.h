// Steps as the assembler gives them, made by hand.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/trace/steps.h"

namespace pawl::trace {

class StepMaker {
 public:
  // Every rank took a second for the step; steps are ten to a second on the wall clock.
  Step step(uint64_t number, const std::vector<uint32_t>& ranks = {0}) const {
    Step step;
    step.step = number;
    step.wall_time = 1.7e9 + 0.1 * static_cast<double>(number);
    step.series = &table_;
    for (uint32_t rank : ranks) {
      double end = 1 + 0.1 * static_cast<double>(number);
      step.ranks.push_back({rank, end - 1, end});
    }
    return step;
  }
  void add(Step& step, uint32_t rank, const std::string& name, Kind kind, Observation::Value value) {
    uint32_t series = table_.intern({0, kind, Dtype::f32, {3, 4}, name}).value();
    step.observations.push_back({rank, series, std::move(value)});
  }

 private:
  SeriesTable table_;
};

}  // namespace pawl::trace
