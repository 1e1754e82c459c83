#include "hooks/capture/fork_guard.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "hooks/capture/rank_directory.h"

namespace pawl::capture {

namespace {

std::atomic<uint64_t> generation{0};

struct Registry {
  std::mutex mutex;  // held across fork, so that the child finds `open` whole
  std::vector<RankDirectory*> open;
};

// Never destroyed: exit handlers of other libraries may still fork.
Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

void before_fork() {
  registry().mutex.lock();
}

void in_parent() {
  registry().mutex.unlock();
}

void in_child() {
  generation.fetch_add(1, std::memory_order_relaxed);
  for (RankDirectory* directory : registry().open) directory->forked_child();
  registry().open.clear();
  registry().mutex.unlock();
}

}  // namespace

uint64_t fork_generation() {
  return generation.load(std::memory_order_relaxed);
}

void watch_forks(RankDirectory* directory) {
  static const int installed = pthread_atfork(before_fork, in_parent, in_child);
  static_cast<void>(installed);  // ENOMEM only: a child would then keep the lock, no more
  const std::lock_guard lock(registry().mutex);
  registry().open.push_back(directory);
}

void unwatch_forks(RankDirectory* directory) {
  const std::lock_guard lock(registry().mutex);
  std::erase(registry().open, directory);
}

}  // namespace pawl::capture
