#include "engine/base/clock.h"

#include <ctime>

namespace pawl {
namespace {

int64_t read_ms(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return static_cast<int64_t>(ts.tv_sec) * 1000 + ts.tv_nsec / 1'000'000;
}

}  // namespace

int64_t SystemClock::unix_ms() const {
  return read_ms(CLOCK_REALTIME);
}
int64_t SystemClock::monotonic_ms() const {
  return read_ms(CLOCK_MONOTONIC);
}

std::string format_utc(int64_t unix_ms) {
  time_t seconds = static_cast<time_t>(unix_ms / 1000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char buffer[32];
  strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return buffer;
}

}  // namespace pawl
