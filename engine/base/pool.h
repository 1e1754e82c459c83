// A few named threads for work that blocks: git, hashing, calls to a forge.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/sync.h"

namespace pawl {

class WorkerPool {
 public:
  // Threads are named "<name>-0", "<name>-1", ...
  WorkerPool(std::string name, int threads);
  // Waits for the work that is running; work still queued is dropped.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // From any thread. The work must not throw.
  void submit(std::function<void()> work);

 private:
  struct State {
    std::deque<std::function<void()>> queue;
    bool stopping = false;
  };
  void work_loop();

  Sync<State> state_;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
};

}  // namespace pawl
