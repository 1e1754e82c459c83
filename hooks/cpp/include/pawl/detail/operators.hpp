// The outputs of torch's operators while a model runs forward, named after its layers. Modules in C++ have no
// hooks; operators do (at::RecordFunction), and one that is given a parameter is the layer the parameter
// belongs to.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/record_function.h>
#include <pawl/detail/optimizer.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace pawl {
namespace detail {

// The layer of a parameter: `fc1` of `fc1.weight`.
inline std::string layer_of(const std::string& parameter) {
  return parameter.substr(0, std::min(parameter.rfind('.'), parameter.size()));
}

// RecordFunction::inputs() asserts, in a program that is built without NDEBUG, something that a libtorch
// built with NDEBUG never makes true. So the member behind it is read: an explicit instantiation may name it.
c10::ArrayRef<const c10::IValue> inputs_of(const at::RecordFunction& function);
template <auto Inputs>
struct InputsOf {
  friend c10::ArrayRef<const c10::IValue> inputs_of(const at::RecordFunction& function) {
    return function.*Inputs;
  }
};
template struct InputsOf<&at::RecordFunction::inputs_>;

// Sees the operators that the thread which armed it calls, not those that operators call in turn. Costs
// nothing while it is not armed. An operator counts when its output depends on a parameter, which is what
// autograd knows; in an evaluation without gradients, when it is given a parameter. Views and single numbers
// do not count.
//
// An operator that is given a parameter of `conv1` is called `conv1`; those between it and the next layer
// `conv1.relu`, `conv1.relu.1`, ... An addition is never a layer: it may be the bias of one.
class Operators {
 public:
  using See = std::function<void(const std::string& name, const at::Tensor& output)>;

  // The parameters must live as long as this does.
  Operators(const NamedTensors& parameters, See see) : see_(std::move(see)) {
    for (const auto& [name, tensor] : parameters) layers_[tensor.unsafeGetTensorImpl()] = layer_of(name);
  }
  ~Operators() { disarm(); }
  Operators(const Operators&) = delete;
  Operators& operator=(const Operators&) = delete;

  void arm(bool evaluation) {
    evaluation_ = evaluation;
    start_forward();
    if (handle_) return;
    depth_ = 0;
    armed_ = this;
    handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&begin, &end)
                                             .needsInputs(true)
                                             .needsOutputs(true)
                                             .scopes({at::RecordScope::FUNCTION}));
  }

  void disarm() {
    if (!handle_) return;
    at::removeCallback(*handle_);
    handle_.reset();
    armed_ = nullptr;
  }

  // The next operator is none that follows a layer.
  void start_forward() {
    last_layer_.clear();
    followers_.clear();
  }

 private:
  static std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
    // Autograd's own threads inherit the callback, but not this.
    if (armed_ && armed_->depth_++ == 0) armed_->layer_ = armed_->layer_among(inputs_of(function));
    return nullptr;
  }

  static void end(const at::RecordFunction& function, at::ObserverContext*) {
    Operators* const self = armed_;
    if (!self) return;
    if (self->depth_ == 1 && !function.outputs().empty() && function.outputs()[0].isTensor())
      self->look_at(function.name(), function.outputs()[0].toTensor());
    --self->depth_;
  }

  // Null when no input is a parameter, or a view of one.
  const std::string* layer_among(c10::ArrayRef<const c10::IValue> inputs) const {
    for (const c10::IValue& input : inputs) {
      if (input.isTensor()) {
        if (const std::string* layer = layer_with(input.toTensor())) return layer;
      } else if (input.isTensorList()) {
        for (const at::Tensor& tensor : input.toTensorVector()) {
          if (const std::string* layer = layer_with(tensor)) return layer;
        }
      }
    }
    return nullptr;
  }

  const std::string* layer_with(const at::Tensor& tensor) const {
    if (!tensor.defined()) return nullptr;
    auto found = layers_.find(tensor.unsafeGetTensorImpl());
    if (found == layers_.end() && tensor.is_view())
      found = layers_.find(tensor._base().unsafeGetTensorImpl());
    return found == layers_.end() ? nullptr : &found->second;
  }

  void look_at(const char* function, const at::Tensor& output) {
    if (!output.defined() || output.numel() < 2) return;
    if (output.is_leaf() && !(evaluation_ && layer_)) return;
    const char* colons = std::strstr(function, "::");
    const std::string name = colons ? colons + 2 : function;
    const bool in_place = name.back() == '_';
    if (output.is_view() && !in_place) return;  // says nothing new
    see_(name_of(name), output);
  }

  std::string name_of(const std::string& function) {
    if (layer_ && function != "add" && function != "add_") {
      followers_.clear();
      return last_layer_ = *layer_;
    }
    const std::string name = last_layer_.empty() ? function : last_layer_ + "." + function;
    const uint64_t before = followers_[name]++;
    return before == 0 ? name : name + "." + std::to_string(before);
  }

  static inline thread_local Operators* armed_ = nullptr;

  See see_;
  std::unordered_map<const c10::TensorImpl*, std::string> layers_;  // by parameter
  std::optional<at::CallbackHandle> handle_;                        // while armed
  bool evaluation_ = false;
  int depth_ = 0;                       // of operators within operators
  const std::string* layer_ = nullptr;  // of the outermost one
  std::string last_layer_;
  std::map<std::string, uint64_t> followers_;
};

}  // namespace detail
}  // namespace pawl
