// Time as a value that is handed in, so that whatever decides by time can be tested without waiting.
#pragma once

#include <cstdint>
#include <string>

namespace pawl {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t unix_ms() const = 0;       // wall clock, UTC
  virtual int64_t monotonic_ms() const = 0;  // never jumps; origin unspecified
};

class SystemClock final : public Clock {
 public:
  int64_t unix_ms() const override;
  int64_t monotonic_ms() const override;
};

// A clock that stands still until a test moves it.
class FakeClock final : public Clock {
 public:
  int64_t unix_ms() const override { return unix_ms_; }
  int64_t monotonic_ms() const override { return monotonic_ms_; }
  void advance_ms(int64_t ms) {
    unix_ms_ += ms;
    monotonic_ms_ += ms;
  }

 private:
  int64_t unix_ms_ = 1'700'000'000'000;
  int64_t monotonic_ms_ = 0;
};

// "2026-11-21T03:04:05Z" (milliseconds dropped).
std::string format_utc(int64_t unix_ms);

}  // namespace pawl
