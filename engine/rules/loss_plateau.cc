#include <fmt/format.h>

#include <cmath>

#include "engine/rules/rule.h"
#include "engine/rules/streaming.h"

namespace pawl::rules {
namespace {

class LossPlateau final : public Rule {
 public:
  LossPlateau(const RuleConfig& config, Selector selector)
      : Rule(std::move(selector)),
        gain_(config.param("gain")),
        steps_(config.param("steps")),
        start_share_(config.param("start_share")),
        ema_(config.param("ema")) {}

  void on_step(const Input& input, Firings& out) override {
    resumed_ = input.resumed;
    if (resumed_) return;
    for (const LossSample& loss : input.losses) {
      if (selects(loss) && std::isfinite(loss.value)) judge(loss, out);
    }
  }

  std::string not_evaluated() const override {
    if (evaluated_) return "";
    if (resumed_) return "the attempt was resumed: how high its first losses are means nothing";
    if (losses_.empty()) return "no loss was captured";
    return fmt::format("too few losses: more than {} are needed", steps_);
  }

 private:
  struct State {
    explicit State(double ema) : trend(ema) {}
    LossTrend trend;
    double mark = std::numeric_limits<double>::infinity();  // the average that the next gain is counted from
    uint64_t marked_at = 0;                                 // losses seen when it was set
  };

  void judge(const LossSample& loss, Firings& out) {
    State& state = losses_.try_emplace(series_key(loss.rank, loss.series), ema_).first->second;
    LossTrend& trend = state.trend;
    trend.add(loss.value);
    if (!trend.has_best()) return;
    if (std::isinf(state.mark) || trend.ema() < state.mark - gain_ * std::abs(state.mark)) {
      state.mark = trend.ema();
      state.marked_at = trend.count();
    }
    double waited = static_cast<double>(trend.count() - state.marked_at);
    evaluated_ |= static_cast<double>(trend.count()) > steps_;
    double floor = start_share_ * trend.start();
    if (waited < steps_ || trend.ema() <= floor || trend.start() <= 0) return;
    out.add(loss.rank, loss.position, loss.name, "loss", trend.ema(), state.mark, [&] {
      return fmt::format(
          "the smoothed loss is {:.4g} and has not improved by {:.3g} % in {} steps (it began at {:.4g})",
          trend.ema(), 100 * gain_, waited, trend.start());
    });
  }

  double gain_;
  double steps_;
  double start_share_;
  double ema_;
  std::unordered_map<uint64_t, State> losses_;
  bool resumed_ = false;
  bool evaluated_ = false;
};

}  // namespace

std::unique_ptr<Rule> make_loss_plateau(const RuleConfig& config, Selector selector) {
  return std::make_unique<LossPlateau>(config, std::move(selector));
}

}  // namespace pawl::rules
