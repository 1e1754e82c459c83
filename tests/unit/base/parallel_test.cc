#include "engine/base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace pawl {
namespace {

TEST(RunParallel, EachTaskOnce) {
  for (const std::size_t threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> runs(100);
    run_parallel(threads, runs.size(), [&](std::size_t i) { ++runs[i]; });
    for (const auto& count : runs) EXPECT_EQ(count, 1);
  }
}

TEST(RunParallel, NothingToDoIsDone) {
  run_parallel(4, 0, [](std::size_t) { FAIL(); });
}

TEST(RunParallel, TasksRunAtOnce) {
  // Each of two tasks waits for the other: one thread alone would wait for ever.
  std::atomic<int> arrived{0};
  run_parallel(2, 2, [&](std::size_t) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  EXPECT_EQ(arrived, 2);
}

}  // namespace
}  // namespace pawl
