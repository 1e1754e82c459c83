#include "bench/gate_cost.h"

#include <fmt/format.h>
#include <time.h>

#include <iterator>
#include <string>
#include <vector>

#include "bench/counted_numbers.h"
#include "engine/base/parallel.h"
#include "engine/gate/metric_judge.h"
#include "engine/gate/predictions.h"
#include "engine/gate/verdict.h"

namespace pawl::bench {
namespace {

constexpr unsigned kSlices = 50;
constexpr unsigned kMeans = 9;  // and accuracy are the 10 decomposable metrics
constexpr const char* kFile = "predictions.csv";

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

std::string mean_name(unsigned i) {
  return fmt::format("loss_{}", i);
}

// Writes rows of predictions: what both models see (label, slice, how hard the example is) comes from one
// stream, what only one of them says from another.
class Predictions {
 public:
  explicit Predictions(std::uint32_t model) : own_(10 + model) {}

  static std::string header() {
    std::string out = "id,label,prediction,group,score,score_2";
    for (unsigned i = 0; i < kMeans; ++i) out += ',' + mean_name(i);
    return out + '\n';
  }

  void append_row(unsigned id, std::string& out) {
    const int label = shared_.uniform() < 0.2;
    const unsigned slice = shared_.word() % kSlices;
    const double seen = 1.5 * label + shared_.normal();
    const double score = seen + 0.3 * own_.normal();
    const double second = seen + 0.5 * own_.normal();
    fmt::format_to(std::back_inserter(out), "{:07},{},{},g{:02},{:.6f},{:.6f}", id, label, score > 1 ? 1 : 0,
                   slice, score, second);
    for (unsigned i = 0; i < kMeans; ++i) {
      fmt::format_to(std::back_inserter(out), ",{:.6f}", std::abs(score - label) + 0.1 * own_.normal());
    }
    out += '\n';
  }

 private:
  Stream shared_{1};
  Stream own_;
};

struct Read {
  gate::EvaluationVector vector;
  double seconds = 0;
};

Result<Read> read_predictions(std::uint32_t model, const gate::WantedColumns& wanted) {
  constexpr std::size_t kChunk = 1 << 18;
  Predictions rows(model);
  gate::PredictionsReader reader(kFile, wanted);
  Read out;
  std::string text = rows.header();
  for (unsigned id = 0; id < kJudgeExamples; ++id) {
    rows.append_row(id, text);
    if (text.size() < kChunk && id + 1 < kJudgeExamples) continue;
    const double begin = monotonic_s();
    PAWL_RETURN_IF_ERROR(reader.feed(text));
    out.seconds += monotonic_s() - begin;
    text.clear();
  }
  const double begin = monotonic_s();
  PAWL_ASSIGN(out.vector, reader.finish());
  out.seconds += monotonic_s() - begin;
  return out;
}

gate::PairedTest test_of(gate::PairedTest::Of of, std::string column = {}) {
  gate::PairedTest test;
  test.of = of;
  test.margin = 0.02;
  test.column = std::move(column);
  test.positive = "1";
  return test;
}

gate::MetricRule metric_of(std::string name, gate::Direction direction, gate::PairedTest test) {
  gate::MetricRule rule;
  rule.metric = std::move(name);
  rule.direction = direction;
  rule.max_drop = 0.03;
  rule.paired = std::move(test);
  return rule;
}

// The paired test of every metric in every slice too.
gate::Policy with_slices(gate::Policy policy) {
  gate::SliceRule slices;
  slices.by = "group";
  slices.max_drop = 0.05;
  slices.margin = 0.05;
  for (gate::MetricRule& rule : policy.metrics) rule.slices = {slices};
  return policy;
}

gate::Policy decomposable() {
  using Of = gate::PairedTest::Of;
  gate::Policy policy;
  policy.metrics.push_back(metric_of("answers", gate::Direction::higher, test_of(Of::accuracy)));
  for (unsigned i = 0; i < kMeans; ++i) {
    policy.metrics.push_back(
        metric_of(mean_name(i), gate::Direction::lower, test_of(Of::mean, mean_name(i))));
  }
  return with_slices(std::move(policy));
}

// Over all examples; DeLong's test takes no bootstrap, the other three do.
gate::Policy ranked() {
  using Of = gate::PairedTest::Of;
  gate::Policy policy;
  const auto add = [&](std::string name, gate::PairedTest test) {
    policy.metrics.push_back(metric_of(std::move(name), gate::Direction::higher, std::move(test)));
  };
  add("area", test_of(Of::auc, "score"));
  add("precision", test_of(Of::average_precision, "score"));
  add("precision_2", test_of(Of::average_precision, "score_2"));
  add("f1", test_of(Of::macro_f1));
  return policy;
}

gate::WantedColumns wanted_by(const gate::Policy& a, const gate::Policy& b) {
  gate::WantedColumns wanted = gate::wanted_columns(a, kFile);
  wanted.numbers.merge(gate::wanted_columns(b, kFile).numbers);
  wanted.classes = true;
  return wanted;
}

struct Seconds {
  double wall = 0;
  double cpu = 0;
};

// A verdict on two models that are as good as each other.
Result<Seconds> time_verdict(const gate::Policy& policy, unsigned threads, gate::Inputs& inputs) {
  for (const gate::MetricRule& rule : policy.metrics) {
    for (gate::Evidence* it : {&inputs.evidence, &inputs.baseline->evidence}) {
      it->metrics.push_back({rule.metric, 0.5, std::nullopt, "", std::nullopt});
    }
  }
  const Seconds begin{monotonic_s(), cpu_s()};
  const gate::Verdict verdict =
      gate::judge(policy, inputs, [&](std::size_t count, const std::function<void(std::size_t)>& task) {
        run_parallel(threads, count, task);
      });
  const Seconds seconds{monotonic_s() - begin.wall, cpu_s() - begin.cpu};
  if (verdict.kind != gate::VerdictKind::pass) return Error(ErrorCode::internal, verdict.headline);
  return seconds;
}

}  // namespace

Result<GateCost> measure_gate_cost() {
  const gate::Policy means = decomposable();
  const gate::Policy ranks = ranked();
  const gate::WantedColumns wanted = wanted_by(means, ranks);
  PAWL_ASSIGN(Read candidate, read_predictions(0, wanted));
  PAWL_ASSIGN(Read baseline, read_predictions(1, wanted));
  gate::Inputs inputs;
  inputs.target_branch = "main";
  inputs.evidence.vectors[kFile] = std::move(candidate.vector);
  inputs.baseline.emplace();
  inputs.baseline->evidence.vectors[kFile] = std::move(baseline.vector);
  PAWL_ASSIGN(const Seconds decomposable, time_verdict(means, 1, inputs));
  PAWL_ASSIGN(const Seconds bootstrap, time_verdict(ranks, kJudgeThreads, inputs));
  PAWL_ASSIGN(const Seconds sliced, time_verdict(with_slices(ranks), kJudgeThreads, inputs));
  return GateCost{candidate.seconds, decomposable.wall, bootstrap.wall, bootstrap.cpu, sliced.wall};
}

}  // namespace pawl::bench
