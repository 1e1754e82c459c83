// What a step costs under the C++ hook when it captures nothing: microseconds, on standard output. A program
// of its own, as it is linked with libtorch. PAWL_CAPTURE_LIB names the capture library.
#include <ATen/ATen.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "pawl/pawl.hpp"

namespace {

constexpr int kTensors = 200;
constexpr int kRounds = 20;
constexpr int kStepsOfARound = 20'000;

double microseconds_of_a_step() {
  pawl::NamedTensors parameters;
  for (int i = 0; i < kTensors; ++i) parameters.emplace_back("layer" + std::to_string(i), at::ones({8, 8}));
  pawl::Hook hook(std::move(parameters), 1);
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int step = 0; step < kStepsOfARound; ++step) hook.step();
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - begin;
    rounds.push_back(spent.count() / kStepsOfARound);
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds[kRounds / 2];
}

}  // namespace

int main() {
  char folder[] = "/tmp/pawl-bench-hook-XXXXXX";
  if (::mkdtemp(folder) == nullptr) return 3;
  ::setenv("PAWL_TRACE_DIR", folder, 1);
  ::setenv("PAWL_CAPTURE", "weights every=1000000000\ngradients every=1000000000", 1);
  const double microseconds = microseconds_of_a_step();
  const bool recorded = std::filesystem::exists(std::filesystem::path(folder) / "rank-00000");
  std::filesystem::remove_all(folder);
  if (!recorded) {
    std::fprintf(stderr, "pawl-bench-hook: the hook recorded nothing: is PAWL_CAPTURE_LIB set?\n");
    return 1;
  }
  std::printf("%.3f\n", microseconds);
  return 0;
}
