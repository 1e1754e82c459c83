// A TorchScript model. The one file of this program that knows torch is model.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/error.h"

namespace pawl::evaluate {

// What goes into a model: examples one after the other, either floats or integers.
struct Batch {
  std::vector<std::int64_t> shape;  // the first dimension counts the examples
  std::vector<float> floats;
  std::vector<std::int64_t> integers;  // used when `floats` is empty
};

// What came out: `width` numbers for each example.
struct Outputs {
  std::size_t width = 0;  // 0 until the first batch
  std::vector<double> values;
};

class Model {
 public:
  // `device` is cpu, cuda or auto (cuda where there is a usable one). `threads` within an operator; 0 leaves
  // torch's choice, which OMP_NUM_THREADS changes. Both hold for the whole process: one model at a time.
  // Errors: not_found, invalid (no TorchScript), unavailable (no such device).
  static Result<Model> load(const std::string& path, const std::string& device, int threads);

  Model(Model&&) noexcept;
  ~Model();

  // Appends what the model says of a batch; returns when it is there. The model may change the batch. Error
  // `invalid`: the model throws, or gives something else than a tensor (or a tuple that begins with one) of
  // one row for each example.
  Result<void> forward(Batch& batch, Outputs& out);

  std::int64_t parameters() const;  // numbers that training changes
  std::string device() const;       // "cpu", "cuda"

 private:
  struct Torch;
  explicit Model(std::unique_ptr<Torch> torch);
  std::unique_ptr<Torch> torch_;
};

}  // namespace pawl::evaluate
