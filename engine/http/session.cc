#include "engine/http/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/digest.h"
#include "engine/base/text.h"

namespace pawl::http {
namespace {

constexpr std::string_view kName = "pawl_session";

std::string signature(std::string_view token, int64_t ends_s) {
  return hmac_sha256_hex(token, fmt::format("pawl session until {}", ends_s));
}

// "<end in seconds>.<signature>"
bool is_valid(const std::vector<std::string>& tokens, std::string_view value, int64_t now_s) {
  const size_t dot = value.find('.');
  if (dot == value.npos) return false;
  const auto ends_s = parse_int(value.substr(0, dot));
  if (!ends_s.ok() || *ends_s <= now_s) return false;
  return std::any_of(tokens.begin(), tokens.end(), [&](const std::string& token) {
    return !token.empty() && constant_time_equal(value.substr(dot + 1), signature(token, *ends_s));
  });
}

}  // namespace

std::string session_cookie(std::string_view token, int64_t now_s, bool secure) {
  const int64_t ends_s = now_s + kSessionSeconds;
  return fmt::format("{}={}.{}; Path=/runs/; Max-Age={}; HttpOnly; SameSite=Lax{}", kName, ends_s,
                     signature(token, ends_s), kSessionSeconds, secure ? "; Secure" : "");
}

bool has_session(const std::vector<std::string>& tokens, const HttpHeaders& headers, int64_t now_s) {
  const std::string* cookies = headers.find("Cookie");
  if (cookies == nullptr) return false;
  for (std::string_view rest = *cookies; !rest.empty();) {
    const size_t end = std::min(rest.find(';'), rest.size());
    const std::string_view cookie = trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (cookie.starts_with(kName) && cookie.substr(kName.size()).starts_with('=') &&
        is_valid(tokens, cookie.substr(kName.size() + 1), now_s)) {
      return true;
    }
  }
  return false;
}

}  // namespace pawl::http
