// Learning rate and state of an optimiser of torch::optim, without its headers: they take longer to compile
// than all the rest. Whoever has an optimiser has included them.
#pragma once

#include <ATen/core/Tensor.h>

#include <exception>
#include <functional>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace torch {
namespace optim {
struct AdagradParamState;
struct AdamParamState;
struct AdamWParamState;
struct RMSpropParamState;
struct SGDParamState;
}  // namespace optim
}  // namespace torch

namespace pawl {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

namespace detail {

// What the hook asks an optimiser. It refers to the optimiser and must not outlive it. Both may be empty.
struct OptimizerView {
  std::function<double()> learning_rate;
  std::function<NamedTensors(const NamedTensors& parameters)> state;  // fc1.weight.exp_avg, ...
};

template <class T, class = void>
struct IsComplete : std::false_type {};
template <class T>
struct IsComplete<T, std::void_t<decltype(sizeof(T))>> : std::true_type {};

// An optimiser whose header is not there cannot have made the state.
template <class State, class AnyState, class Read>
void read_as(const AnyState& state, Read read) {
  if constexpr (IsComplete<State>::value) {
    if (const auto* typed = dynamic_cast<const State*>(&state)) read(*typed);
  }
}

// The tensors of one parameter's state, as PyTorch names them in Python. Undefined where torch keeps none.
template <class AnyState>
NamedTensors tensors_of(const AnyState& state) {
  NamedTensors out;
  const auto adam = [&](const auto& of) {
    out = {
        {"exp_avg", of.exp_avg()}, {"exp_avg_sq", of.exp_avg_sq()}, {"max_exp_avg_sq", of.max_exp_avg_sq()}};
  };
  read_as<torch::optim::AdamParamState>(state, adam);
  read_as<torch::optim::AdamWParamState>(state, adam);
  read_as<torch::optim::SGDParamState>(
      state, [&](const auto& of) { out = {{"momentum_buffer", of.momentum_buffer()}}; });
  read_as<torch::optim::RMSpropParamState>(state, [&](const auto& of) {
    out = {{"square_avg", of.square_avg()},
           {"momentum_buffer", of.momentum_buffer()},
           {"grad_avg", of.grad_avg()}};
  });
  read_as<torch::optim::AdagradParamState>(state, [&](const auto& of) { out = {{"sum", of.sum()}}; });
  return out;
}

// torch keeps the state by the address of the parameter; before 2.2 by that address as text.
template <class Key>
Key state_key(const at::Tensor& parameter) {
  void* const address = parameter.unsafeGetTensorImpl();
  if constexpr (std::is_pointer<Key>::value) {
    return address;
  } else {
    std::ostringstream text;
    text << address;
    return text.str();
  }
}

template <class Optimizer>
NamedTensors state_of(Optimizer& optimizer, const NamedTensors& parameters) {
  using Key = typename std::decay_t<decltype(optimizer.state())>::key_type;
  NamedTensors all;
  for (const auto& [name, parameter] : parameters) {
    const auto found = optimizer.state().find(state_key<Key>(parameter));
    if (found == optimizer.state().end() || !found->second) continue;
    for (auto& [part, tensor] : tensors_of(*found->second)) {
      if (tensor.defined()) all.emplace_back(name + "." + part, std::move(tensor));
    }
  }
  return all;
}

template <class Optimizer>
OptimizerView view_of(Optimizer& optimizer) {
  OptimizerView view;
  view.state = [&optimizer](const NamedTensors& parameters) { return state_of(optimizer, parameters); };
  const auto learning_rate = [&optimizer] { return optimizer.param_groups().at(0).options().get_lr(); };
  try {
    learning_rate();
    view.learning_rate = learning_rate;
  } catch (const std::exception&) {
    // An optimiser of somebody's own without one.
  }
  return view;
}

}  // namespace detail
}  // namespace pawl
