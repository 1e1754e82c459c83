#include "stages/evaluate/metric_list.h"

#include <fmt/format.h>

#include <limits>

namespace pawl::evaluate {

MetricList::MetricList(std::size_t examples, std::size_t broken) : examples_(examples), broken_(broken > 0) {
  metrics_.push_back({"non_finite_outputs",
                      static_cast<double>(broken),
                      gate::Direction::lower,
                      {},
                      static_cast<std::int64_t>(examples)});
  if (!broken_) return;
  note(fmt::format("the model gives NaN or infinity for {} of {} examples: no metric has a value", broken,
                   examples));
}

void MetricList::add(const std::string& name, double value, gate::Direction direction, std::string unit) {
  if (broken_) value = std::numeric_limits<double>::quiet_NaN();
  metrics_.push_back({name, value, direction, std::move(unit), static_cast<std::int64_t>(examples_)});
}

}  // namespace pawl::evaluate
