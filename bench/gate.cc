// pawl-bench gate: what a verdict costs (gate_cost.h), and how often it is wrong: simulated pairs of models
// are judged by Tango's interval, as the gate's paired test does. Each cell is kPairs pairs that disagree on
// a given fraction of the examples. The numbers come from a counter, so the shares are the same on every
// machine.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/counted_numbers.h"
#include "bench/gate_cost.h"
#include "engine/gate/paired.h"
#include "engine/gate/proportion.h"

namespace pawl::bench {
namespace {

using gate::PairedCounts;

constexpr int kPairs = 20'000;
constexpr double kAlpha = 0.05;
constexpr double kPower = 0.8;
constexpr double kMaxDrop = 0.02;  // of the hard layer
constexpr double kMargins[] = {0.005, 0.01};
constexpr double kDiscordances[] = {0.02, 0.05, 0.1, 0.2};
constexpr std::int64_t kSizes[] = {1'000, 10'000};

// Draws the counts of pairs of models: the number of disagreements is binomial, by inversion of its
// distribution, and each of them is one or the other model's.
class Pairs {
 public:
  Pairs(std::int64_t n, double discordance, double drop, std::uint32_t stream)
      : n_(n), candidate_wins_((discordance - drop) / (2 * discordance)), random_(stream) {
    const auto size = static_cast<double>(n);
    double cumulative = 0;
    for (double k = 0; k <= size; ++k) {
      cumulative += std::exp(std::lgamma(size + 1) - std::lgamma(k + 1) - std::lgamma(size - k + 1) +
                             k * std::log(discordance) + (size - k) * std::log1p(-discordance));
      distribution_.push_back(cumulative);
    }
  }

  PairedCounts draw() {
    const auto at = std::lower_bound(distribution_.begin(), distribution_.end() - 1, random_.uniform());
    PairedCounts counts{n_, 0, 0};
    for (auto left = at - distribution_.begin(); left > 0; --left) {
      ++(random_.uniform() < candidate_wins_ ? counts.b : counts.c);
    }
    return counts;
  }

 private:
  std::int64_t n_;
  double candidate_wins_;
  Stream random_;
  std::vector<double> distribution_;
};

struct Share {
  int hits = 0;

  double value() const { return static_cast<double>(hits) / kPairs; }
  std::string json() const {
    return fmt::format(R"("share":{:.5f},"standard_error":{:.5f},"at_most":{:.5f})", value(),
                       std::sqrt(value() * (1 - value()) / kPairs),
                       gate::clopper_pearson_interval(hits, kPairs, kAlpha).high);
  }
};

// Shares of the verdicts on pairs whose true drop is `drop`, by margin.
struct Judged {
  Share lenient_red;
  Share undecided;
  Share naive_red;  // a drop of more than the margin, no statistics
};

struct Simulated {
  Judged by_margin[std::size(kMargins)];
  Share hard_red;
};

Simulated simulate(Pairs pairs) {
  Simulated out;
  for (int i = 0; i < kPairs; ++i) {
    const PairedCounts counts = pairs.draw();
    const gate::Interval interval = gate::tango_interval(counts, kAlpha);
    out.hard_red.hits += counts.difference() < -kMaxDrop;
    for (std::size_t m = 0; m < std::size(kMargins); ++m) {
      const bool red = interval.high < -kMargins[m];
      const bool green = interval.low > -kMargins[m];
      out.by_margin[m].lenient_red.hits += red;
      out.by_margin[m].undecided.hits += !red && !green;
      out.by_margin[m].naive_red.hits += counts.difference() < -kMargins[m];
    }
  }
  return out;
}

// A figure of one cell: a verdict, what was simulated, and how often it was given.
struct Cell {
  std::string verdict;
  std::string json;
  double share;
};

class Cells {
 public:
  void add(std::string verdict, const std::string& where, const Share& share, const std::string& more = {}) {
    cells_.push_back(
        {std::move(verdict), fmt::format("{{{},{}{}}}", where, share.json(), more), share.value()});
  }

  // Each verdict's list of cells as a member of an object.
  std::string json() const {
    std::string out;
    for (const std::string& verdict : verdicts()) {
      out += fmt::format(",\n\"{}\":[", verdict);
      for (const Cell& it : cells_) {
        if (it.verdict == verdict) out += (out.back() == '[' ? "" : ",\n ") + it.json;
      }
      out += ']';
    }
    return out;
  }

  std::string text() const {
    std::string out;
    for (const std::string& verdict : verdicts()) {
      double low = 1;
      double high = 0;
      for (const Cell& it : cells_) {
        if (it.verdict != verdict) continue;
        low = std::min(low, it.share);
        high = std::max(high, it.share);
      }
      out += fmt::format("\n  {:<20} {:5.2f} % to {:5.2f} %", verdict, 100 * low, 100 * high);
    }
    return out;
  }

