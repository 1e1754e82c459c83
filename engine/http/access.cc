#include "engine/http/access.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/digest.h"
#include "engine/base/text.h"

namespace pawl::http {
namespace {

struct Authority {
  std::string_view host;  // with the brackets of an IPv6 address
  std::string_view port;  // may be empty
};

Authority split_authority(std::string_view text) {
  size_t search_from = text.starts_with('[') ? std::min(text.find(']'), text.size()) : 0;
  size_t colon = std::min(text.find(':', search_from), text.size());
  return {text.substr(0, colon), text.substr(std::min(colon + 1, text.size()))};
}

bool is_our_host(const AccessPolicy& policy, std::string_view host) {
  if (iequals(host, "localhost") || host == "127.0.0.1" || host == "[::1]") return true;
  return std::any_of(policy.public_hosts.begin(), policy.public_hosts.end(),
                     [host](const std::string& ours) { return !ours.empty() && iequals(host, ours); });
}

// Whether a page of `origin` ("https://host:port") is one that we served under `host`. The default port of
// the origin's scheme may be left out on either side; behind a TLS proxy the scheme differs and does not
// matter.
bool same_origin(std::string_view origin, const Authority& host) {
  size_t colon = origin.find("://");
  if (colon == origin.npos) return false;  // "null" too
  std::string_view default_port = iequals(origin.substr(0, colon), "https") ? "443" : "80";
  Authority theirs = split_authority(origin.substr(colon + 3));
  auto port = [default_port](std::string_view text) { return text.empty() ? default_port : text; };
  return iequals(theirs.host, host.host) && port(theirs.port) == port(host.port);
}

}  // namespace

Result<void> check_host(const AccessPolicy& policy, const HttpHeaders& headers) {
  if (headers.count("Host") != 1) return Error(ErrorCode::denied, "exactly one Host header is expected");
  Authority host = split_authority(*headers.find("Host"));
  if (!is_our_host(policy, host.host)) {
    return Error(
        ErrorCode::denied,
        fmt::format("'{}' is not a name of this daemon; if it is meant to be, add it to its public hosts",
                    sanitize_for_terminal(host.host)));
  }
  if (headers.count("Origin") > 1) return Error(ErrorCode::denied, "more than one Origin header");
  const std::string* origin = headers.find("Origin");
  if (origin != nullptr && !same_origin(*origin, host)) {
    return Error(ErrorCode::denied, "the request comes from a page of another site");
  }
  return {};
}

Result<void> check_token(const AccessPolicy& policy, const HttpHeaders& headers) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string* field = headers.count("Authorization") == 1 ? headers.find("Authorization") : nullptr;
  std::string_view value = field == nullptr ? std::string_view() : std::string_view(*field);
  if (!iequals(value.substr(0, kScheme.size()), kScheme)) {
    return Error(ErrorCode::denied, "an API token is needed: Authorization: Bearer <token>");
  }
  // Digests have one length, so not even the length of a token shows in the time.
  std::string given = sha256_hex(trim(value.substr(kScheme.size())));
  bool known = false;
  for (const std::string& token : policy.tokens) {
    known |= constant_time_equal(given, sha256_hex(token)) && !token.empty();
  }
  if (!known) return Error(ErrorCode::denied, "the API token is not known here");
  return {};
}

}  // namespace pawl::http
