#include <fmt/format.h>

#include <cmath>

#include "engine/rules/rule.h"
#include "engine/rules/streaming.h"

namespace pawl::rules {
namespace {

class LossDivergence final : public Rule {
 public:
  LossDivergence(const RuleConfig& config, Selector selector)
      : Rule(std::move(selector)),
        factor_(config.param("factor")),
        start_share_(config.param("start_share")),
        warmup_(config.param("warmup")),
        ema_(config.param("ema")) {}

  void on_step(const Input& input, Firings& out) override {
    for (const LossSample& loss : input.losses) {
      if (selects(loss) && std::isfinite(loss.value)) judge(loss, out);
    }
  }

  std::string not_evaluated() const override {
    if (evaluated_) return "";
    if (losses_.empty()) return "no loss was captured";
    return fmt::format("too few losses: more than {} are needed, and a positive average", warmup_);
  }

 private:
  void judge(const LossSample& loss, Firings& out) {
    LossTrend& trend = losses_.try_emplace(series_key(loss.rank, loss.series), ema_).first->second;
    trend.add(loss.value);
    if (static_cast<double>(trend.count()) <= warmup_ || !trend.has_best()) return;
    if (trend.best() <= 0) return;  // a ratio to it means nothing
    evaluated_ = true;
    // A restart of the schedule or a hard batch of a converged run doubles a tiny loss too: it has to come
    // back to a good part of where training began.
    double limit = std::max(factor_ * trend.best(), start_share_ * trend.start());
    if (trend.ema() <= limit) return;
    out.add(loss.rank, loss.position, loss.name, "loss", trend.ema(), limit, [&] {
      return fmt::format("the smoothed loss is {:.4g}, its best was {:.4g} and it began at {:.4g}",
                         trend.ema(), trend.best(), trend.start());
    });
  }

  double factor_;
  double start_share_;
  double warmup_;
  double ema_;
  std::unordered_map<uint64_t, LossTrend> losses_;
  bool evaluated_ = false;
};

}  // namespace

std::unique_ptr<Rule> make_loss_divergence(const RuleConfig& config, Selector selector) {
  return std::make_unique<LossDivergence>(config, std::move(selector));
}

}  // namespace pawl::rules
