// Examples as tensors, and the order in which training sees them.
#pragma once

#include "idx.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

struct Batch {
  at::Tensor images;  // [n, 1, 28, 28], standardised
  at::Tensor labels;  // [n]
};

// The examples with the given indices.
Batch make_batch(const Examples& examples, const std::vector<int64_t>& indices, at::Device device);

// Every epoch visits the examples in a new order. What a rank gets at a step depends on nothing but the seed
// and the step, so training can go on from a checkpoint as if it had never stopped.
class Sampler {
 public:
  // `batch` examples per step, shared out evenly among `ranks`; throws when that cannot be done.
  Sampler(int64_t examples, int64_t batch, int ranks, uint64_t seed);

  std::vector<int64_t> indices(int64_t step, int rank);

 private:
  void shuffle(int64_t epoch);

  int64_t examples_, batch_, share_;
  uint64_t seed_;
  int64_t epoch_ = -1;  // of order_
  std::vector<int64_t> order_;
};
