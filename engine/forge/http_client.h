// HTTP to a forge or to a Pawl daemon (libcurl behind a thin header).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/http_headers.h"

namespace pawl::forge {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  HttpHeaders headers;
  std::string body;
  int64_t timeout_ms =
      15'000;  // the whole exchange; 0: as long as bytes keep coming (a minute of silence ends it)

  // Set for a stream: gets the body of a 2xx answer piece by piece instead of HttpResponse::body; false ends
  // the exchange with error `cancelled`.
  std::function<bool(std::string_view)> on_body = {};
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;
  std::string body;
};

struct HttpClientOptions {
  bool allow_plain_http = false;  // http:// to hosts that are not loopback too
  size_t max_response_bytes = 8u << 20;
  int64_t connect_timeout_ms = 5'000;
};

// Keeps its connections, so use one per thread and keep it; not thread-safe. Certificates are verified; a
// redirect (301, 307, 308) is followed with the same method to the same scheme, host and port only, any other
// is returned as the answer it is; no cookies; a URL with a user or password in it is refused, so no secret
// reaches a log that way.
class HttpClient {
 public:
  explicit HttpClient(HttpClientOptions options = {});
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;

  // Any status is an answer, not an error. Errors: `invalid` (the URL, a header, or an answer over the
  // limit), `timeout`, `cancelled` (on_body said so), `unavailable` (resolving, connecting, TLS, a broken
  // connection). Blocks.
  Result<HttpResponse> send(const HttpRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pawl::forge
