// pawl-bench ingest: the way of a record through the supervisor.
// rows_per_s: statistics rows of two ranks, read from their segments, assembled into steps, put through all
// rules and written to trace.db, by one thread, until committed, while two ranks in other processes train at
// 100 steps/s; rows_per_cpu_s: by the time that thread was on a processor. bytes_per_row: of the trace.db
// that this leaves, curves and all. rule_latency_ms: from a rank's end of a step to all rules having seen it,
// while a rank in another process trains at 100 steps/s, woken by inotify as the supervisor is.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "engine/base/files.h"
#include "engine/rules/evaluator.h"
#include "engine/trace/collector.h"
#include "engine/trace/steps.h"
#include "engine/trace/tail.h"
#include "hooks/capture/include/pawl/capture.h"

namespace pawl::bench {
namespace {

constexpr int kTensors = 200;  // half weights, half gradients
constexpr int kEvery = 10;

double now_s(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}
double monotonic_s() {
  return now_s(CLOCK_MONOTONIC);
}
double thread_cpu_s() {
  return now_s(CLOCK_THREAD_CPUTIME_ID);
}

struct CloseCapture {
  void operator()(pawl_capture* capture) const { pawl_capture_close(capture); }
};
using Capture = std::unique_ptr<pawl_capture, CloseCapture>;

// A rank that trains: a falling loss, weights that drift, gradients with noise.
class Rank {
 public:
  static Result<Rank> open(const std::string& trace_dir, uint32_t rank, uint32_t world_size) {
    pawl_capture_options options{};
    options.struct_size = sizeof options;
    options.rank = rank;
    options.world_size = world_size;
    options.ring_bytes = 64u << 20;
    options.trace_dir = trace_dir.c_str();
    options.producer = "pawl-bench";
    pawl_capture* capture = nullptr;
    if (pawl_capture_open(&options, &capture) != PAWL_OK) {
      return Error(ErrorCode::io, pawl_capture_last_error(nullptr), trace_dir);
    }
    return Rank(Capture(capture));
  }

  void step(uint64_t number, bool with_statistics) {
    double t = static_cast<double>(number);
    pawl_capture_step_begin(capture_.get(), number, 0);
    pawl_capture_scalar(capture_.get(), loss_, 0.3 + 2 * std::exp(-t / 300));
    for (int i = 0; with_statistics && i < kTensors; ++i) {
      stats_.square_sum = 4 + 1e-3 * t + 0.1 * std::sin(t * i);
      stats_.sum = 1e-3 * t;
      pawl_capture_stats(capture_.get(), tensors_[static_cast<size_t>(i)], &stats_);
    }
    pawl_capture_step_end(capture_.get());
  }
  void flush() { pawl_capture_flush(capture_.get()); }
  uint64_t dropped() const { return pawl_capture_dropped(capture_.get()); }

 private:
  explicit Rank(Capture capture) : capture_(std::move(capture)) {
    stats_.struct_size = sizeof stats_;
    stats_.count = 4096;
    stats_.min = -0.1;
    stats_.max = 0.1;
    stats_.abs_sum = 100;
    const uint64_t magnitude[] = {4, 12, 64, 250, 900, 2000, 866};
    std::copy(std::begin(magnitude), std::end(magnitude), stats_.magnitude + 3);
    const int64_t shape[] = {64, 64};
    pawl_capture_series(capture_.get(), "loss", PAWL_LOSS, PAWL_F64, nullptr, 0, &loss_);
    for (int i = 0; i < kTensors; ++i) {
      std::string name = fmt::format("layer{}.weight", i / 2);
      tensors_.push_back(0);
      pawl_capture_series(capture_.get(), name.c_str(), i % 2 == 0 ? PAWL_WEIGHT : PAWL_GRADIENT, PAWL_F32,
                          shape, 2, &tensors_.back());
    }
  }

  Capture capture_;
  pawl_stats stats_{};
  uint32_t loss_ = 0;
  std::vector<uint32_t> tensors_;
};

// What the supervisor does with a trace.
class Ingest {
 public:
  static Result<Ingest> open(const std::string& trace_dir, const std::string& db_path) {
    PAWL_ASSIGN(trace::TraceTail tail, trace::TraceTail::open(trace_dir));
    PAWL_ASSIGN(trace::Collector collector, trace::Collector::create(db_path));
    PAWL_ASSIGN(rules::Evaluator evaluator, rules::Evaluator::create(rules::default_rules()));
    return Ingest(std::move(tail), std::move(collector), std::move(evaluator));
  }

