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
    for (const RankSample& rank : input.ranks) count_skips(rank, input, out);
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

  // The loss scaler of mixed precision looks for the largest scale that does not overflow: it skips an
  // optimiser step whose gradients did, and halves the scale. Only a long row of those is a fault, or an
  // overflow that reached the parameters.
  void count_skips(const RankSample& rank, const Input& input, Firings& out) {
    Skips& skips = skips_[rank.rank];
    if (!rank.mixed_precision && !rank.scaler_skipped) {
      skips = {};
      return;
    }
    bool captured = false;
    bool overflow = rank.scaler_skipped;
    bool elsewhere = false;
    for (const TensorSample& tensor : input.tensors) {
      if (tensor.rank != rank.rank || !watched(tensor.kind)) continue;
      bool gradient = tensor.kind == trace::Kind::gradient;
      captured |= gradient;
      bool& where = gradient && rank.mixed_precision ? overflow : elsewhere;
      where |= !all_finite(*tensor.stats);
    }
    for (const LossSample& loss : input.losses)
      elsewhere |= loss.rank == rank.rank && !std::isfinite(loss.value);
    // Where the scaler does not tell, only captured gradients do.
    if (overflow || captured) skips.row = overflow ? skips.row + 1 : 0;
    skips.excused = overflow && !elsewhere && skips.row <= amp_skip_max_;
    if (!rank.scaler_skipped || skips.row <= amp_skip_max_) return;
    out.add(rank.rank, 0, "amp.skipped", "scalar", skips.row, amp_skip_max_, [&] {
      return fmt::format("the gradients have overflowed in {} steps in a row: the loss scaler skips them all",
                         skips.row);
    });
  }

  bool scaler_skips(const TensorSample& tensor) const {
    auto found = skips_.find(tensor.rank);
    return tensor.kind == trace::Kind::gradient && found != skips_.end() && found->second.excused;
  }

  struct Skips {
    double row = 0;
    bool excused = false;  // in this step
  };

  double amp_skip_max_;
  std::map<uint32_t, Skips> skips_;
  bool evaluated_ = false;
};

}  // namespace

std::unique_ptr<Rule> make_non_finite(const RuleConfig& config, Selector selector) {
  return std::make_unique<NonFinite>(config, std::move(selector));
}

}  // namespace pawl::rules
