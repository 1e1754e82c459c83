// Which handler answers a path.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/http/http.h"

namespace pawl::http {

enum class Access {
  token,  // only with an API token
  open,   // for requests that prove themselves otherwise (signed webhooks) and for the health check
};

struct RouteOptions {
  Access access = Access::token;
  size_t max_body_bytes = 1u << 20;  // a larger body is refused with 413 before or while it is read
};

struct Route {
  std::string method;
  std::vector<std::string> pattern;  // segments
  Handler handler;
  RouteOptions options;
};

// Filled before the server starts, then only read.
class Router {
 public:
  // `pattern` is a path whose segments are literal, "{name}" (one segment, not empty) or, as the last one,
  // "{name...}" (the rest, one segment or more, joined by '/'). A literal is preferred to a parameter. A GET
  // route answers HEAD too. The same method and pattern twice is a programming error.
  void add(std::string_view method, std::string_view pattern, Handler handler, RouteOptions options = {});

  struct Match {
    const Route* route = nullptr;  // null: no such path, or `allow` says which methods the path has
    std::vector<std::pair<std::string, std::string>> params;
    std::string allow;  // "GET, HEAD, POST"
  };
  Match match(std::string_view method, const std::vector<std::string>& segments) const;

 private:
  std::vector<Route> routes_;  // most specific first
};

}  // namespace pawl::http
