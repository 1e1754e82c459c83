// Errors as values. Whatever can fail at run time returns Result<T>; third-party exceptions stop at the
// wrapper that calls the third party. PAWL_CHECK is for invariants of our own, never for input.
#pragma once

#include <source_location>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace pawl {

// What a caller may want to do about it. `usage` and `invalid` are the user's to mend, the rest is not.
enum class ErrorCode {
  usage,        // wrong arguments or configuration
  invalid,      // input that does not follow its format
  not_found,    // the named thing does not exist
  conflict,     // somebody else holds or changed it
  denied,       // not allowed
  unavailable,  // an outside service or device does not answer; trying again may help
  timeout,
  cancelled,
  io,
  internal,
};

std::string_view to_string(ErrorCode code);

// A value: code, a sentence for a person, where it happened (file:line of input, path, url), causes outermost
// first.
class Error {
 public:
  Error(ErrorCode code, std::string message, std::string where = {})
      : code_(code), message_(std::move(message)), where_(std::move(where)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& where() const { return where_; }

  // The same error seen from further out: "cannot read the pipeline: <old message>".
  Error wrap(std::string context) &&;

  // "where: message" followed by the causes, one line.
  std::string to_string() const;

 private:
  ErrorCode code_;
  std::string message_;
  std::string where_;
  std::vector<std::string> causes_;
};

// The error of a failed system call: message, path or other subject, strerror(errno_value).
Error errno_error(std::string_view what, std::string_view subject, int errno_value);

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : v_(std::move(value)) {}                             // NOLINT: implicit by design
  Result(Error error) : v_(tl::unexpected<Error>(std::move(error))) {}  // NOLINT: implicit by design

  bool ok() const { return v_.has_value(); }
  explicit operator bool() const { return ok(); }
  T& value() & { return v_.value(); }
  const T& value() const& { return v_.value(); }
  T value() && { return std::move(v_).value(); }  // by value: `for (auto& x : f().value())` must not dangle
  T& operator*() & { return v_.value(); }
  const T& operator*() const& { return v_.value(); }
  T* operator->() { return &v_.value(); }
  const T* operator->() const { return &v_.value(); }
  const Error& error() const& { return v_.error(); }
  Error&& error() && { return std::move(v_).error(); }
  T value_or(T fallback) && { return ok() ? std::move(v_).value() : std::move(fallback); }

 private:
  tl::expected<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : v_(tl::unexpected<Error>(std::move(error))) {}  // NOLINT: implicit by design

  bool ok() const { return v_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return v_.error(); }
  Error&& error() && { return std::move(v_).error(); }

 private:
  tl::expected<void, Error> v_;
};

[[noreturn]] void check_failed(const char* condition, std::source_location where);

#define PAWL_CHECK(condition) \
  ((condition) ? void(0) : ::pawl::check_failed(#condition, std::source_location::current()))

#define PAWL_CONCAT_INNER(a, b) a##b
#define PAWL_CONCAT(a, b) PAWL_CONCAT_INNER(a, b)

// PAWL_RETURN_IF_ERROR(expr): leaves the function with the error of a Result.
#define PAWL_RETURN_IF_ERROR(expr)                                  \
  do {                                                              \
    auto pawl_result_ = (expr);                                     \
    if (!pawl_result_.ok()) return std::move(pawl_result_).error(); \
  } while (false)

// PAWL_ASSIGN(auto x, expr): x = the value, or leaves the function with the error.
#define PAWL_ASSIGN_IMPL(temp, target, expr)      \
  auto temp = (expr);                             \
  if (!temp.ok()) return std::move(temp).error(); \
  target = std::move(temp).value()
#define PAWL_ASSIGN(target, expr) PAWL_ASSIGN_IMPL(PAWL_CONCAT(pawl_tmp_, __LINE__), target, expr)

}  // namespace pawl
