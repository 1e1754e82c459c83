// A curve by step as inline SVG: this run, the baseline and the band of the last green runs behind it, and
// the steps in which rules fired.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/report/run_report.h"

namespace pawl::report {

struct Mark {
  std::int64_t step = 0;
  std::string label;
  bool warning = false;
};

// Empty when neither curve has a finite value. Colours come from the page's classes: grid, tick, run, base,
// green, limit, mark, warning. The axis is logarithmic when positive values span more than two decades. Where
// this run's values stop being finite a cross stands at the top. Long curves are thinned to the least and
// greatest value of a column.
std::string chart_svg(const Curve& curve, const std::vector<Mark>& marks);

}  // namespace pawl::report
