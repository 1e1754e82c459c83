// Pawl's hook for training loops in C++ with libtorch. Three lines:
//
//   pawl::Hook hook(model);          // a torch::nn::Module, or a vector of (name, tensor)
//   for (...) {
//     optimizer.zero_grad();
//     auto loss = criterion(model.forward(x), y);
//     hook.loss(loss);               // before backward()
//     loss.backward();
//     optimizer.step();
//     hook.step();                   // after optimizer.step(), before the next zero_grad()
//   }
//
// Every step records the losses and scalars. Every N-th step (and step 0) also records one-pass statistics of
// the parameters and their gradients as they are when step() is called: the weights after the update, the
// gradients it was made of. That is why step() belongs before zero_grad(). With several ranks call it in
// each; RANK tells them apart.
//
// Outside a Pawl run (no PAWL_TRACE_DIR, or PAWL_CAPTURE=off) every call returns at once. The capture library
// is loaded at run time from PAWL_CAPTURE_LIB: nothing is linked, and a program built with this header runs
// without Pawl. Nothing here throws or ends the training: on trouble the hook says so once on stderr and
// stays quiet.
//
// One hook per process, used by one thread. It keeps handles to the parameters, no copies. A tensor on a GPU,
// or one that is not contiguous, is copied for its statistics; loss() waits for the GPU.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <dlfcn.h>
#include <pawl/capture.h>
#include <regex.h>
#include <torch/version.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pawl {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

namespace detail {

// The functions of libpawl_capture.so that the hook calls. Never unloaded: its writer thread may outlive any
// object.
struct CaptureLibrary {
  decltype(&::pawl_capture_open) open;
  decltype(&::pawl_capture_series) series;
  decltype(&::pawl_capture_step_begin) step_begin;
  decltype(&::pawl_capture_step_end) step_end;
  decltype(&::pawl_capture_scalar) scalar;
  decltype(&::pawl_capture_tensor) tensor;
  decltype(&::pawl_capture_close) close;
  decltype(&::pawl_capture_last_error) last_error;

  explicit CaptureLibrary(const char* path) : handle_(::dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_) throw std::runtime_error(::dlerror());
    resolve(open, "pawl_capture_open");
    resolve(series, "pawl_capture_series");
    resolve(step_begin, "pawl_capture_step_begin");
    resolve(step_end, "pawl_capture_step_end");
    resolve(scalar, "pawl_capture_scalar");
    resolve(tensor, "pawl_capture_tensor");
    resolve(close, "pawl_capture_close");
    resolve(last_error, "pawl_capture_last_error");
  }

 private:
  template <class Function>
  void resolve(Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(handle_, name));
    if (!function) throw std::runtime_error(std::string("no ") + name + " in the capture library");
  }
  void* handle_;
};

