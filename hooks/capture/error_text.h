// Messages in fixed buffers: setting one cannot fail.
#pragma once

#include <atomic>
#include <cstdarg>
#include <cstdio>

namespace pawl::capture {

class ErrorText {
 public:
  __attribute__((format(printf, 2, 3))) void set(const char* format, ...) {
    va_list args;
    va_start(args, format);
    std::vsnprintf(text_, sizeof text_, format, args);
    va_end(args);
  }
  bool empty() const { return text_[0] == '\0'; }
  const char* c_str() const { return text_; }
  void clear() { text_[0] = '\0'; }

 private:
  char text_[512] = "";
};

// The first of many, which any thread may read at any time. One thread at a time sets it.
class FirstError {
 public:
  void remember(const ErrorText& error) {
    if (set_.load(std::memory_order_relaxed)) return;
    text_ = error;
    set_.store(true, std::memory_order_release);
  }
  const char* c_str() const { return set_.load(std::memory_order_acquire) ? text_.c_str() : ""; }

 private:
  ErrorText text_;
  std::atomic<bool> set_{false};
};

}  // namespace pawl::capture
