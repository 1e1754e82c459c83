#include "stages/evaluate/model.h"

#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/script.h>

#include "engine/base/files.h"

namespace pawl::evaluate {
namespace {

// The first line of what torch throws; behind it come stack traces of C++ and TorchScript.
std::string first_lines(const std::string& text) {
  constexpr std::size_t kEnough = 2000;
  const std::size_t trace = text.find("\nException raised from");
  return text.substr(0, std::min(trace, kEnough));
}

Result<torch::Device> choose_device(const std::string& name) {
  if (name == "cpu") return torch::Device(torch::kCPU);
  const bool usable = torch::cuda::is_available();
  if (usable) return torch::Device(torch::kCUDA);
  if (name == "auto") return torch::Device(torch::kCPU);
  return Error(ErrorCode::unavailable, "there is no CUDA device, or this libtorch was built without CUDA");
}

// The same input gives the same output, run for run.
void make_deterministic() {
  at::globalContext().setBenchmarkCuDNN(false);
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
}

torch::Tensor tensor_of(Batch& batch) {
  return batch.floats.empty() ? torch::from_blob(batch.integers.data(), batch.shape, torch::kInt64)
                              : torch::from_blob(batch.floats.data(), batch.shape, torch::kFloat32);
}

Result<torch::Tensor> only_tensor(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor();
  if (value.isTuple() && !value.toTupleRef().elements().empty() &&
      value.toTupleRef().elements()[0].isTensor()) {
    return value.toTupleRef().elements()[0].toTensor();
  }
  return Error(ErrorCode::invalid, "the model gives a " + value.tagKind() +
                                       ", expected a tensor or a tuple that begins with one");
}

std::string shape_text(c10::IntArrayRef sizes) {
  std::string out;
  for (const std::int64_t size : sizes) out += (out.empty() ? "" : ", ") + std::to_string(size);
  return "(" + out + ")";
}

Result<void> append(const torch::Tensor& given, std::int64_t examples, Outputs& out) {
  const bool rows = given.dim() == 1 || given.dim() == 2;
  if (!rows || given.size(0) != examples || given.numel() == 0) {
    return Error(ErrorCode::invalid, "the model gives shape " + shape_text(given.sizes()) + " for " +
                                         std::to_string(examples) + " examples, expected a row for each");
  }
  const auto width = static_cast<std::size_t>(given.numel() / examples);
  if (out.width != 0 && out.width != width)
    return Error(ErrorCode::invalid, "the model gives rows of different sizes");
  out.width = width;
  const torch::Tensor values = given.to(torch::kCPU, torch::kFloat64).contiguous();
  const double* data = values.data_ptr<double>();
  out.values.insert(out.values.end(), data, data + values.numel());
  return {};
}

}  // namespace

struct Model::Torch {
  torch::jit::script::Module module;
  torch::Device device;
};

Model::Model(std::unique_ptr<Torch> torch) : torch_(std::move(torch)) {}
Model::Model(Model&&) noexcept = default;
Model::~Model() = default;

Result<Model> Model::load(const std::string& path, const std::string& device, int threads) {
  PAWL_RETURN_IF_ERROR(stat_file(path));
  PAWL_ASSIGN(const torch::Device chosen, choose_device(device));
  try {
    if (threads > 0) at::set_num_threads(threads);
    make_deterministic();
    torch::jit::script::Module module = torch::jit::load(path, chosen);
    module.eval();
    return Model(std::make_unique<Torch>(Torch{std::move(module), chosen}));
  } catch (const std::exception& error) {
    return Error(ErrorCode::invalid, first_lines(error.what()), path).wrap("no TorchScript model");
  }
}

Result<void> Model::forward(Batch& batch, Outputs& out) {
  try {
    const c10::InferenceMode no_gradients;
    const c10::IValue value = torch_->module.forward({tensor_of(batch).to(torch_->device)});
    PAWL_ASSIGN(const torch::Tensor tensor, only_tensor(value));
    return append(tensor, batch.shape[0], out);
  } catch (const std::exception& error) {
    return Error(ErrorCode::invalid, first_lines(error.what()));
  }
}

std::int64_t Model::parameters() const {
  std::int64_t count = 0;
  for (const torch::Tensor& parameter : torch_->module.parameters()) count += parameter.numel();
  return count;
}

std::string Model::device() const {
  return torch_->device.is_cuda() ? "cuda" : "cpu";
}

}  // namespace pawl::evaluate
