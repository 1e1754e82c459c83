#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "engine/rules/rule.h"
#include "engine/rules/streaming.h"

namespace pawl::rules {
namespace {

constexpr double kPauseFactor = 2;

class Hang final : public Rule {
 public:
  Hang(const RuleConfig& config, Selector selector)
      : Rule(std::move(selector)),
        min_seconds_(config.param("min_seconds")),
        factor_(config.param("factor")),
        warmup_(config.param("warmup")),
        start_seconds_(config.param("start_seconds")) {}

  void on_step(const Input& input, Firings&) override {
    for (const RankSample& rank : input.ranks) {
      auto [state, added] = ranks_.try_emplace(rank.rank);
      double pause = rank.end_s - state->second.end_s;
      state->second.end_s = rank.end_s;
      if (added || !(pause >= 0)) continue;  // a rank that was started again has a new clock
      state->second.times.add(pause);
      state->second.longest = std::max(state->second.longest, pause);
    }
  }

  void on_tick(int64_t now_ms, std::span<const trace::RankProgress> progress,
               std::optional<int64_t> last_output_ms, Firings& out) override {
    const trace::RankProgress* behind = nullptr;
    double limit = 0;
    double silence = 0;
    for (const trace::RankProgress& rank : progress) {
      if (rank.ended) continue;
      evaluated_ = true;
      double allowed = limit_for(rank);
      double silent = seconds_since(rank.last_activity_ms, now_ms);
      // Somebody who evaluates prints, whichever rank it is, while the others wait for it. But so may a loop
      // that tries something again and again.
      if (last_output_ms && seconds_since(*last_output_ms, now_ms) <= allowed)
        allowed = std::max(allowed, start_seconds_);
      if (silent <= allowed) continue;
      // Where one rank fails to turn up at a collective all of them wait: the one with the fewest steps is to
      // blame.
      if (behind == nullptr || rank.completed < behind->completed) {
        behind = &rank;
        limit = allowed;
        silence = silent;
      }
    }
    if (behind == nullptr) return;
    std::pair now_reported(behind->rank, behind->completed);
    if (std::exchange(reported_, now_reported) == now_reported)
      return;  // the same silence as at the last tick
    out.add(behind->rank, 0, "", "", silence, limit,
            [&] { return describe(progress, *behind, silence, limit); });
  }

  std::string not_evaluated() const override { return evaluated_ ? "" : "no rank has opened its trace"; }

 private:
  struct State {
    double end_s = 0;
    double longest = 0;
    DurationQuantile times;
  };

  static double seconds_since(int64_t then_ms, int64_t now_ms) {
    return static_cast<double>(now_ms - then_ms) / 1000;
  }

  double limit_for(const trace::RankProgress& rank) const {
    if (static_cast<double>(rank.completed) < warmup_) return start_seconds_;
    auto found = ranks_.find(rank.rank);
    if (found == ranks_.end()) return start_seconds_;
    const State& state = found->second;
    return std::max({min_seconds_, factor_ * state.times.quantile(0.99), kPauseFactor * state.longest});
  }

  static std::string describe(std::span<const trace::RankProgress> progress,
                              const trace::RankProgress& behind, double silence, double limit) {
    std::string same;
    size_t count = 0;
    bool ahead = false;
    for (const trace::RankProgress& rank : progress) {
      if (rank.ended) continue;
      ahead |= rank.completed > behind.completed;
      if (rank.completed != behind.completed) continue;
      ++count;
      if (count <= 8) same += fmt::format("{}{}", same.empty() ? "" : ", ", rank.rank);
    }
    if (count > 8) same += fmt::format(" and {} more", count - 8);
    std::string where = behind.last_step
                            ? fmt::format("has completed nothing after step {}", *behind.last_step)
                            : "has completed no step";
    return fmt::format("{} {} {} for {:.0f} s (limit {:.0f} s){}", count == 1 ? "rank" : "each of the ranks",
                       same, where, silence, limit, ahead ? "; the other ranks are ahead" : "");
  }

  double min_seconds_;
  double factor_;
  double warmup_;
  double start_seconds_;
  std::map<uint32_t, State> ranks_;
  std::pair<uint32_t, uint64_t> reported_{UINT32_MAX, 0};
  bool evaluated_ = false;
};

}  // namespace

std::unique_ptr<Rule> make_hang(const RuleConfig& config, Selector selector) {
  return std::make_unique<Hang>(config, std::move(selector));
}

}  // namespace pawl::rules
