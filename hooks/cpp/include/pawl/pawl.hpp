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
// Every step records the losses and scalars. Steps that are asked for also record one-pass statistics of the
// parameters and their gradients as they are when step() is called: the weights after the update, the
// gradients it was made of. What is asked for may change while the training runs (`pawl capture set`). That
// is why step() belongs before zero_grad(). With several ranks call it in each; RANK tells them apart.
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

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <optional>
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
  decltype(&::pawl_capture_available) available;
  decltype(&::pawl_capture_request_generation) request_generation;
  decltype(&::pawl_capture_request) request;
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
    resolve(available, "pawl_capture_available");
    resolve(request_generation, "pawl_capture_request_generation");
    resolve(request, "pawl_capture_request");
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

// When and of which series one collection is recorded: steps from `from` to before `to` that are a multiple
// of `every`, and those of `at`.
struct Rule {
  bool off = false;
  uint64_t every = 10, from = 0, to = UINT64_MAX;
  std::vector<uint64_t> at;
  std::vector<uint64_t> ranks;             // empty: all
  std::shared_ptr<const Pattern> include;  // POSIX extended, matches anywhere in a series' name

  static std::vector<uint64_t> numbers(const std::string& list) {
    std::vector<uint64_t> out;
    std::istringstream items(list);
    for (std::string item; std::getline(items, item, ',');) out.push_back(std::stoull(item));
    return out;
  }
  static bool has(const std::vector<uint64_t>& list, uint64_t number) {
    return std::find(list.begin(), list.end(), number) != list.end();
  }

  void read(const std::string& word) {
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (key == "off") off = true;
    if (key == "every") every = std::max<uint64_t>(std::stoull(value), 1);
    if (key == "from") from = std::stoull(value);
    if (key == "to") to = std::stoull(value);
    if (key == "at") at = numbers(value);
    if (key == "ranks") ranks = numbers(value);
  }
  bool due(uint64_t step) const { return (step % every == 0 && step >= from && step < to) || has(at, step); }
};

// PAWL_CAPTURE as one rank sees it: "off", or a line for each collection, `gradients every=1 ranks=0,2
// include=<regex>`; the last line that names a collection and the rank holds.
class Request {
 public:
  bool off = false;

  static Request parse(const std::string& text, uint64_t rank) {
    Request request;
    request.off = text == "off";
    std::istringstream lines(!text.empty() ? text
                                           : "losses every=1\nscalars every=1\nweights every=10\n"
                                             "biases every=10\ngradients every=10");
    for (std::string line; std::getline(lines, line);) request.add(line, rank);
    return request;
  }

  bool due(const std::string& collection, uint64_t step) const {
    const auto rule = rules_.find(collection);
    return rule != rules_.end() && !rule->second.off && rule->second.due(step);
  }
  bool includes(const std::string& collection, const std::string& name) const {
    const auto rule = rules_.find(collection);
    return rule != rules_.end() && rule->second.include->matches(name);
  }

 private:
  void add(const std::string& line, uint64_t rank) {
    // `include` comes last and takes the rest of the line: a regular expression may hold spaces.
    const size_t include = line.find(" include=");
    Rule rule;
    rule.include =
        std::make_shared<const Pattern>(include == std::string::npos ? "" : line.substr(include + 9));
    std::istringstream words(line.substr(0, include));
    std::string collection;
    words >> collection;
    for (std::string word; words >> word;) rule.read(word);
    if (rule.ranks.empty() || Rule::has(rule.ranks, rank)) rules_[collection] = std::move(rule);
  }

