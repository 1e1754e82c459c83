#include <fmt/format.h>

#include "engine/rules/rule.h"
#include "engine/rules/tensor_math.h"

namespace pawl::rules {
namespace {

constexpr uint64_t kMinCaptures = 10;

class DeadRelu final : public Rule {
 public:
  DeadRelu(const RuleConfig& config, Selector selector)
      : Rule(std::move(selector)), zero_share_(config.param("zero_share")), steps_(config.param("steps")) {}

  void on_step(const Input& input, Firings& out) override {
    for (const TensorSample& tensor : input.tensors) {
      if (tensor.kind == trace::Kind::activation && selects(tensor)) judge(input.step, tensor, out);
    }
  }

  std::string not_evaluated() const override {
    if (evaluated_) return "";
    if (layers_.empty()) return "no activation was captured";
    return fmt::format("too few captures of activations: {} are needed, over {} steps", kMinCaptures, steps_);
  }

 private:
  struct Layer {
    Streak captures;
    Streak silent;
  };

  void judge(uint64_t step, const TensorSample& tensor, Firings& out) {
    const trace::TensorStats& s = *tensor.stats;
    Layer& layer = layers_[series_key(tensor.rank, tensor.series)];
    layer.captures.hold(step);
    evaluated_ |= layer.captures.lasted(steps_, kMinCaptures);
    bool silent = all_finite(s) && s.min >= 0 && zero_share(s) >= zero_share_;
    if (!silent) return layer.silent.reset();
    layer.silent.hold(step);
    if (!layer.silent.lasted(steps_, kMinCaptures)) return;
    out.add(tensor.rank, tensor.position, tensor.name, "activation", zero_share(s), zero_share_, [&] {
      return fmt::format("{:.1f} % of the output of {} is zero, at least {:.1f} % since step {}",
                         100 * zero_share(s), tensor.name, 100 * zero_share_, layer.silent.since());
    });
  }

  double zero_share_;
  double steps_;
  std::unordered_map<uint64_t, Layer> layers_;
  bool evaluated_ = false;
};

}  // namespace

std::unique_ptr<Rule> make_dead_relu(const RuleConfig& config, Selector selector) {
  return std::make_unique<DeadRelu>(config, std::move(selector));
}

}  // namespace pawl::rules
