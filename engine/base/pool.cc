#include "engine/base/pool.h"

#include <pthread.h>

#include <utility>

namespace pawl {

WorkerPool::WorkerPool(std::string name, int threads) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { work_loop(); });
    pthread_setname_np(threads_.back().native_handle(),
                       (name + "-" + std::to_string(i)).substr(0, 15).c_str());
  }
}

WorkerPool::~WorkerPool() {
  state_.lock()->stopping = true;
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::submit(std::function<void()> work) {
  state_.lock()->queue.push_back(std::move(work));
  changed_.notify_one();
}

void WorkerPool::work_loop() {
  while (true) {
    std::function<void()> work;
    {
      auto state = state_.lock();
      state.wait(changed_, [&] { return state->stopping || !state->queue.empty(); });
      if (state->stopping) return;
      work = std::move(state->queue.front());
      state->queue.pop_front();
    }
    work();
  }
}

}  // namespace pawl