inline std::string env(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

// PAWL_CAPTURE: "off", or `key=value` separated by spaces; `include` comes last and may hold spaces.
struct Request {
  bool off = false;
  uint64_t every = 10;
  std::string collections = "losses,scalars,weights,biases,gradients";
  std::string include;  // POSIX extended, matches anywhere in a series' name; empty: all

  static Request parse(std::string text) {
    Request request;
    request.off = text == "off";
    const size_t include = (" " + text).find(" include=");
    if (include != std::string::npos) {
      request.include = text.substr(include + 8);
      text.resize(include);
    }
    std::istringstream words(text);
    for (std::string word; words >> word;) {
      if (word.rfind("every=", 0) == 0) request.every = std::stoull(word.substr(6));
      if (word.rfind("collections=", 0) == 0) request.collections = word.substr(12);
    }
    if (request.every == 0) request.every = 1;
    return request;
  }

  bool wants(const std::string& collection) const {
    return ("," + collections + ",").find("," + collection + ",") != std::string::npos;
  }
};

class Pattern {
 public:
  explicit Pattern(const std::string& text) : any_(text.empty()) {
    if (!any_ && ::regcomp(&regex_, text.c_str(), REG_EXTENDED | REG_NOSUB) != 0)
      throw std::runtime_error("bad include pattern '" + text + "'");
  }
  ~Pattern() {
    if (!any_) ::regfree(&regex_);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  bool matches(const std::string& name) const {
    return any_ || ::regexec(&regex_, name.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  bool any_;
  regex_t regex_;
};

// False for what has no one-pass statistics: complex and quantised numbers.
inline bool dtype_of(const at::Tensor& tensor, pawl_dtype& out) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return out = PAWL_F32, true;
    case at::kDouble:
      return out = PAWL_F64, true;
    case at::kHalf:
      return out = PAWL_F16, true;
    case at::kBFloat16:
      return out = PAWL_BF16, true;
    case at::kChar:
      return out = PAWL_I8, true;
    case at::kShort:
      return out = PAWL_I16, true;
    case at::kInt:
      return out = PAWL_I32, true;
    case at::kLong:
      return out = PAWL_I64, true;
    case at::kByte:
      return out = PAWL_U8, true;
    case at::kBool:
      return out = PAWL_BOOL, true;
    default:
      return false;
  }
}

}  // namespace detail

class Hook {
 public:
  // `first_step` is the number of optimiser steps that a checkpoint has already seen.
  explicit Hook(NamedTensors parameters, uint64_t first_step = 0) noexcept : step_(first_step) {
    guarded([&] { attach(std::move(parameters)); });
  }

  // Any module with torch's named_parameters().
  template <class Module, class = decltype(std::declval<const Module&>().named_parameters())>
  explicit Hook(const Module& module, uint64_t first_step = 0) noexcept : step_(first_step) {
    guarded([&] {
      NamedTensors parameters;
      for (const auto& item : module.named_parameters()) parameters.emplace_back(item.key(), item.value());
      attach(std::move(parameters));
    });
  }

  ~Hook() { detach(); }
  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;

  // Call once per backward(), before it: the first loss of a step is recorded as "loss", further ones as
  // "loss.1" ...
  void loss(const at::Tensor& value) noexcept {
    if (!capture_ || !losses_) return;
    guarded([&] {
      const std::string name = losses_seen_ == 0 ? "loss" : "loss." + std::to_string(losses_seen_);
      ++losses_seen_;
      record_scalar(name, PAWL_LOSS, value.item().toDouble());
    });
  }

  // Any number worth a curve, for example scalar("lr", optimizer's learning rate).
  void scalar(const std::string& name, double value) noexcept {
    if (!capture_ || !scalars_) return;
    guarded([&] { record_scalar(name, PAWL_SCALAR, value); });
  }

  // Ends the step: one per optimiser step.
  void step() noexcept {
    if (!capture_) return;
    guarded([&] {
      begin_step();
      if (step_ % every_ == 0) record_parameters();
      check(library_->step_end(capture_));
      begun_ = false;
      losses_seen_ = 0;
      ++step_;
    });
  }

 private:
  struct Parameter {
    at::Tensor tensor;
    bool value, gradient;  // which of the two are asked for
    uint32_t value_series, gradient_series;
  };

  void attach(NamedTensors parameters) {
    const std::string trace_dir = detail::env("PAWL_TRACE_DIR", "");
    const auto request = detail::Request::parse(detail::env("PAWL_CAPTURE", ""));
    if (trace_dir.empty() || request.off) return;

    static const detail::CaptureLibrary library(
        detail::env("PAWL_CAPTURE_LIB", "libpawl_capture.so").c_str());
    library_ = &library;
    every_ = request.every;
    losses_ = request.wants("losses");
    scalars_ = request.wants("scalars");
    open(trace_dir);

    const detail::Pattern include(request.include);
    for (auto& [name, tensor] : parameters) {
      pawl_dtype dtype;
      if (!include.matches(name) || tensor.layout() != at::kStrided || !detail::dtype_of(tensor, dtype))
        continue;
      const bool bias = name.size() >= 4 && name.compare(name.size() - 4, 4, "bias") == 0;
      Parameter parameter{tensor, request.wants(bias ? "biases" : "weights"), request.wants("gradients"), 0,
                          0};
      if (parameter.value)
        parameter.value_series = declare(name, bias ? PAWL_BIAS : PAWL_WEIGHT, dtype, tensor);
      if (parameter.gradient) parameter.gradient_series = declare(name, PAWL_GRADIENT, dtype, tensor);
      parameters_.push_back(std::move(parameter));
    }
  }

  void open(const std::string& trace_dir) {
    const std::string control = detail::env("PAWL_CONTROL_FILE", "");
    pawl_capture_options options{};
    options.struct_size = sizeof options;
    options.rank = static_cast<uint32_t>(std::stoul(detail::env("RANK", "0")));
    options.world_size = static_cast<uint32_t>(std::stoul(detail::env("WORLD_SIZE", "1")));
    options.trace_dir = trace_dir.c_str();
    options.control_path = control.empty() ? nullptr : control.c_str();
    options.producer = "c++ libtorch " TORCH_VERSION;
    check(library_->open(&options, &capture_));
  }

  uint32_t declare(const std::string& name, pawl_kind kind, pawl_dtype dtype, const at::Tensor& tensor) {
    uint32_t id = 0;
    const auto shape = tensor.sizes();
    check(library_->series(capture_, name.c_str(), kind, dtype, shape.data(),
                           static_cast<uint32_t>(shape.size()), &id));
    return id;
  }

  void begin_step() {
    if (begun_) return;
    check(library_->step_begin(capture_, step_, /*mode: train*/ 0));
    begun_ = true;
  }

  void record_scalar(const std::string& name, pawl_kind kind, double value) {
    begin_step();
    uint32_t id = 0;
    check(library_->series(capture_, name.c_str(), kind, PAWL_F64, nullptr, 0, &id));
    check(library_->scalar(capture_, id, value));
  }

  void record_parameters() {
    const at::NoGradGuard no_grad;
    for (const Parameter& parameter : parameters_) {
      if (parameter.value) record(parameter.tensor, parameter.value_series);
      if (parameter.gradient) record(parameter.tensor.grad(), parameter.gradient_series);
    }
  }

  void record(const at::Tensor& tensor, uint32_t series) {
    pawl_dtype dtype;
    if (!tensor.defined() || tensor.layout() != at::kStrided || !detail::dtype_of(tensor, dtype)) return;
    const at::Tensor plain = tensor.detach().cpu().contiguous();
    check(library_->tensor(capture_, series, plain.data_ptr(), dtype, static_cast<uint64_t>(plain.numel())));
  }

  // A full ring drops a record and counts it: that is no reason to stop recording.
  void check(pawl_status status) const {
    if (status == PAWL_OK || status == PAWL_E_FULL) return;
    throw std::runtime_error(library_->last_error(capture_));
  }

  template <class Body>
  void guarded(Body body) noexcept {
    try {
      body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "pawl: this rank is not recorded any more: %s\n", error.what());
      detach();
    } catch (...) {
      detach();
    }
  }

  void detach() noexcept {
    if (capture_) library_->close(capture_);
    capture_ = nullptr;
  }

  const detail::CaptureLibrary* library_ = nullptr;
  pawl_capture* capture_ = nullptr;  // null: not recording
  std::vector<Parameter> parameters_;
  uint64_t step_;
  uint64_t every_ = 10;
  uint32_t losses_seen_ = 0;
  bool losses_ = false, scalars_ = false;
  bool begun_ = false;
};

}  // namespace pawl
