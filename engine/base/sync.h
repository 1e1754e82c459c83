// Data that can only be reached through its lock.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace pawl {

template <class T>
class Sync {
 public:
  Sync() = default;
  explicit Sync(T value) : value_(std::move(value)) {}

  class Locked {
   public:
    T* operator->() { return value_; }
    T& operator*() { return *value_; }
    void wait(std::condition_variable& condition) { condition.wait(lock_); }
    template <class Predicate>
    void wait(std::condition_variable& condition, Predicate predicate) {
      condition.wait(lock_, std::move(predicate));
    }

   private:
    friend class Sync;
    Locked(std::mutex& mutex, T* value) : lock_(mutex), value_(value) {}
    std::unique_lock<std::mutex> lock_;
    T* value_;
  };

  Locked lock() { return Locked(mutex_, &value_); }

 private:
  std::mutex mutex_;
  T value_{};
};

}  // namespace pawl