  int fd() const { return tail_.fd(); }

  // Everything there is; `evaluated` is called for every step once the rules have seen it.
  template <class Evaluated>
  Result<void> drain(Evaluated evaluated) {
    for (bool more = true; more;) {
      trace::TraceTail::Batch batch = tail_.poll();
      more = batch.more;
      int64_t now_ms = static_cast<int64_t>(monotonic_s() * 1000);
      for (const trace::RankRecord& record : batch.records)
        assembler_->add(record.rank, record.record, now_ms);
      for (const trace::Step& step : assembler_->take(now_ms)) {
        findings_ += evaluator_.on_step(step).size();
        evaluated(step);
        PAWL_RETURN_IF_ERROR(collector_.add(step));
      }
    }
    return collector_.commit();
  }
  size_t findings() const { return findings_; }

 private:
  Ingest(trace::TraceTail tail, trace::Collector collector, rules::Evaluator evaluator)
      : tail_(std::move(tail)), collector_(std::move(collector)), evaluator_(std::move(evaluator)) {}

  trace::TraceTail tail_;
  std::unique_ptr<trace::StepAssembler> assembler_ = std::make_unique<trace::StepAssembler>();
  trace::Collector collector_;
  rules::Evaluator evaluator_;
  size_t findings_ = 0;
};

struct Throughput {
  uint64_t rows = 0;
  double rows_per_s = 0;
  double rows_per_cpu_s = 0;
  double bytes_per_row = 0;
};

constexpr double kStepSeconds = 0.01;

// Trains for `steps`; sleeps are the training here, they are not waited for by anything.
int train(const std::string& trace_dir, uint32_t number, uint32_t world_size, uint64_t steps) {
  auto rank = Rank::open(trace_dir, number, world_size);
  if (!rank.ok()) return 1;
  double next = monotonic_s();
  for (uint64_t step = 0; step < steps; ++step) {
    next += kStepSeconds;
    double wait = next - monotonic_s();
    if (wait > 0) usleep(static_cast<useconds_t>(wait * 1e6));
    rank->step(step, step % kEvery == 0);
  }
  return 0;
}

// A rank in a process of its own, until it is done or nobody needs it.
class Trainer {
 public:
  static Result<Trainer> start(const std::string& trace_dir, uint32_t number, uint32_t world_size,
                               uint64_t steps) {
    PAWL_RETURN_IF_ERROR(make_dirs(trace_dir));
    pid_t child = fork();
    if (child < 0) return errno_error("cannot start the writer", "fork", errno);
    if (child == 0) _exit(train(trace_dir, number, world_size, steps));
    return Trainer(child);
  }
  Trainer(Trainer&& other) noexcept : child_(std::exchange(other.child_, 0)) {}
  Trainer& operator=(Trainer&&) = delete;
  ~Trainer() {
    if (child_ == 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

 private:
  explicit Trainer(pid_t child) : child_(child) {}
  pid_t child_;
};

Result<Throughput> measure_throughput(const std::string& dir) {
  constexpr uint32_t kRanks = 2;
  constexpr uint64_t kSteps = 500;
  const std::string trace_dir = dir + "/trace";
  PAWL_RETURN_IF_ERROR(make_dirs(trace_dir));
  for (uint32_t rank = 0; rank < kRanks; ++rank) {
    PAWL_ASSIGN(Rank writer, Rank::open(trace_dir, rank, kRanks));
    for (uint64_t step = 0; step < kSteps; ++step) {
      writer.step(step, true);
      if (step % 50 == 0) writer.flush();
    }
    writer.flush();
    if (writer.dropped() > 0) return Error(ErrorCode::internal, "the benchmark's own writer dropped records");
  }
  PAWL_ASSIGN(Trainer beside, Trainer::start(dir + "/beside", 0, kRanks, UINT64_MAX));
  PAWL_ASSIGN(Trainer other, Trainer::start(dir + "/beside", 1, kRanks, UINT64_MAX));
  Throughput result;
  for (int repetition = 0; repetition < 3; ++repetition) {
    const std::string path = fmt::format("{}/{}.db", dir, repetition);
    const double begin = monotonic_s();
    const double cpu_begin = thread_cpu_s();
    result.rows = 0;
    {
      PAWL_ASSIGN(Ingest ingest, Ingest::open(trace_dir, path));
      PAWL_RETURN_IF_ERROR(ingest.drain([&](const trace::Step& step) {
        for (const trace::Observation& o : step.observations) result.rows += o.stats() != nullptr;
      }));
      const auto rows = static_cast<double>(result.rows);
      result.rows_per_s = std::max(result.rows_per_s, rows / (monotonic_s() - begin));
      result.rows_per_cpu_s = std::max(result.rows_per_cpu_s, rows / (thread_cpu_s() - cpu_begin));
      if (result.rows != kRanks * kSteps * kTensors || ingest.findings() != 0) {
        return Error(ErrorCode::internal,
                     fmt::format("{} rows and {} findings", result.rows, ingest.findings()));
      }
    }
    std::error_code failed;
    result.bytes_per_row =
        static_cast<double>(std::filesystem::file_size(path, failed)) / static_cast<double>(result.rows);
  }
  return result;
}

constexpr uint64_t kLatencySteps = 1000;
Result<std::vector<double>> measure_latency(const std::string& dir) {
  const std::string trace_dir = dir + "/live";
  PAWL_RETURN_IF_ERROR(make_dirs(trace_dir));
  PAWL_ASSIGN(Ingest ingest, Ingest::open(trace_dir, dir + "/live.db"));
  PAWL_ASSIGN(Trainer trainer, Trainer::start(trace_dir, 0, 1, kLatencySteps));
  std::vector<double> latencies_ms;
  Result<void> outcome;
  double deadline = monotonic_s() + 60;
  while (latencies_ms.size() < kLatencySteps && outcome.ok() && monotonic_s() < deadline) {
    pollfd readable{ingest.fd(), POLLIN, 0};
    poll(&readable, 1, 1000);
    outcome = ingest.drain([&](const trace::Step& step) {
      latencies_ms.push_back((monotonic_s() - step.ranks.back().end_s) * 1000);
    });
  }
  PAWL_RETURN_IF_ERROR(std::move(outcome));
  if (latencies_ms.size() != kLatencySteps)
    return Error(ErrorCode::internal, "steps of the writer are missing");
  std::sort(latencies_ms.begin(), latencies_ms.end());
  return latencies_ms;
}

double quantile(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))];
}

Result<std::string> run(bool json) {
  PAWL_ASSIGN(TempDir dir, TempDir::create("pawl-bench"));
  PAWL_ASSIGN(Throughput throughput, measure_throughput(dir.path()));
  PAWL_ASSIGN(std::vector<double> latencies, measure_latency(dir.path()));
  double p50 = quantile(latencies, 0.5);
  double p99 = quantile(latencies, 0.99);
  if (json) {
    return fmt::format(
        R"({{"rows_per_s":{:.0f},"rows_per_cpu_s":{:.0f},"bytes_per_row":{:.0f},"rule_latency_ms_p50":{:.3f},"rule_latency_ms_p99":{:.3f},"rows":{},"steps":{}}})",
        throughput.rows_per_s, throughput.rows_per_cpu_s, throughput.bytes_per_row, p50, p99, throughput.rows,
        latencies.size());
  }
  return fmt::format(
      "{:.0f} statistics rows/s ({} rows), {:.0f} by processor time, {:.0f} bytes each\n"
      "step end to rules: p50 {:.3f} ms, p99 {:.3f} ms ({} steps)",
      throughput.rows_per_s, throughput.rows, throughput.rows_per_cpu_s, throughput.bytes_per_row, p50, p99,
      latencies.size());
}

}  // namespace

int bench_ingest(bool json) {
  Result<std::string> report = run(json);
  if (!report.ok()) {
    fmt::print(stderr, "pawl-bench ingest: {}\n", report.error().to_string());
    return 3;
  }
  fmt::print("{}\n", *report);
  return 0;
}

}  // namespace pawl::bench
