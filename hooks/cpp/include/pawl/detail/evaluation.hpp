// What is recorded of an evaluation: the pass over examples between two steps of the training.
#pragma once

#include <pawl/detail/activations.hpp>
#include <pawl/detail/record.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace pawl {
namespace detail {

class Evaluation {
 public:
  Activations activations;

  void loss(double value) {
    loss_sum_ += value;
    ++losses_;
  }
  // The last value counts.
  void scalar(const std::string& name, double value) { scalars_[name] = value; }

  bool empty() const { return losses_ == 0 && scalars_.empty() && activations.empty(); }

  // As one step in evaluation mode under the number of the training step that it follows; and forgets it. A
  // step that is under way in the record does not go on after it.
  void write(Record& record, uint64_t step) {
    record.begin(step, /*mode: eval*/ 1);
    if (losses_ > 0) record.scalar("loss", PAWL_LOSS, loss_sum_ / static_cast<double>(losses_));
    for (const auto& [name, value] : scalars_) record.scalar(name, PAWL_SCALAR, value);
    activations.write(record);
    record.end();
    *this = {};
  }

 private:
  double loss_sum_ = 0;
  uint64_t losses_ = 0;
  std::map<std::string, double> scalars_;
};

}  // namespace detail
}  // namespace pawl
