// Pawl's hook for training loops in C++ with libtorch. Three lines:
//
//   pawl::Hook hook(model, optimizer);
//   for (...) {
//     optimizer.zero_grad();
//     auto loss = criterion(model.forward(x), y);
//     hook.loss(loss);               // before backward()
//     loss.backward();
//     optimizer.step();
//     hook.step();                   // after optimizer.step(), before the next zero_grad()
//   }
//
// Every step records the losses and scalars, among them the learning rate `lr` of the optimiser. Steps that
// are asked for also record one-pass statistics of the parameters and their gradients as they are when step()
// is called: the weights after the update, the gradients it was made of. That is why step() belongs before
// zero_grad(). Asked for, and without a further line, are recorded too: updates, the state of the optimiser,
// digests of the parameters, and activations, which are named after the layer whose parameters an operator of
// torch is given (detail/operators.hpp). What is asked for may change while the training runs (`pawl capture
// set`). With several ranks call the hook in each; RANK tells them apart.
//
// Further lines record what the hook cannot see by itself:
//
//   hook.batch(x, y);                  // which examples the step is given
//   hook.probe("attention", scores);   // any tensor, as an activation
//   hook.scalar("temperature", t);     // any number
//   hook.mode(pawl::Mode::eval);       // an evaluation begins; Mode::train ends it
//
// Outside a Pawl run (no PAWL_TRACE_DIR, or PAWL_CAPTURE=off) every call returns at once, as it does in a
// step in which nothing is asked of it. The capture library is loaded at run time from PAWL_CAPTURE_LIB:
// nothing is linked, and a program built with this header runs without Pawl. Nothing here throws or ends the
// training: on trouble the hook says so once on stderr and stays quiet.
//
// One hook per process, used by one thread; make it when a checkpoint has been loaded. It keeps handles to
// the parameters. It copies them only in a step whose updates are asked for, and their statistics need a copy
// where a tensor is on a GPU or has gaps in memory. loss() waits for the GPU.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <pawl/capture.h>
#include <pawl/detail/activations.hpp>
#include <pawl/detail/batch.hpp>
#include <pawl/detail/evaluation.hpp>
#include <pawl/detail/library.hpp>
#include <pawl/detail/operators.hpp>
#include <pawl/detail/optimizer.hpp>
#include <pawl/detail/parameters.hpp>
#include <pawl/detail/record.hpp>
#include <pawl/detail/request.hpp>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace pawl {

enum class Mode { train, eval };

class Hook {
 public:
  // `first_step` is the number of optimiser steps that a checkpoint has already seen.
  explicit Hook(NamedTensors parameters, uint64_t first_step = 0) noexcept : step_(first_step) {
    guarded([&] { attach(std::move(parameters), {}); });
  }

  // With an optimiser of your own: its state as tensors that it changes in place, named as they are to be
  // recorded.
  Hook(NamedTensors parameters, NamedTensors optimizer_state, uint64_t first_step = 0) noexcept
      : step_(first_step) {
    guarded([&] {
      attach(std::move(parameters),
             {{}, [state = std::move(optimizer_state)](const NamedTensors&) { return state; }});
    });
  }

  // Any module with torch's named_parameters().
  template <class Module, class = decltype(std::declval<const Module&>().named_parameters())>
  explicit Hook(const Module& module, uint64_t first_step = 0) noexcept : step_(first_step) {
    guarded([&] { attach(parameters_of(module), {}); });
  }

  // And an optimiser of torch::optim, which must live as long as step() is called.
  template <class Module, class Optimizer, class = decltype(std::declval<const Module&>().named_parameters()),
            class = decltype(std::declval<Optimizer&>().param_groups())>
  Hook(const Module& module, Optimizer& optimizer, uint64_t first_step = 0) noexcept : step_(first_step) {
    guarded([&] { attach(parameters_of(module), detail::view_of(optimizer)); });
  }

  ~Hook() {
    if (record_) guarded([&] { write_evaluation(); });  // whatever step has begun: none follows
    detach();
  }
  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;

  // Call once per backward(), before it: the first loss of a step is recorded as "loss", further ones as
  // "loss.1" ... Of an evaluation the mean of all losses is recorded.
  void loss(const at::Tensor& value) noexcept {
    if (operators_) operators_->start_forward();
    if (!due_.has(Collection::losses)) return;
    guarded([&] {
      const double number = value.item().toDouble();
      if (mode_ == Mode::eval) return evaluation_.loss(number);
      begin_step();
      record_->scalar(losses_seen_ == 0 ? "loss" : "loss." + std::to_string(losses_seen_), PAWL_LOSS, number);
      ++losses_seen_;
    });
  }

  // Any number worth a curve.
  void scalar(const std::string& name, double value) noexcept {
    if (!due_.has(Collection::scalars)) return;
    guarded([&] {
      if (mode_ == Mode::eval) return evaluation_.scalar(name, value);
      begin_step();
      record_->scalar(name, PAWL_SCALAR, value);
    });
  }

  // Any tensor, recorded as an activation of that name.
  void probe(const std::string& name, const at::Tensor& value) noexcept {
    if (due_.has(Collection::activations)) guarded([&] { see(name, value); });
  }

  // What the model is given in this step, and the right answers if they are classes: a digest of the inputs,
  // how many examples they are, and how many have each label.
  void batch(const at::Tensor& inputs, const at::Tensor& labels = {}) noexcept {
    if (due_.has(Collection::batches) && mode_ == Mode::train)
      guarded([&] { batch_.add(*record_, inputs, labels); });
  }

