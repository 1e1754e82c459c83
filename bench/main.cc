// pawl-bench SUB [--json]: measures one part of the product on this machine and prints one JSON object.
#include <cstdio>
#include <cstring>
#include <string_view>

#include "bench/bench.h"

namespace {

struct Benchmark {
  const char* name;
  int (*run)(bool json);
  const char* measures;
};

constexpr Benchmark kBenchmarks[] = {
    {"capture", pawl::bench::bench_capture, "tensor statistics against a plain read of the same memory"},
    {"cuda", pawl::bench::bench_cuda,
     "tensor statistics on a GPU against a copy of as many bytes; 3 without one"},
    {"gate", pawl::bench::bench_gate, "the statistics of the gate: what they cost, how often they are wrong"},
    {"ingest", pawl::bench::bench_ingest, "a trace from its segments into trace.db and through the rules"},
    {"overhead", pawl::bench::bench_overhead,
     "what a training step costs more with the hooks; $PAWL_BENCH_PEER: a Python that has the reference "
     "hook"},
    {"webhook", pawl::bench::bench_webhook,
     "a daemon: deliveries to answers, and to the first process of a stage"},
};

int usage(std::FILE* out) {
  std::fprintf(out, "usage: pawl-bench SUB [--json]\n");
  for (const Benchmark& benchmark : kBenchmarks) {
    std::fprintf(out, "  %-10s %s\n", benchmark.name, benchmark.measures);
  }
  return out == stdout ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  const char* name = nullptr;
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument(argv[i]);
    if (argument == "--help") return usage(stdout);
    if (argument == "--json") {
      json = true;
    } else if (name == nullptr) {
      name = argv[i];
    } else {
      return usage(stderr);
    }
  }
  if (name == nullptr) return usage(stderr);
  for (const Benchmark& benchmark : kBenchmarks) {
    if (std::strcmp(benchmark.name, name) == 0) return benchmark.run(json);
  }
  std::fprintf(stderr, "pawl-bench: no benchmark is called '%s'\n", name);
  return usage(stderr);
}
