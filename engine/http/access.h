// Who may talk to the daemon. A loopback address alone protects from nothing: any local user can connect to
// it, and any web page can make a browser do so. Hence a token on every route that does not say otherwise,
// and a check that the request was meant for us.
#pragma once

#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/http_headers.h"

namespace pawl::http {

struct AccessPolicy {
  std::vector<std::string> tokens;  // any of these; an empty one never matches
  std::vector<std::string>
      public_hosts;  // names we are reached under, besides localhost, 127.0.0.1 and [::1]
};

// The Host header must be there once and name us: a page that resolves its own name to 127.0.0.1 (DNS
// rebinding) says its own. An Origin header, which browsers add to what pages send, must be of the same host
// and port. Error `denied` says what to configure.
Result<void> check_host(const AccessPolicy& policy, const HttpHeaders& headers);

// "Authorization: Bearer <token>", compared in constant time. Error `denied`.
Result<void> check_token(const AccessPolicy& policy, const HttpHeaders& headers);

}  // namespace pawl::http
