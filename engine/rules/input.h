// What a rule sees of one training step: the samples of all ranks, as values. The views and pointers are into
// the step it was made from.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/trace/steps.h"

namespace pawl::rules {

// `series` identifies name and kind, on every rank; `position` is the place among what the rank recorded in
// this step, which is the order of execution.
struct LossSample {
  uint32_t rank;
  uint32_t series;
  uint32_t position;
  std::string_view name;
  double value;  // the mean, when a step records it several times (accumulated micro-batches)
};

struct ScalarSample {
  uint32_t rank;
  uint32_t series;
  std::string_view name;
  double value;  // the last, when a step records it several times
};

struct TensorSample {
  uint32_t rank;
  uint32_t series;
  uint32_t position;
  trace::Kind kind;
  std::string_view name;
  std::span<const int64_t> shape;
  const trace::TensorStats* stats;  // the last, when a step records it several times
};

struct RankSample {
  uint32_t rank;
  double end_s;              // when the rank completed the step, on its monotonic clock
  std::optional<double> lr;  // scalar "lr"
  bool mixed_precision;      // a scalar "loss_scale" is recorded
  bool scaler_skipped;       // a scalar "amp.skipped" is: the loss scaler did not let the optimiser step
};

// One training step. All vectors are ordered by rank, then by position; a rank that has not completed the
// step is not in `ranks`, and nobody is when it is more of a step that has been seen.
struct Input {
  uint64_t step = 0;
  bool resumed =
      false;  // training began from a checkpoint: the first losses are not those of an untrained model
  std::vector<RankSample> ranks;
  std::vector<LossSample> losses;
  std::vector<ScalarSample> scalars;
  std::vector<TensorSample> tensors;
};

Input make_input(const trace::Step& step);

}  // namespace pawl::rules
