// Talking to the daemon of a home from the same machine.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "engine/base/json.h"
#include "engine/core/home.h"
#include "engine/forge/http_client.h"

namespace pawl::cli {

class DaemonClient {
 public:
  // Error unavailable, with what to do, when no daemon runs for the home.
  static Result<DaemonClient> connect(const core::Home& home);

  // The answer's JSON; an answer that is not 2xx is an error with the daemon's own message.
  Result<Json> get(const std::string& path);
  Result<Json> post(const std::string& path, const Json& body);

  // Server-sent events from /api/v1/events: calls back with (event, data) until it returns false or the
  // stream ends.
  Result<void> follow_events(const std::string& query,
                             const std::function<bool(std::string_view event, const Json& data)>& on_event);

 private:
  DaemonClient(std::string url, std::string token);
  forge::HttpRequest request(std::string method, const std::string& path) const;
  Result<Json> exchange(const forge::HttpRequest& request);

  std::string url_;
  std::string token_;
  forge::HttpClient http_;
};

}  // namespace pawl::cli
