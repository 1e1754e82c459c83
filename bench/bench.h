// The benchmarks of pawl-bench. Each measures, prints its result (one JSON object on standard output when
// `json`, text for a person otherwise) and returns the exit code of the program.
#pragma once

namespace pawl::bench {

int bench_capture(bool json);
int bench_cuda(bool json);
int bench_gate(bool json);
int bench_ingest(bool json);
int bench_overhead(bool json);
int bench_webhook(bool json);

}  // namespace pawl::bench