  // What happens between Mode::eval and the next Mode::train, or step(), is one evaluation. It is recorded
  // under the number of the step that it follows.
  void mode(Mode mode) noexcept {
    if (!record_ || mode == mode_) return;
    guarded([&] {
      mode_ = mode;
      if (mode == Mode::train && !begun_) write_evaluation();
      plan();
    });
  }

  // Ends the step: one per optimiser step.
  void step() noexcept {
    mode(Mode::train);
    if (!record_) return;
    guarded([&] {
      begin_step();
      if (optimizer_.state && !state_offered_) offer_state();
      record_step();
      record_->end();
      begun_ = false;
      losses_seen_ = 0;
      write_evaluation();
      ++step_;
      if (record_->request_generation() > generation_) change_request();
      plan();
      keep_what_the_step_changes();
    });
  }

 private:
  using Collection = detail::Collection;

  template <class Module>
  static NamedTensors parameters_of(const Module& module) {
    NamedTensors parameters;
    for (const auto& item : module.named_parameters()) parameters.emplace_back(item.key(), item.value());
    return parameters;
  }

  void attach(NamedTensors parameters, detail::OptimizerView optimizer) {
    const std::string trace_dir = detail::env("PAWL_TRACE_DIR", "");
    rank_ = std::stoul(detail::env("RANK", "0"));
    request_ = detail::Request::parse(detail::env("PAWL_CAPTURE", ""), rank_);
    if (trace_dir.empty() || request_.off) return;

    static const detail::CaptureLibrary library(
        detail::env("PAWL_CAPTURE_LIB", "libpawl_capture.so").c_str());
    record_ = std::make_unique<detail::Record>(library, trace_dir, rank_);
    parameters_.emplace(std::move(parameters));
    parameters_->offer(*record_);
    record_->available("input", PAWL_BATCH);
    optimizer_ = std::move(optimizer);
    operators_ = std::make_unique<detail::Operators>(
        parameters_->named(),
        [this](const std::string& name, const at::Tensor& output) { guarded([&] { see(name, output); }); });
    plan();
    keep_what_the_step_changes();
  }

  // It is there when the optimiser has made a step.
  void offer_state() {
    for (const auto& item : optimizer_.state(parameters_->named()))
      record_->available(item.first, PAWL_OPTIMIZER_STATE);
    state_offered_ = true;
  }

  // What is due until the next step ends, or the mode changes.
  void plan() {
    due_ = mode_ == Mode::train ? request_.due(step_) : request_.due_in_evaluation(step_followed());
    if (due_.has(Collection::activations))
      operators_->arm(mode_ == Mode::eval);
    else
      operators_->disarm();
  }

  uint64_t step_followed() const { return step_ == 0 ? 0 : step_ - 1; }

  void begin_step() {
    if (!begun_) record_->begin(step_, /*mode: train*/ 0);
    begun_ = true;
  }

  void keep_what_the_step_changes() {
    const bool asked = due_.has(Collection::updates);
    if (!asked && !kept_) return;
    const at::NoGradGuard no_grad;
    asked ? parameters_->keep(request_[Collection::updates]) : parameters_->forget_kept();
    kept_ = asked;
  }

  void record_step() {
    if (!due_.any()) return;
    const at::NoGradGuard no_grad;
    if (due_.has(Collection::scalars) && optimizer_.learning_rate)
      record_->scalar("lr", PAWL_SCALAR, optimizer_.learning_rate());
    parameters_->record(*record_, request_, due_);
    if (due_.has(Collection::optimizer_state) && optimizer_.state) {
      for (const auto& [name, tensor] : optimizer_.state(parameters_->named()))
        record_->tensor(name, PAWL_OPTIMIZER_STATE, tensor, request_[Collection::optimizer_state]);
      record_->flush();
    }
    activations_.write(*record_);
    if (!batch_.empty()) batch_.write(*record_);
  }

  void write_evaluation() {
    if (!evaluation_.empty()) evaluation_.write(*record_, step_followed());
  }

  void see(const std::string& name, const at::Tensor& tensor) {
    auto& activations = mode_ == Mode::eval ? evaluation_.activations : activations_;
    const at::NoGradGuard no_grad;
    activations.add(*record_, name, tensor, request_[Collection::activations]);
  }

  // Somebody asks for something else while the training runs; it holds for the step that begins.
  void change_request() {
    begin_step();
    const auto text = record_->request(generation_);
    if (!text) return;
    try {
      request_ = detail::Request::parse(*text, rank_);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "pawl: what is recorded stays as it was: %s\n", error.what());
    }
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
    due_ = {};
    if (operators_) operators_->disarm();
    record_.reset();
  }

  std::unique_ptr<detail::Record> record_;  // null: not recording
  std::optional<detail::Parameters> parameters_;
  detail::OptimizerView optimizer_;
  std::unique_ptr<detail::Operators> operators_;
  detail::Activations activations_;
  detail::BatchFingerprint batch_;
  detail::Evaluation evaluation_;
  detail::Request request_;
  detail::Collections due_;  // nothing while not recording
  uint64_t generation_ = 1;  // of the request; that of the environment is the first
  uint64_t rank_ = 0;
  uint64_t step_;
  Mode mode_ = Mode::train;
  uint32_t losses_seen_ = 0;
  bool begun_ = false;  // the step, in the record
  bool kept_ = false;   // parameters before the step
  bool state_offered_ = false;
};

}  // namespace pawl
