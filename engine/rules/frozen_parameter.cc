// Has the optimiser forgotten this parameter? Evidence of no change is an update that is exactly zero, or
// statistics (sums, extrema, histogram) that are the same in every bit from capture to capture. It counts
// only for a parameter that ought to move:
// - it has a gradient (a parameter frozen on purpose has none), or its updates are captured, which only
// optimised
//   parameters have;
// - the learning rate is not zero;
// - its gradient is not negligible beside the strongest one: the bias in front of a batch normalisation has a
// gradient
//   of rounding noise and may well stay where it is;
// - and, once it has moved, the learning rate times its gradient is more than float rounding of its value:
// training
//   that has converged stands still by right.
#include <fmt/format.h>

#include <cmath>
#include <map>

#include "engine/rules/rule.h"
#include "engine/rules/tensor_math.h"

namespace pawl::rules {
namespace {

constexpr uint64_t kMinCaptures = 5;
constexpr double kNegligible = 1e-3;  // of the strongest gradient
constexpr double kRounding = 1e-6;    // of the value; a few float32 units in the last place

// What one rank captured of one parameter in one step.
struct Parameter {
  const TensorSample* value = nullptr;
  const TensorSample* gradient = nullptr;
  const TensorSample* update = nullptr;
};

class FrozenParameter final : public Rule {
 public:
  FrozenParameter(const RuleConfig& config, Selector selector)
      : Rule(std::move(selector)), steps_(config.param("steps")) {}

  void on_step(const Input& input, Firings& out) override {
    auto tensor = input.tensors.begin();
    for (const RankSample& rank : input.ranks) {
      std::map<std::string_view, Parameter> parameters;
      double strongest = 0;
      tensor = std::find_if(tensor, input.tensors.end(),
                            [&](const TensorSample& sample) { return sample.rank >= rank.rank; });
      for (; tensor != input.tensors.end() && tensor->rank == rank.rank; ++tensor) {
        if (tensor->kind == trace::Kind::gradient) strongest = std::max(strongest, rms(*tensor->stats));
        if (tensor->kind == trace::Kind::gradient) parameters[tensor->name].gradient = &*tensor;
        if (tensor->kind == trace::Kind::update) parameters[tensor->name].update = &*tensor;
        if (is_parameter(tensor->kind)) parameters[tensor->name].value = &*tensor;
      }
      for (const auto& [name, parameter] : parameters) judge(input.step, rank, parameter, strongest, out);
    }
  }

  std::string not_evaluated() const override {
    if (evaluated_) return "";
    if (!comparable_) return "no parameter was captured together with its gradient or its update";
    return fmt::format("too few captures: more than {} are needed, over {} steps", kMinCaptures, steps_);
  }

 private:
  struct State {
    std::optional<trace::TensorStats> last;
    bool has_moved = false;
    Streak captures;
    Streak still;
  };

  void judge(uint64_t step, const RankSample& rank, const Parameter& parameter, double strongest,
             Firings& out) {
    const TensorSample* subject = parameter.value != nullptr ? parameter.value : parameter.update;
    if (subject == nullptr || (parameter.gradient == nullptr && parameter.update == nullptr)) return;
    if (!selects(*subject)) return;
    comparable_ = true;
    State& state = states_[series_key(subject->rank, subject->series)];
    bool judgeable = parameter.update != nullptr || state.last.has_value();
    bool moved = judgeable && (parameter.update != nullptr ? parameter.update->stats->abs_sum != 0 ||
                                                                 !all_finite(*parameter.update->stats)
                                                           : *state.last != *parameter.value->stats);
    if (parameter.value != nullptr) state.last = *parameter.value->stats;
    if (!judgeable) return;
    state.captures.hold(step);
    evaluated_ |= state.captures.lasted(steps_, kMinCaptures);
    state.has_moved |= moved;
    if (moved || !ought_to_move(rank, parameter, state.has_moved, strongest)) return state.still.reset();
    state.still.hold(step);
    if (!state.still.lasted(steps_, kMinCaptures)) return;
    out.add(subject->rank, subject->position, subject->name, trace::to_string(subject->kind), 0, 0, [&] {
      return fmt::format("{} has not changed since step {}, in {} captures, although {}", subject->name,
                         state.still.since(), state.still.captures(),
                         parameter.gradient != nullptr ? "it has a gradient" : "the optimiser has it");
    });
  }

  static bool ought_to_move(const RankSample& rank, const Parameter& parameter, bool has_moved,
                            double strongest) {
    if (rank.lr && !(*rank.lr > 0)) return false;
    if (parameter.gradient == nullptr) return parameter.update->shape.size() >= 2;
    const trace::TensorStats& gradient = *parameter.gradient->stats;
    if (!all_finite(gradient) || rms(gradient) <= kNegligible * strongest) return false;
    if (!has_moved) return true;
    if (!rank.lr || parameter.value == nullptr) return false;
    return *rank.lr * rms(gradient) > kRounding * rms(*parameter.value->stats);
  }

  double steps_;
  std::unordered_map<uint64_t, State> states_;
  bool comparable_ = false;
  bool evaluated_ = false;
};

}  // namespace

std::unique_ptr<Rule> make_frozen_parameter(const RuleConfig& config, Selector selector) {
  return std::make_unique<FrozenParameter>(config, std::move(selector));
}

}  // namespace pawl::rules