  std::map<std::string, Rule> rules_;
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
    if (!capture_ || !request_.due("losses", step_)) return;
    guarded([&] {
      const std::string name = losses_seen_ == 0 ? "loss" : "loss." + std::to_string(losses_seen_);
      ++losses_seen_;
      record_scalar(name, PAWL_LOSS, value.item().toDouble());
    });
  }

  // Any number worth a curve, for example scalar("lr", optimizer's learning rate).
  void scalar(const std::string& name, double value) noexcept {
    if (!capture_ || !request_.due("scalars", step_)) return;
    guarded([&] { record_scalar(name, PAWL_SCALAR, value); });
  }

  // Ends the step: one per optimiser step.
  void step() noexcept {
    if (!capture_) return;
    guarded([&] {
      begin_step();
      record_parameters();
      check(library_->step_end(capture_));
      begun_ = false;
      losses_seen_ = 0;
      ++step_;
      if (library_->request_generation(capture_) > generation_) change_request();
    });
  }

 private:
  struct Parameter {
    std::string name;
    at::Tensor tensor;
    pawl_dtype dtype;
    bool bias;
    std::optional<uint32_t> value_series, gradient_series;  // once they are recorded
  };

  void attach(NamedTensors parameters) {
    const std::string trace_dir = detail::env("PAWL_TRACE_DIR", "");
    rank_ = std::stoul(detail::env("RANK", "0"));
    request_ = detail::Request::parse(detail::env("PAWL_CAPTURE", ""), rank_);
    if (trace_dir.empty() || request_.off) return;

    static const detail::CaptureLibrary library(
        detail::env("PAWL_CAPTURE_LIB", "libpawl_capture.so").c_str());
    library_ = &library;
    open(trace_dir);

    for (auto& [name, tensor] : parameters) {
      pawl_dtype dtype;
      if (tensor.layout() != at::kStrided || !detail::dtype_of(tensor, dtype)) continue;
      const bool bias = name.size() >= 4 && name.compare(name.size() - 4, 4, "bias") == 0;
      check(library_->available(capture_, name.c_str(), bias ? PAWL_BIAS : PAWL_WEIGHT));
      check(library_->available(capture_, name.c_str(), PAWL_GRADIENT));
      parameters_.push_back({std::move(name), tensor, dtype, bias, {}, {}});
    }
  }

  void open(const std::string& trace_dir) {
    const std::string control = detail::env("PAWL_CONTROL_FILE", "");
    pawl_capture_options options{};
    options.struct_size = sizeof options;
    options.rank = static_cast<uint32_t>(rank_);
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
    const bool weights = request_.due("weights", step_), biases = request_.due("biases", step_);
    const bool gradients = request_.due("gradients", step_);
    if (!weights && !biases && !gradients) return;
    const at::NoGradGuard no_grad;
    for (Parameter& p : parameters_) {
      if ((p.bias ? biases : weights) && request_.includes(p.bias ? "biases" : "weights", p.name))
        record(p.tensor, p, p.bias ? PAWL_BIAS : PAWL_WEIGHT, p.value_series);
      if (gradients && request_.includes("gradients", p.name))
        record(p.tensor.grad(), p, PAWL_GRADIENT, p.gradient_series);
    }
  }

  void record(const at::Tensor& tensor, const Parameter& of, pawl_kind kind,
              std::optional<uint32_t>& series) {
    pawl_dtype dtype;
    if (!tensor.defined() || tensor.layout() != at::kStrided || !detail::dtype_of(tensor, dtype)) return;
    if (!series) series = declare(of.name, kind, of.dtype, of.tensor);
    const at::Tensor plain = tensor.detach().cpu().contiguous();
    check(library_->tensor(capture_, *series, plain.data_ptr(), dtype, static_cast<uint64_t>(plain.numel())));
  }

  // Somebody asks for something else while the training runs; it holds for the next step.
  void change_request() {
    begin_step();
    std::vector<char> text(PAWL_REQUEST_CAPACITY);
    const pawl_status status = library_->request(capture_, text.data(), text.size(), &generation_);
    if (status == PAWL_E_BUSY) return;
    check(status);
    try {
      request_ = detail::Request::parse(text.data(), rank_);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "pawl: what is recorded stays as it was: %s\n", error.what());
    }
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
  detail::Request request_;
  uint64_t generation_ = 1;  // of the request; that of the environment is the first
  uint64_t rank_ = 0;
  uint64_t step_;
  uint32_t losses_seen_ = 0;
  bool begun_ = false;
};

}  // namespace pawl
