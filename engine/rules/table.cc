#include "engine/rules/table.h"

#include <algorithm>
#include <array>

#include "engine/base/error.h"

namespace pawl::rules {
namespace {

constexpr double kMany = 1e9;    // upper bound of counts
constexpr double kHuge = 1e300;  // upper bound of magnitudes

constexpr std::array<std::string_view, 1> kLosses{"losses"};
constexpr std::array<std::string_view, 1> kGradients{"gradients"};
constexpr std::array<std::string_view, 1> kActivations{"activations"};
constexpr std::array<std::string_view, 1> kWeights{"weights"};
constexpr std::span<const std::string_view> kNothing{};

constexpr std::string_view kEmaDoc = "smoothing of the loss: weight of the past in its moving average";

constexpr std::array kNonFinite{ParamDef{
    "amp_skip_max", 16, 0, kMany,
    "mixed precision only: steps in a row that the loss scaler may skip because gradients overflow (from its "
    "usual start, 65536, it needs 16 to get to 1); known by a scalar `amp.skipped`, or, where `loss_scale` "
    "is recorded, by captured gradients that are not finite while loss and parameters are"}};

constexpr std::array kExploding{
    ParamDef{"abs_max", 1e6, 1, kHuge, "largest magnitude an element may have"},
    ParamDef{"growth", 100, 2, kHuge, "largest ratio of a tensor's norm to its usual norm"},
    ParamDef{"patience", 2, 1, kMany, "captures in a row that must exceed it: one odd batch is no explosion"},
    ParamDef{"window", 100, 10, 1000,
             "captures of a tensor that its usual norm (their median) is taken from"}};

constexpr std::array kVanishing{
    ParamDef{"abs", 1e-7, 0, 1, "mean magnitude that no layer's gradient exceeds"},
    ParamDef{"rel", 1e-4, 0, 1,
             "smallest allowed ratio of a layer's gradient (RMS) to the strongest layer's"},
    ParamDef{"steps", 50, 1, kMany, "training steps it must last (and at least 10 captures)"},
    ParamDef{"loss_share", 0.9, 0, kHuge,
             "quiet while the smoothed loss is below this share of its first ten values: it learns"}};

constexpr std::array kDivergence{
    ParamDef{"factor", 2, 1, kHuge, "smoothed loss over the best smoothed loss so far"},
    ParamDef{"start_share", 0.5, 0, kHuge, "and at least this share of the mean of the first ten losses"},
    ParamDef{"warmup", 200, 0, kMany, "steps before it may fire"}, ParamDef{"ema", 0.98, 0, 0.9999, kEmaDoc}};

constexpr std::array kAtChance{
    ParamDef{
        "classes", 0, 0, kMany,
        "number of classes; 0: the output size of the last parameter that is captured, and then only when "
        "the loss lies within 5 % of chance and never fell by 2 %"},
    ParamDef{"share", 0.95, 0, 1, "share of the chance loss ln(classes)"},
    ParamDef{"warmup", 200, 0, kMany, "steps before it is judged"},
    ParamDef{"steps", 1000, 1, kMany, "steps at chance, in a row, after which it fires while training runs"},
    ParamDef{"final_steps", 100, 1, kMany,
             "steps at chance, in a row, that are enough when the training ends"},
    ParamDef{"ema", 0.98, 0, 0.9999, kEmaDoc}};

constexpr std::array kFrozen{
    ParamDef{"steps", 20, 1, kMany, "optimiser steps without any change (and at least 5 captures)"}};

constexpr std::array kHang{
    ParamDef{"min_seconds", 60, 1, kMany, "silence that is never a hang"},
    ParamDef{"factor", 5, 1, kMany, "times the 99th percentile of the step time"},
    ParamDef{"warmup", 5, 1, kMany, "completed steps of a rank after which the step time counts"},
    ParamDef{
        "start_seconds", 1200, 1, kMany,
        "time a rank may take from opening its trace through the warm-up, and between steps while a rank "
        "prints at least every `min_seconds`"}};

constexpr std::array kPlateau{
    ParamDef{"gain", 0.01, 0, 1, "relative improvement of the best smoothed loss that counts"},
    ParamDef{"steps", 500, 1, kMany, "steps without such an improvement"},
    ParamDef{"start_share", 0.9, 0, kHuge,
             "only while the smoothed loss is above this share of its first ten values"},
    ParamDef{"ema", 0.98, 0, 0.9999, kEmaDoc}};

constexpr std::array kDeadRelu{
    ParamDef{"zero_share", 0.99, 0.01, 1, "share of zeros in the output of a ReLU"},
    ParamDef{"steps", 100, 1, kMany, "training steps it must last (and at least 10 captures)"}};

constexpr std::array kRules{
    RuleDef{
        "non_finite", "NaN or infinity in a loss, gradient, parameter or update",
        "one element of a captured tensor, or a loss, is NaN or infinite", kNothing,
        "losses in every step; gradients, weights, biases and updates in those that capture them", kNonFinite,
        Action::stop,
        "Look at the step before: a learning rate that is too high, a division by zero, log(0), sqrt of a "
        "negative number or an fp16 overflow are the usual causes."},
    RuleDef{"exploding_tensor", "a gradient or parameter becomes huge",
            "the largest magnitude exceeds `abs_max`, or the L2 norm exceeds `growth` times the median of "
            "the tensor's last `window` captures, and of its first ten, in `patience` captures in a row",
            kNothing, "gradients, weights and biases", kExploding, Action::stop,
            "Lower the learning rate, add warm-up or clip gradients; check the scale of the inputs and the "
            "initialisation."},
    RuleDef{
        "vanishing_gradient", "a layer gets practically no gradient",
        "for `steps` steps in a row the gradient of one weight matrix is below `rel` of the strongest, or no "
        "weight matrix has a mean gradient magnitude above `abs`, while the loss is not falling; vectors "
        "(biases, norms) are not looked at, theirs may be zero by construction",
        kGradients, "losses", kVanishing, Action::fail,
        "Use ReLU-like activations, residual connections or normalisation, and an initialisation that fits "
        "the activation."},
    RuleDef{
        "loss_divergence", "the loss climbs back up",
        "after `warmup` steps the smoothed loss exceeds `factor` times its best value and `start_share` of "
        "where it began; a loss whose smoothed value has been zero or negative is not judged",
        kLosses, "", kDivergence, Action::stop,
        "Lower the learning rate or look for bad batches at the step where the loss turned."},
    RuleDef{
        "loss_at_chance", "a classifier that has learned nothing",
        "the smoothed loss stays at or above `share` of ln(classes), for `steps` steps in a row after the "
        "warm-up, or for the last `final_steps` when the training ends",
        kLosses, "weights or biases, to know the number of classes", kAtChance, Action::fail,
        "Check that labels belong to inputs, that the learning rate is not far too small or too large, and "
        "that the optimiser holds the parameters of this model."},
    RuleDef{
        "frozen_parameter", "a trainable parameter does not move",
        "its captured updates are exactly zero, or its statistics are bit for bit the same in every capture, "
        "over `steps` optimiser steps, although its gradient times the learning rate is large enough to move "
        "it",
        kWeights,
        "gradients (needed to tell a frozen parameter from one frozen on purpose, unless updates "
        "are captured), updates, scalars (the learning rate)",
        kFrozen, Action::fail,
        "Give the optimiser the parameters of the model that is trained; if it is frozen on purpose, set "
        "requires_grad to false or exclude it with `include`."},
    RuleDef{
        "hang", "a rank makes no progress",
        "no completed step of a rank for `min_seconds`, `factor` times its 99th percentile step time and "
        "twice "
        "the longest pause it has come back from, whichever is longest; `start_seconds` until it has "
        "completed "
        "`warmup` steps, and while a rank prints something",
        kNothing, "", kHang, Action::stop,
        "Look at the stacks of the ranks it names: usually a collective that not every rank has called, a "
        "deadlocked data loader or a dead peer. Raise `min_seconds` when evaluation between epochs is "
        "longer and prints nothing."},
    RuleDef{"loss_plateau", "the loss does not fall although it is about as high as in the beginning",
            "there is no improvement of the best smoothed loss by `gain` in `steps` steps, while it is above "
            "`start_share` of where it began; not judged in an attempt that was resumed from a checkpoint",
            kLosses, "", kPlateau, Action::warn, "Try another learning rate or schedule, or stop earlier."},
    RuleDef{
        "dead_relu", "a ReLU layer is silent",
        "for `steps` steps in a row the share of zeros in the output of a layer that is never negative is at "
        "least `zero_share`",
        kActivations, "", kDeadRelu, Action::warn,
        "Lower the learning rate, check the bias initialisation, or use a leaky activation."},
};

constexpr RuleDef kWorseThanGreen{
    "worse_than_green",
    "a curve is worse than those of earlier green runs",
    "a curve is, at the same steps, worse than those of the last green runs by more than the margin of "
    "`gate.early` beyond their spread",
    kNothing,
    "the curve that `gate.early` names",
    {},
    Action::stop,
    "Look at what the commit changes in the training. If the new curve is meant to look like this, change "
    "`gate.early` on the target branch first."};

}  // namespace

std::string_view to_string(Severity severity) {
  return severity == Severity::fail ? "fail" : "warn";
}

std::string_view to_string(Action action) {
  switch (action) {
    case Action::fail:
      return "fail";
    case Action::stop:
      return "stop";
    case Action::warn:
      return "warn";
  }
  return "fail";
}

std::optional<Action> parse_action(std::string_view text) {
  for (Action action : {Action::fail, Action::stop, Action::warn}) {
    if (text == to_string(action)) return action;
  }
  return std::nullopt;
}

const ParamDef* RuleDef::find_param(std::string_view param) const {
  auto found = std::ranges::find(params, param, &ParamDef::name);
  return found == params.end() ? nullptr : &*found;
}

double RuleConfig::param(std::string_view param) const {
  if (auto found = params.find(std::string(param)); found != params.end()) return found->second;
  const RuleDef* def = find_rule(rule);
  PAWL_CHECK(def != nullptr);
  const ParamDef* definition = def->find_param(param);
  PAWL_CHECK(definition != nullptr);
  return definition->default_value;
}

std::span<const RuleDef> rule_table() {
  return kRules;
}

const RuleDef* find_rule(std::string_view name) {
  if (name == kWorseThanGreen.name) return &kWorseThanGreen;
  auto found = std::ranges::find(kRules, name, &RuleDef::name);
  return found == kRules.end() ? nullptr : &*found;
}

const RuleDef& gate_rule() {
  return kWorseThanGreen;
}

std::vector<RuleConfig> default_rules() {
  std::vector<RuleConfig> out;
  for (const RuleDef& rule : kRules) {
    RuleConfig config;
    config.rule = rule.name;
    config.on_fire = rule.default_action;
    out.push_back(std::move(config));
  }
  return out;
}

}  // namespace pawl::rules
