#include "data.h"

#include <ATen/ops/empty.h>

#include <array>
#include <numeric>
#include <random>
#include <stdexcept>

namespace {

// Mean and standard deviation of all pixels of the training images, of 0 .. 1.
constexpr float kMean = 0.2860f;
constexpr float kDeviation = 0.3530f;

std::array<float, 256> standardised_values() {
  std::array<float, 256> values;
  for (size_t i = 0; i < values.size(); ++i) values[i] = (static_cast<float>(i) / 255 - kMean) / kDeviation;
  return values;
}

}  // namespace

Batch make_batch(const Examples& examples, const std::vector<int64_t>& indices, at::Device device) {
  static const std::array<float, 256> values = standardised_values();
  const auto n = static_cast<int64_t>(indices.size());
  at::Tensor images = at::empty({n, 1, kImageSide, kImageSide}, at::kFloat);
  at::Tensor labels = at::empty({n}, at::kLong);
  float* image = images.data_ptr<float>();
  int64_t* label = labels.data_ptr<int64_t>();
  for (const int64_t index : indices) {
    const uint8_t* pixels = examples.pixels.data() + index * kPixels;
    for (int i = 0; i < kPixels; ++i) *image++ = values[pixels[i]];
    *label++ = examples.labels[static_cast<size_t>(index)];
  }
  return {images.to(device), labels.to(device)};
}

Sampler::Sampler(int64_t examples, int64_t batch, int ranks, uint64_t seed)
    : examples_(examples), batch_(batch), share_(batch / ranks), seed_(seed) {
  if (batch < 1 || batch % ranks != 0)
    throw std::runtime_error("the batch must be a multiple of the number of ranks");
  if (examples < batch) throw std::runtime_error("the training set is smaller than one batch");
}

std::vector<int64_t> Sampler::indices(int64_t step, int rank) {
  const int64_t steps_per_epoch = examples_ / batch_;
  if (epoch_ != step / steps_per_epoch) shuffle(step / steps_per_epoch);
  const auto first = order_.begin() + (step % steps_per_epoch) * batch_ + rank * share_;
  return {first, first + share_};
}

// Fisher-Yates by hand: std::shuffle may differ between standard libraries.
void Sampler::shuffle(int64_t epoch) {
  order_.resize(static_cast<size_t>(examples_));
  std::iota(order_.begin(), order_.end(), 0);
  std::mt19937_64 random(seed_ + 0x9E3779B97F4A7C15u * static_cast<uint64_t>(epoch + 1));
  for (size_t i = order_.size() - 1; i > 0; --i) std::swap(order_[i], order_[random() % (i + 1)]);
  epoch_ = epoch;
}
