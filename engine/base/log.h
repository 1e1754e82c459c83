// The program's own log (spdlog behind fmt). The level says who must act: error = an operator, warning =
// somebody should look, info = what happened, debug = for developers.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

namespace pawl {

enum class LogLevel { debug, info, warning, error };

// Lines go to standard error as "2026-11-21T03:04:05.678Z info  message". Control characters in a message are
// dropped. Thread-safe. Until set_log_level is called, info and above are written.
void set_log_level(LogLevel level);
void log_message(LogLevel level, std::string_view message);

template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace pawl
