#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "engine/rules/rule.h"
#include "engine/rules/streaming.h"
#include "engine/rules/tensor_math.h"

namespace pawl::rules {
namespace {

// Activations are left out (attention masks add -1e9 on purpose), and so are updates (a schedule may change
// the learning rate a thousandfold).
bool watched(trace::Kind kind) {
  return is_parameter(kind) || kind == trace::Kind::gradient;
}

class ExplodingTensor final : public Rule {
 public:
  ExplodingTensor(const RuleConfig& config, Selector selector)
      : Rule(std::move(selector)),
        abs_max_(config.param("abs_max")),
        growth_(config.param("growth")),
        patience_(config.param("patience")),
        window_(static_cast<size_t>(config.param("window"))) {}

  void on_step(const Input& input, Firings& out) override {
    for (const TensorSample& tensor : input.tensors) {
      if (!watched(tensor.kind) || !selects(tensor)) continue;
      evaluated_ = true;
      judge(tensor, out);
    }
  }

  std::string not_evaluated() const override {
    return evaluated_ ? "" : "no gradient, weight or bias was captured";
  }

 private:
  void judge(const TensorSample& tensor, Firings& out) {
    double largest = abs_max(*tensor.stats);
    if (largest > abs_max_) {
      report(tensor, largest, abs_max_, "largest magnitude", out);
      return;
    }
    if (!all_finite(*tensor.stats)) return;  // non_finite's business
    double norm = l2(*tensor.stats);
    State& state = states_.try_emplace(series_key(tensor.rank, tensor.series), window_).first->second;
    MedianWindow& usual = state.usual;
    if (usual.seen() >= MedianWindow::kReference && norm > limit_for(usual, norm)) {
      if (++state.exceeded >= patience_) report(tensor, norm, limit_for(usual, norm), "norm", out);
      return;  // what exploded does not become usual
    }
    state.exceeded = 0;
    if (std::isfinite(norm)) usual.add(norm);
  }

  struct State {
    explicit State(size_t window) : usual(window) {}
    MedianWindow usual;
    double exceeded = 0;  // captures in a row
  };

  // The reference keeps a run that has converged to tiny gradients from failing over one hard batch. The
  // median costs something, and cannot lower the limit: it is left out where the reference alone decides.
  double limit_for(const MedianWindow& usual, double norm) const {
    double reference = growth_ * usual.reference();
    if (norm <= reference) return reference;
    double limit = std::max(reference, growth_ * usual.median());
    return limit > 0 ? limit : std::numeric_limits<double>::infinity();  // a tensor that has been zero so far
  }

  static void report(const TensorSample& tensor, double value, double limit, std::string_view what,
                     Firings& out) {
    out.add(tensor.rank, tensor.position, tensor.name, trace::to_string(tensor.kind), value, limit, [&] {
      return fmt::format("the {} of the {} of {} is {:.3g}, the limit {:.3g}", what,
                         trace::to_string(tensor.kind), tensor.name, value, limit);
    });
  }

  double abs_max_;
  double growth_;
  double patience_;
  size_t window_;
  std::unordered_map<uint64_t, State> states_;
  bool evaluated_ = false;
};

}  // namespace

std::unique_ptr<Rule> make_exploding_tensor(const RuleConfig& config, Selector selector) {
  return std::make_unique<ExplodingTensor>(config, std::move(selector));
}

}  // namespace pawl::rules
