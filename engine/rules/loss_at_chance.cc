// A classifier that answers every class with the same probability has a cross-entropy of ln(C). Starting
// there is normal, and a slow warm-up may stay there for hundreds of steps; ending there is a fault. So the
// rule waits `steps` steps before it fires while training runs, and is strict only when the training ends.
//
// Without `classes` the number of classes is taken from the trace: the first dimension of the parameter
// declared last is the output size of most networks. As that is a guess, the loss must then lie within 5 % of
// chance and must never have fallen by 2 %: a run that was resumed from a checkpoint, a fine-tuning or a
// regression does not fire.
#include <fmt/format.h>

#include <cmath>
#include <map>

#include "engine/rules/rule.h"
#include "engine/rules/streaming.h"
#include "engine/rules/tensor_math.h"

namespace pawl::rules {
namespace {

constexpr double kBand = 0.05;
constexpr double kFallen = 0.98;

class LossAtChance final : public Rule {
 public:
  LossAtChance(const RuleConfig& config, Selector selector)
      : Rule(std::move(selector)),
        classes_(config.param("classes")),
        share_(config.param("share")),
        warmup_(config.param("warmup")),
        steps_(config.param("steps")),
        final_steps_(config.param("final_steps")),
        ema_(config.param("ema")) {}

  void on_step(const Input& input, Firings& out) override {
    if (classes_ == 0) infer_classes(input);
    std::optional<uint32_t> done;  // only the first loss of a rank
    for (const LossSample& loss : input.losses) {
      if (done == loss.rank || !selects(loss)) continue;
      done = loss.rank;
      if (!std::isfinite(loss.value)) continue;
      State& state = ranks_.try_emplace(loss.rank, ema_, loss).first->second;
      follow(loss.value, state);
      if (static_cast<double>(state.at_chance) >= steps_) report(loss.rank, state, out);
    }
  }

  void at_end(Firings& out) override {
    for (const auto& [rank, state] : ranks_) {
      if (judged(state) && static_cast<double>(state.at_chance) >= final_steps_) report(rank, state, out);
    }
  }

  std::string not_evaluated() const override {
    if (ranks_.empty()) return "no loss was captured";
    if (classes() < 2) return "the number of classes is unknown: set `classes`, or capture weights or biases";
    for (const auto& [rank, state] : ranks_) {
      if (judged(state)) return "";
    }
    return fmt::format("too few losses: {} are needed", warmup_ + final_steps_);
  }

 private:
  struct State {
    State(double ema, const LossSample& loss) : trend(ema), position(loss.position), name(loss.name) {}
    LossTrend trend;
    uint32_t position;
    std::string name;
    uint64_t at_chance = 0;  // losses in a row
  };

  double classes() const { return classes_ > 0 ? classes_ : static_cast<double>(inferred_); }

  bool judged(const State& state) const {
    return static_cast<double>(state.trend.count()) >= warmup_ + final_steps_;
  }

  void infer_classes(const Input& input) {
    for (const TensorSample& tensor : input.tensors) {
      if (!is_parameter(tensor.kind) || tensor.shape.empty() || tensor.series < inferred_from_) continue;
      inferred_from_ = tensor.series;
      inferred_ = tensor.shape[0];
    }
  }

  void follow(double loss, State& state) {
    state.trend.add(loss);
    if (static_cast<double>(state.trend.count()) <= warmup_) return;
    state.at_chance = at_chance(state.trend) ? state.at_chance + 1 : 0;
  }

  bool at_chance(const LossTrend& trend) const {
    if (classes() < 2) return false;
    double chance = std::log(classes());
    if (trend.ema() < share_ * chance) return false;
    if (classes_ > 0) return true;
    return std::abs(trend.ema() - chance) <= kBand * chance && trend.best() >= kFallen * trend.start();
  }

  void report(uint32_t rank, const State& state, Firings& out) const {
    double limit = share_ * std::log(classes());
    out.add(rank, state.position, state.name, "loss", state.trend.ema(), limit, [&] {
      return fmt::format("the smoothed loss is {:.4g} after {} steps; guessing among {} classes gives {:.4g}",
                         state.trend.ema(), state.trend.count(), classes(), std::log(classes()));
    });
  }

  double classes_;
  double share_;
  double warmup_;
  double steps_;
  double final_steps_;
  double ema_;
  int64_t inferred_ = 0;
  uint32_t inferred_from_ = 0;
  std::map<uint32_t, State> ranks_;
};

}  // namespace

std::unique_ptr<Rule> make_loss_at_chance(const RuleConfig& config, Selector selector) {
  return std::make_unique<LossAtChance>(config, std::move(selector));
}

}  // namespace pawl::rules
