// The model and how it learns: what a developer of this repository changes most.
// Only light torch headers, so that this part compiles in a few seconds.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

struct Settings {
  int64_t steps = 900;  // optimiser steps; .pawl.yml tells Pawl the same number
  int64_t batch = 128;  // examples per step, shared out among the ranks
  double learning_rate = 0.05;
  double momentum = 0.9;
};

// A layer with its weights, as torch keeps them: [out, in] or [out, in, height, width].
struct Layer {
  at::Tensor weight, bias;
};

class Model {
 public:
  // The same weights on every rank for the same seed.
  Model(uint64_t seed, at::Device device);

  // Images [n, 1, 28, 28] to class scores [n, 10].
  at::Tensor forward(const at::Tensor& images) const;

  NamedTensors parameters() const;

 private:
  Layer conv1_, conv2_, fc1_, fc2_;
};

// Mean cross entropy of the batch.
at::Tensor loss_of(const at::Tensor& scores, const at::Tensor& labels);

// Stochastic gradient descent with momentum; the learning rate falls to zero along a half cosine.
class Optimizer {
 public:
  Optimizer(const Model& model, const Settings& settings);

  void zero_grad();
  void step(int64_t step);
  double learning_rate(int64_t step) const;

  std::vector<at::Tensor> gradients() const;
  NamedTensors state() const { return velocity_; }

 private:
  Settings settings_;
  NamedTensors parameters_, velocity_;
};
