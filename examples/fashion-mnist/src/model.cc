#include "model.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

namespace {

// Starts like torch's own layers: uniform within 1 / sqrt(inputs). Drawn on the CPU, so that every device
// starts from the same weights.
Layer make_layer(at::IntArrayRef shape, at::Generator& random, at::Device device) {
  at::Tensor weight = at::empty(shape);
  const double inputs = static_cast<double>(weight.numel()) / static_cast<double>(shape[0]);
  const double bound = 1 / std::sqrt(inputs);
  weight.uniform_(-bound, bound, random);
  return {weight.to(device).requires_grad_(),
          at::zeros({shape[0]}, weight.options().device(device)).requires_grad_()};
}

}  // namespace

Model::Model(uint64_t seed, at::Device device) {
  at::Generator random = at::make_generator<at::CPUGeneratorImpl>(seed);
  conv1_ = make_layer({8, 1, 5, 5}, random, device);
  conv2_ = make_layer({32, 8, 3, 3}, random, device);
  fc1_ = make_layer({64, 32 * 7 * 7}, random, device);
  fc2_ = make_layer({10, 64}, random, device);
}

at::Tensor Model::forward(const at::Tensor& images) const {
  at::Tensor x = at::relu(at::conv2d(images, conv1_.weight, conv1_.bias, /*stride=*/2, /*padding=*/2));
  x = at::relu(at::conv2d(x, conv2_.weight, conv2_.bias, /*stride=*/2, /*padding=*/1));
  x = at::relu(at::linear(x.flatten(1), fc1_.weight, fc1_.bias));
  return at::linear(x, fc2_.weight, fc2_.bias);
}

NamedTensors Model::parameters() const {
  return {{"conv1.weight", conv1_.weight}, {"conv1.bias", conv1_.bias}, {"conv2.weight", conv2_.weight},
          {"conv2.bias", conv2_.bias},     {"fc1.weight", fc1_.weight}, {"fc1.bias", fc1_.bias},
          {"fc2.weight", fc2_.weight},     {"fc2.bias", fc2_.bias}};
}

at::Tensor loss_of(const at::Tensor& scores, const at::Tensor& labels) {
  return at::cross_entropy_loss(scores, labels);
}

Optimizer::Optimizer(const Model& model, const Settings& settings)
    : settings_(settings), parameters_(model.parameters()) {
  for (const auto& [name, value] : parameters_)
    velocity_.emplace_back(name + ".momentum_buffer", at::zeros_like(value));
}

void Optimizer::zero_grad() {
  for (auto& parameter : parameters_) parameter.second.mutable_grad().reset();
}

void Optimizer::step(int64_t step) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& velocity = velocity_[i].second;
    velocity.mul_(settings_.momentum).add_(parameters_[i].second.grad());
    parameters_[i].second.sub_(velocity, learning_rate(step));
  }
}

double Optimizer::learning_rate(int64_t step) const {
  const double progress = static_cast<double>(step) / static_cast<double>(settings_.steps);
  return settings_.learning_rate * 0.5 * (1 + std::cos(M_PI * progress));
}

std::vector<at::Tensor> Optimizer::gradients() const {
  std::vector<at::Tensor> gradients;
  for (const auto& parameter : parameters_) gradients.push_back(parameter.second.grad());
  return gradients;
}
