// Two faults under one name. One layer of several gets next to nothing: its gradient (RMS) is below `rel` of
// the strongest layer's; this is what a deep sigmoid stack shows from the first step on. Or the whole network
// does: no layer's gradient exceeds `abs`. An absolute test of every single layer, the textbook rule, is
// both: too late for the first fault and a false alarm for large embeddings.
//
// Only tensors of two and more dimensions take part: the gradient of a bias in front of a batch
// normalisation, or of the key bias of an attention, is zero by construction. And only while the loss is near
// where it began: gradients that vanish because the network has learned everything are no fault.
#include <fmt/format.h>

#include <cmath>
#include <map>

#include "engine/rules/rule.h"
#include "engine/rules/streaming.h"
#include "engine/rules/tensor_math.h"

namespace pawl::rules {
namespace {

constexpr uint64_t kMinCaptures = 10;
constexpr double kEma = 0.98;

bool is_layer(const TensorSample& tensor) {
  return tensor.kind == trace::Kind::gradient && tensor.shape.size() >= 2;
}

struct RankState {
  Streak captures;                  // with finite gradients
  Streak silent;                    // the whole network
  std::map<uint32_t, Streak> weak;  // layers, by series
};

class VanishingGradient final : public Rule {
 public:
  VanishingGradient(const RuleConfig& config, Selector selector)
      : Rule(std::move(selector)),
        abs_(config.param("abs")),
        rel_(config.param("rel")),
        steps_(config.param("steps")),
        loss_share_(config.param("loss_share")) {}

  void on_step(const Input& input, Firings& out) override {
    follow_losses(input);
    for (auto begin = input.tensors.begin(); begin != input.tensors.end();) {
      auto end = std::find_if(begin, input.tensors.end(),
                              [&](const TensorSample& tensor) { return tensor.rank != begin->rank; });
      judge_rank(input.step, std::span(begin, end), out);
      begin = end;
    }
  }

  std::string not_evaluated() const override {
    if (evaluated_) return "";
    if (ranks_.empty()) return "no gradient of a weight matrix was captured";
    return fmt::format("too few captures of gradients: {} are needed, over {} steps", kMinCaptures, steps_);
  }

 private:
  void follow_losses(const Input& input) {
    std::optional<uint32_t> done;  // the first loss of a rank
    for (const LossSample& loss : input.losses) {
      if (done == loss.rank || !std::isfinite(loss.value)) continue;
      losses_.try_emplace(loss.rank, kEma).first->second.add(loss.value);
      done = loss.rank;
    }
  }

  bool learns(uint32_t rank) const {
    auto found = losses_.find(rank);
    if (found == losses_.end() || !found->second.started()) return false;
    const LossTrend& loss = found->second;
    return loss.start() - loss.ema() > (1 - loss_share_) * std::abs(loss.start());
  }

  void judge_rank(uint64_t step, std::span<const TensorSample> tensors, Firings& out) {
    double strongest = 0;
    double strongest_mean = 0;
    const TensorSample* first = nullptr;
    for (const TensorSample& tensor : tensors) {
      if (!is_layer(tensor)) continue;
      if (!all_finite(*tensor.stats)) return;  // says nothing about this step
      if (first == nullptr && selects(tensor)) first = &tensor;
      strongest = std::max(strongest, rms(*tensor.stats));
      strongest_mean = std::max(strongest_mean, abs_mean(*tensor.stats));
    }
    if (first == nullptr) return;
    RankState& state = ranks_[first->rank];
    state.captures.hold(step);
    evaluated_ |= state.captures.lasted(steps_, kMinCaptures);
    judge_network(step, *first, strongest_mean, state, out);
    for (const TensorSample& tensor : tensors) {
      if (is_layer(tensor) && selects(tensor)) judge_layer(step, tensor, strongest, state, out);
    }
  }

  void judge_network(uint64_t step, const TensorSample& first, double strongest, RankState& state,
                     Firings& out) {
    if (strongest >= abs_) return state.silent.reset();
    state.silent.hold(step);
    if (!state.silent.lasted(steps_, kMinCaptures) || learns(first.rank)) return;
    out.add(first.rank, first.position, first.name, "gradient", strongest, abs_, [&] {
      return fmt::format("no layer has had a mean gradient magnitude above {:.3g} since step {}", abs_,
                         state.silent.since());
    });
  }

  void judge_layer(uint64_t step, const TensorSample& tensor, double strongest, RankState& state,
                   Firings& out) {
    Streak& weak = state.weak[tensor.series];
    double limit = rel_ * strongest;
    if (rms(*tensor.stats) >= limit) return weak.reset();
    weak.hold(step);
    if (!weak.lasted(steps_, kMinCaptures) || learns(tensor.rank)) return;
    out.add(tensor.rank, tensor.position, tensor.name, "gradient", rms(*tensor.stats), limit, [&] {
      return fmt::format(
          "the gradient of {} (RMS {:.3g}) has been below {:.3g} of the strongest layer's ({:.3g}) "
          "since step {}",
          tensor.name, rms(*tensor.stats), rel_, strongest, weak.since());
    });
  }

  double abs_;
  double rel_;
  double steps_;
  double loss_share_;
  std::map<uint32_t, LossTrend> losses_;
  std::map<uint32_t, RankState> ranks_;
  bool evaluated_ = false;
};

}  // namespace

std::unique_ptr<Rule> make_vanishing_gradient(const RuleConfig& config, Selector selector) {
  return std::make_unique<VanishingGradient>(config, std::move(selector));
}

}  // namespace pawl::rules
