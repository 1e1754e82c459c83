#include <fmt/format.h>

#include <cmath>
#include <map>

#include "engine/rules/rule.h"
#include "engine/rules/tensor_math.h"

namespace pawl::rules {
namespace {

std::string_view name_of(double value) {
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "infinity" : "-infinity";
}

// Activations are left out: masks legitimately hold infinities.
bool watched(trace::Kind kind) {
  return is_parameter(kind) || kind == trace::Kind::gradient || kind == trace::Kind::update;
}

class NonFinite final : public Rule {
 public:
  NonFinite(const RuleConfig& config, Selector selector)
      : Rule(std::move(selector)), amp_skip_max_(config.param("amp_skip_max")) {}

  void on_step(const Input& input, Firings& out) override {
    for (const LossSample& loss : input.losses) {
      if (!selects(loss)) continue;
      evaluated_ = true;
      if (std::isfinite(loss.value)) continue;
      out.add(loss.rank, loss.position, loss.name, "loss", loss.value, 0,
              [&] { return fmt::format("the loss is {}", name_of(loss.value)); });
    }
    for (const RankSample& rank : input.ranks) {
      if (rank.mixed_precision) count_skips(rank.rank, input);
    }
    for (const TensorSample& tensor : input.tensors) {
      if (!watched(tensor.kind) || !selects(tensor)) continue;
      evaluated_ = true;
      if (all_finite(*tensor.stats) || scaler_skips(tensor)) continue;
      out.add(tensor.rank, tensor.position, tensor.name, trace::to_string(tensor.kind),
              static_cast<double>(non_finite_count(*tensor.stats)), 0, [&] { return describe(tensor); });
    }
  }

  std::string not_evaluated() const override {
    return evaluated_ ? "" : "no loss, gradient or parameter was captured";
  }

 private:
  static std::string describe(const TensorSample& tensor) {
    const trace::TensorStats& s = *tensor.stats;
    return fmt::format("the {} of {} has {} NaN and {} infinite of {} elements",
                       trace::to_string(tensor.kind), tensor.name, s.nan, s.inf, s.count);
  }

  // The loss scaler of mixed precision probes for the largest scale that does not overflow: it skips an
  // optimiser step whose gradients did. Only a row of those is a fault, or one that reached the parameters.
  void count_skips(uint32_t rank, const Input& input) {
    bool captured = false;
    bool overflow = false;
    bool elsewhere = false;
    for (const TensorSample& tensor : input.tensors) {
      if (tensor.rank != rank || !watched(tensor.kind)) continue;
      bool bad = !all_finite(*tensor.stats);
      if (tensor.kind == trace::Kind::gradient) {
        captured = true;
        overflow |= bad;
      } else {
        elsewhere |= bad;
      }
    }
    for (const LossSample& loss : input.losses) elsewhere |= loss.rank == rank && !std::isfinite(loss.value);
    if (!captured) return;
    double& skips = skips_[rank];
    skips = overflow ? skips + 1 : 0;
    excused_[rank] = !elsewhere && skips <= amp_skip_max_;
  }

  bool scaler_skips(const TensorSample& tensor) const {
    auto found = excused_.find(tensor.rank);
    return tensor.kind == trace::Kind::gradient && found != excused_.end() && found->second;
  }

  double amp_skip_max_;
  std::map<uint32_t, double> skips_;
  std::map<uint32_t, bool> excused_;
  bool evaluated_ = false;
};

}  // namespace

std::unique_ptr<Rule> make_non_finite(const RuleConfig& config, Selector selector) {
  return std::make_unique<NonFinite>(config, std::move(selector));
}

}  // namespace pawl::rules
