// The examples of a dataset as a model takes them, batch by batch.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/base/error.h"
#include "stages/evaluate/array.h"
#include "stages/evaluate/model.h"

namespace pawl::evaluate {

// (x - mean) / std, for all channels or for each; empty changes nothing. As torchvision's Normalize. An array
// has channels when its examples have three dimensions (channel, height, width).
struct Normalization {
  std::vector<float> mean;
  std::vector<float> std;  // none is 0
};

class Inputs {
 public:
  virtual ~Inputs() = default;
  virtual std::size_t size() const = 0;
  // Examples first to first + count - 1, which exist (checked). `out` is overwritten; its memory is used
  // again.
  virtual Result<void> read(std::size_t first, std::size_t count, Batch& out) = 0;
};

// Bytes (u8) become floats from 0 to 1, as pixels do with torchvision's ToTensor; other integers stay
// integers, which a model looks up; floats are handed over as float32. Error `invalid`: a normalization that
// does not fit the number of channels, or one for integers.
Result<std::unique_ptr<Inputs>> array_inputs(Array array, const Normalization& normalization);

// PNG and JPEG files, decoded when they are asked for. All must have the size and the channels (1 or 3) of
// the first. `paths` is not empty.
Result<std::unique_ptr<Inputs>> image_inputs(std::vector<std::string> paths,
                                             const Normalization& normalization);

}  // namespace pawl::evaluate
