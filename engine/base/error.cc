#include "engine/base/error.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pawl {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage:
      return "usage";
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::denied:
      return "denied";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::io:
      return "io";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

Error Error::wrap(std::string context) && {
  Error outer = std::move(*this);
  outer.causes_.insert(outer.causes_.begin(), std::move(outer.message_));
  outer.message_ = std::move(context);
  return outer;
}

std::string Error::to_string() const {
  std::string out = where_.empty() ? message_ : fmt::format("{}: {}", where_, message_);
  for (const std::string& cause : causes_) out += ": " + cause;
  return out;
}

Error errno_error(std::string_view what, std::string_view subject, int errno_value) {
  ErrorCode code = ErrorCode::io;
  if (errno_value == ENOENT) code = ErrorCode::not_found;
  if (errno_value == EACCES || errno_value == EPERM) code = ErrorCode::denied;
  char buffer[128];
  const char* text = strerror_r(errno_value, buffer, sizeof buffer);
  return Error(code, fmt::format("{}: {}", what, text), std::string(subject));
}

void check_failed(const char* condition, std::source_location where) {
  std::fprintf(stderr, "%s:%u: internal error: %s does not hold (in %s)\n", where.file_name(), where.line(),
               condition, where.function_name());
  std::abort();
}

}  // namespace pawl
