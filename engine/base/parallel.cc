#include "engine/base/parallel.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

#include "engine/base/error.h"

namespace pawl {

void run_parallel(std::size_t threads, std::size_t count, const std::function<void(std::size_t)>& task) {
  PAWL_CHECK(threads >= 1);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) task(i);
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < std::min(threads, count); ++i) {
    try {
      others.emplace_back(work);
    } catch (const std::system_error&) {
      break;
    }
    pthread_setname_np(others.back().native_handle(), "pawl-compute");
  }
  work();
  for (std::thread& it : others) it.join();
}

}  // namespace pawl