 private:
  std::set<std::string> verdicts() const {
    std::set<std::string> out;
    for (const Cell& it : cells_) out.insert(it.verdict);
    return out;
  }

  std::vector<Cell> cells_;
};

// Models that are equally good.
void simulate_equal(Cells& cells, std::uint32_t& stream) {
  for (const std::int64_t n : kSizes) {
    for (const double discordance : kDiscordances) {
      const Simulated shares = simulate(Pairs(n, discordance, 0, stream++));
      const std::string where = fmt::format(R"("n":{},"discordance":{})", n, discordance);
      cells.add("hard_layer_red", fmt::format(R"({},"max_drop":{})", where, kMaxDrop), shares.hard_red);
      for (std::size_t m = 0; m < std::size(kMargins); ++m) {
        const Judged& judged = shares.by_margin[m];
        const std::string cell = fmt::format(R"({},"margin":{})", where, kMargins[m]);
        cells.add("false_red", cell, judged.lenient_red,
                  fmt::format(R"(,"naive":{:.5f})", judged.naive_red.value()));
        cells.add("inconclusive", cell, judged.undecided);
      }
    }
  }
}

// The worst models that the margin still allows: here the error rate alpha is used up.
void simulate_at_margin(Cells& cells, std::uint32_t& stream) {
  for (const std::int64_t n : kSizes) {
    for (const double discordance : kDiscordances) {
      for (std::size_t m = 0; m < std::size(kMargins); ++m) {
        const Simulated shares = simulate(Pairs(n, discordance, kMargins[m], stream++));
        cells.add("false_red_at_margin",
                  fmt::format(R"("n":{},"discordance":{},"margin":{})", n, discordance, kMargins[m]),
                  shares.by_margin[m].lenient_red);
      }
    }
  }
}

// Models that are worse than the margin by an effect, on as many examples as are planned to show it.
void simulate_drop(Cells& cells, std::uint32_t& stream) {
  constexpr double kEffect = 0.01;
  for (const double discordance : kDiscordances) {
    const std::int64_t n = gate::examples_needed(discordance, kEffect, kAlpha, kPower);
    for (std::size_t m = 0; m < std::size(kMargins); ++m) {
      const double drop = kMargins[m] + kEffect;
      const Simulated shares = simulate(Pairs(n, discordance, drop, stream++));
      cells.add(
          "power",
          fmt::format(R"("n":{},"discordance":{},"margin":{},"drop":{})", n, discordance, kMargins[m], drop),
          shares.by_margin[m].lenient_red);
    }
  }
}

Result<std::string> run(bool json) {
  PAWL_ASSIGN(const GateCost cost, measure_gate_cost());
  Cells cells;
  std::uint32_t stream = 1000;  // each cell has numbers of its own
  simulate_equal(cells, stream);
  simulate_at_margin(cells, stream);
  simulate_drop(cells, stream);
  if (json) {
    return fmt::format(
        R"({{"decomposable_s":{:.3f},"bootstrap_s":{:.2f},"bootstrap_cpu_s":{:.2f},)"
        R"("bootstrap_sliced_s":{:.2f},"read_predictions_s":{:.2f},"threads":{},"examples":{},"pairs":{}{}}})",
        cost.decomposable_s, cost.bootstrap_s, cost.bootstrap_cpu_s, cost.bootstrap_sliced_s,
        cost.read_predictions_s, kJudgeThreads, kJudgeExamples, kPairs, cells.json());
  }
  return fmt::format(
      "predictions of {} examples read in {:.2f} s\n"
      "verdict on 10 metrics in 50 slices: {:.3f} s\n"
      "verdict on AUC, average precision (two columns), macro F1 with 2000 replicates: {:.2f} s on {} "
      "threads ({:.2f} s of CPU), {:.2f} s with 50 slices\n"
      "verdicts on {} simulated pairs in each cell, least to most:{}",
      kJudgeExamples, cost.read_predictions_s, cost.decomposable_s, cost.bootstrap_s, kJudgeThreads,
      cost.bootstrap_cpu_s, cost.bootstrap_sliced_s, kPairs, cells.text());
}

}  // namespace

int bench_gate(bool json) {
  Result<std::string> report = run(json);
  if (!report.ok()) {
    fmt::print(stderr, "pawl-bench gate: {}\n", report.error().to_string());
    return 3;
  }
  fmt::print("{}\n", *report);
  return 0;
}

}  // namespace pawl::bench
