// The parameters of a model in the record: values, gradients, updates, digests, the state of the optimiser.
#pragma once

#include <ATen/core/Tensor.h>
#include <pawl/detail/operators.hpp>
#include <pawl/detail/optimizer.hpp>
#include <pawl/detail/record.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace pawl {
namespace detail {

inline bool is_bias(const std::string& parameter) {
  return parameter.size() >= 4 && parameter.compare(parameter.size() - 4, 4, "bias") == 0;
}

// Keeps handles to the parameters; copies only of those whose update is to be recorded, for one step.
class Parameters {
 public:
  explicit Parameters(NamedTensors all) {
    for (auto& item : all) {
      if (dtype_of(item.second)) named_.push_back(std::move(item));
    }
    before_.resize(named_.size());
  }

  const NamedTensors& named() const { return named_; }

  void offer(Record& record) const {
    for (const auto& item : named_) {
      const std::string& name = item.first;
      for (const pawl_kind kind :
           {is_bias(name) ? PAWL_BIAS : PAWL_WEIGHT, PAWL_GRADIENT, PAWL_UPDATE, PAWL_HASH})
        record.available(name, kind);
      record.available(layer_of(name), PAWL_ACTIVATION);
    }
  }

  // The values that the next step will change.
  void keep(const Rule& updates) {
    for (size_t i = 0; i < named_.size(); ++i) {
      const auto& [name, tensor] = named_[i];
      if (bytes_of(tensor) > updates.max_bytes || !updates.include->matches(name))
        before_[i].reset();
      else if (is_comparable(before_[i], tensor))
        before_[i].copy_(tensor);
      else
        before_[i] = tensor.detach().clone();
    }
  }
  void forget_kept() {
    for (at::Tensor& tensor : before_) tensor.reset();
  }

  // After the optimiser's step, without gradient mode.
  void record(Record& record, const Request& request, Collections due) const {
    const bool any = due.has(Collection::weights) || due.has(Collection::biases) ||
                     due.has(Collection::gradients) || due.has(Collection::updates) ||
                     due.has(Collection::hashes);
    if (!any) return;
    for (size_t i = 0; i < named_.size(); ++i) {
      const auto& [name, tensor] = named_[i];
      const Collection values = is_bias(name) ? Collection::biases : Collection::weights;
      if (due.has(values))
        record.tensor(name, is_bias(name) ? PAWL_BIAS : PAWL_WEIGHT, tensor, request[values]);
      if (due.has(Collection::gradients))
        record.tensor(name, PAWL_GRADIENT, tensor.grad(), request[Collection::gradients]);
      if (due.has(Collection::updates) && is_comparable(before_[i], tensor))
        record.tensor(name, PAWL_UPDATE, tensor.detach().sub(before_[i]), request[Collection::updates]);
      if (due.has(Collection::hashes)) hash(record, name, tensor, request[Collection::hashes]);
    }
    record.flush();
  }

 private:
  static bool is_comparable(const at::Tensor& before, const at::Tensor& tensor) {
    return before.defined() && before.sizes() == tensor.sizes() && before.device() == tensor.device() &&
           before.scalar_type() == tensor.scalar_type();
  }

  static void hash(Record& record, const std::string& name, const at::Tensor& tensor, const Rule& rule) {
    if (bytes_of(tensor) > rule.max_bytes || !rule.include->matches(name)) return;
    const at::Tensor host = ordered_on_host(tensor);
    record.hash(record.series(name, PAWL_HASH, *dtype_of(tensor), tensor.sizes()),
                record.library().digest(host.data_ptr(), bytes_of(host), 0));
  }

  NamedTensors named_;
  std::vector<at::Tensor> before_;  // one for each, undefined unless kept
};

}  // namespace detail
}  // namespace pawl
