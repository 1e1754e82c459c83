// pawl-bench gate: what the statistics of the gate cost, and how often they are wrong.
// decomposable_s: counts or moments and, for right-or-wrong results, Tango's interval of 10 metrics in each
// of 50 slices that partition a million examples, one thread. bootstrap_s: AUC, average precision and macro
// F1 of two models on a million examples with 2000 replicates, two threads, sorting and jackknife included.
// The rest judges simulated pairs of models by Tango's interval, as the gate's paired test does: each cell is
// kPairs pairs that disagree on a given fraction of the examples. The numbers come from a counter, so the
// shares are the same on every machine.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bench/bench.h"
#include "engine/gate/bootstrap.h"
#include "engine/gate/counter_rng.h"
#include "engine/gate/paired.h"
#include "engine/gate/paired_slices.h"

namespace pawl::bench {
namespace {

using gate::PairedCounts;

constexpr std::uint32_t kExamples = 1'000'000;
constexpr std::size_t kThreads = 2;

double clock_s(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double monotonic_s() {
  return clock_s(CLOCK_MONOTONIC);
}

double cpu_s() {
  return clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

// A stream of numbers out of the counter.
class Stream {
 public:
  explicit Stream(std::uint32_t number) : number_(number) {}

  std::uint32_t word() {
    if (used_ == bits_.size()) {
      bits_ = gate::philox4x32(
          {static_cast<std::uint32_t>(block_), static_cast<std::uint32_t>(block_ >> 32), number_, 0},
          gate::philox_key(1));
      ++block_;
      used_ = 0;
    }
    return bits_[used_++];
  }
  double uniform() { return (word() + 0.5) * 0x1p-32; }
  double normal() { return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * M_PI * uniform()); }

 private:
  std::uint32_t number_;
  std::uint64_t block_ = 0;
  gate::PhiloxCounter bits_{};
  std::size_t used_ = bits_.size();
};

void two_threads(std::size_t count, const std::function<void(std::size_t)>& task) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) task(i);
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < kThreads; ++i) others.emplace_back(work);
  work();
  for (std::thread& it : others) it.join();
}

Result<double> measure_decomposable() {
  constexpr std::uint32_t kSlices = 50;
  constexpr int kOfEachKind = 5;
  constexpr double kAlpha = 0.05;
  Stream random(1);
  std::vector<std::uint32_t> slice_of(kExamples);
  std::vector<std::uint8_t> right[2];
  std::vector<double> loss[2];
  for (std::uint32_t& it : slice_of) it = random.word() % kSlices;
  for (int model = 0; model < 2; ++model) {
    for (std::uint32_t i = 0; i < kExamples; ++i) {
      right[model].push_back(random.uniform() < 0.9);
      loss[model].push_back(-std::log(random.uniform()));
    }
  }
  const double begin = monotonic_s();
  double low = 0;
  for (int metric = 0; metric < kOfEachKind; ++metric) {
    PAWL_ASSIGN(const auto counts, gate::paired_counts_by_slice(slice_of, kSlices, right[0], right[1]));
    for (const PairedCounts& it : counts) low += gate::tango_interval(it, kAlpha).low;
    PAWL_ASSIGN(const auto moments, gate::paired_moments_by_slice(slice_of, kSlices, loss[0], loss[1]));
    for (const gate::PairedMoments& it : moments) low += it.mean;
  }
  const double seconds = monotonic_s() - begin;
  if (!std::isfinite(low)) return Error(ErrorCode::internal, "a slice has no interval");
  return seconds;
}

struct Model {
  std::vector<double> scores;
  std::vector<std::uint32_t> predictions;
};

struct Seconds {
  double wall = 0;
  double cpu = 0;  // of all threads: what the wall shows on a machine with nothing else to do, times threads
};

Result<Seconds> measure_bootstrap() {
  Stream random(2);
  std::vector<std::uint32_t> labels(kExamples);
  std::vector<std::uint8_t> positive(kExamples);
  std::vector<std::uint64_t> keys(kExamples);
  Model models[2];
  for (std::uint32_t i = 0; i < kExamples; ++i) {
    keys[i] = gate::example_key(std::to_string(i));
    labels[i] = positive[i] = random.uniform() < 0.2;
    const double shared = 1.5 * labels[i] + random.normal();
    for (Model& model : models) {
      model.scores.push_back(shared + 0.3 * random.normal());
      model.predictions.push_back(model.scores.back() > 1);
    }
  }
  const Seconds begin{monotonic_s(), cpu_s()};
  std::vector<std::unique_ptr<gate::LaneMetric>> metrics[2];
  for (int m = 0; m < 2; ++m) {
    PAWL_ASSIGN(gate::RankedScores sorted, gate::RankedScores::create(positive, models[m].scores));
    const auto ranked = std::make_shared<const gate::RankedScores>(std::move(sorted));
    PAWL_ASSIGN(auto macro_f1, gate::lane_class_metric(labels, models[m].predictions, 2,
                                                       [](const gate::ClassCounts& counts) {
                                                         return gate::macro_scores(counts).f1;
                                                       }));
    metrics[m].push_back(gate::lane_auc(ranked));
    metrics[m].push_back(gate::lane_average_precision(ranked));
    metrics[m].push_back(std::move(macro_f1));
  }
  std::vector<gate::PairedMetric> pairs;
  for (std::size_t i = 0; i < metrics[0].size(); ++i)
    pairs.push_back({metrics[0][i].get(), metrics[1][i].get()});
  PAWL_ASSIGN(const gate::Resampling resampling, gate::Resampling::create(std::move(keys), labels));
  PAWL_ASSIGN(const auto results, gate::paired_bootstrap(resampling, pairs, {}, two_threads));
  const Seconds seconds{monotonic_s() - begin.wall, cpu_s() - begin.cpu};
  for (const gate::PairedBootstrap& it : results) {
    if (!(it.standard_error > 0) || !it.bca) return Error(ErrorCode::internal, "a metric has no interval");
  }
  return seconds;
}

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
    return fmt::format(R"("share":{:.5f},"standard_error":{:.5f})", value(),
                       std::sqrt(value() * (1 - value()) / kPairs));
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
  PAWL_ASSIGN(const double decomposable, measure_decomposable());
  PAWL_ASSIGN(const Seconds bootstrap, measure_bootstrap());
  Cells cells;
  std::uint32_t stream = 1000;  // each cell has numbers of its own
  simulate_equal(cells, stream);
  simulate_at_margin(cells, stream);
  simulate_drop(cells, stream);
  if (json) {
    return fmt::format(
        R"({{"decomposable_s":{:.3f},"bootstrap_s":{:.2f},"bootstrap_cpu_s":{:.2f},"threads":{},)"
        R"("examples":{},"pairs":{}{}}})",
        decomposable, bootstrap.wall, bootstrap.cpu, kThreads, kExamples, kPairs, cells.json());
  }
  return fmt::format(
      "10 metrics in 50 slices of {} examples: {:.3f} s\n"
      "AUC, average precision, macro F1 with 2000 replicates: {:.2f} s on {} threads ({:.2f} s of CPU)\n"
      "verdicts on {} simulated pairs in each cell, least to most:{}",
      kExamples, decomposable, bootstrap.wall, kThreads, bootstrap.cpu, kPairs, cells.text());
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
