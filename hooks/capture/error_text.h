// A message in a fixed buffer: setting it cannot fail.
#pragma once

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

}  // namespace pawl::capture
