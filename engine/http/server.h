// The HTTP server: one thread, one loop, no blocking. It reads requests under limits, lets in whom the access
// policy lets in, hands them to the router's handlers and writes what they answer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/base/error.h"
#include "engine/http/access.h"
#include "engine/http/router.h"

namespace pawl::http {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";  // numeric address and port, "[::1]:8080"; port 0: any free one
  AccessPolicy access;                 // the listening address is added to its hosts
  size_t max_connections = 1024;       // beyond it the longest idle one is closed, or the new one gets a 503
  size_t max_header_bytes = 16u << 10;
  size_t max_buffered_body_bytes = 256u << 20;  // of all requests being read; beyond it: 503
  int64_t idle_timeout_ms = 60'000;             // between requests
  int64_t header_timeout_ms = 10'000;           // from the first byte of a request to the end of its header
  int64_t body_timeout_ms = 60'000;
  int64_t write_timeout_ms = 30'000;  // without progress
  int64_t heartbeat_ms = 15'000;      // a comment on silent event streams, so that proxies keep them
  int64_t drain_ms = 2'000;           // how long stop() waits for requests that are being answered
};

class Server {
 public:
  // Binds, listens and starts the loop thread ("pawl-http"). Error `invalid` for a bad address, `conflict`
  // when it is in use.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Router router);

  ~Server();  // stop()
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const;
  std::string url() const;  // "http://127.0.0.1:8080"

  // Stops accepting, closes idle connections and event streams, gives requests in progress `drain_ms`, ends
  // the thread. From any thread but the loop's; again is harmless. Answers that come later are dropped.
  void stop();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::http
