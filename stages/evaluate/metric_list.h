// Collects the metrics of one model on one test set.
#pragma once

#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/metrics.h"

namespace pawl::evaluate {

class MetricList {
 public:
  // `broken` examples of `examples` have no usable output: then no metric has a value.
  MetricList(std::size_t examples, std::size_t broken);

  void higher(const std::string& name, double value) { add(name, value, gate::Direction::higher, {}); }
  void lower(const std::string& name, double value, std::string unit = {}) {
    add(name, value, gate::Direction::lower, std::move(unit));
  }
  // The value of `compute()`, which is not called when there are broken examples; its error becomes a note.
  template <class Compute>
  void higher_if(const std::string& name, Compute compute) {
    try_add(name, compute, gate::Direction::higher, {});
  }
  template <class Compute>
  void lower_if(const std::string& name, Compute compute, std::string unit = {}) {
    try_add(name, compute, gate::Direction::lower, std::move(unit));
  }

  std::vector<gate::Metric> take_metrics() { return std::move(metrics_); }
  std::vector<std::string> take_notes() { return std::move(notes_); }
  void note(std::string text) { notes_.push_back(std::move(text)); }

 private:
  void add(const std::string& name, double value, gate::Direction direction, std::string unit);

  template <class Compute>
  void try_add(const std::string& name, Compute& compute, gate::Direction direction, std::string unit) {
    if (broken_) {
      add(name, 0, direction, std::move(unit));
      return;
    }
    const Result<double> value = compute();
    if (value) {
      add(name, *value, direction, std::move(unit));
    } else {
      note(name + " is left out: " + value.error().message());
    }
  }

  std::size_t examples_;
  bool broken_;
  std::vector<gate::Metric> metrics_;
  std::vector<std::string> notes_;
};

}  // namespace pawl::evaluate
