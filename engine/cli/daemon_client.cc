#include "engine/cli/daemon_client.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/core/config.h"

namespace pawl::cli {

Result<DaemonClient> DaemonClient::connect(const core::Home& home) {
  auto absent = [&] {
    return Error(
        ErrorCode::unavailable,
        fmt::format("no daemon runs for {}: start one with `pawl serve`, or name its home with --home",
                    home.root));
  };
  PAWL_ASSIGN(bool held, FileLock::is_held(home.lock()));
  auto text = read_file(home.endpoint(), 1 << 16);
  if (!held || !text.ok()) return absent();
  PAWL_ASSIGN(Json endpoint, parse_json(*text, home.endpoint()));
  PAWL_ASSIGN(core::Config config, core::load_config(home.config()));
  return DaemonClient(json_string(endpoint, "url"), config.token);
}

DaemonClient::DaemonClient(std::string url, std::string token)
    : url_(std::move(url)), token_(std::move(token)) {}

forge::HttpRequest DaemonClient::request(std::string method, const std::string& path) const {
  forge::HttpRequest out;
  out.method = std::move(method);
  out.url = url_ + path;
  out.headers.add("Authorization", "Bearer " + token_);
  return out;
}

Result<Json> DaemonClient::exchange(const forge::HttpRequest& request) {
  PAWL_ASSIGN(forge::HttpResponse response, http_.send(request));
  PAWL_ASSIGN(Json body, parse_json(response.body.empty() ? "null" : response.body, request.url));
  if (response.status / 100 == 2) return body;
  ErrorCode code = response.status == 404   ? ErrorCode::not_found
                   : response.status == 409 ? ErrorCode::conflict
                   : response.status < 500  ? ErrorCode::denied
                                            : ErrorCode::unavailable;
  Json error = body.is_object() ? body.value("error", Json::object()) : Json::object();
  return Error(code, json_string(error, "message", fmt::format("the daemon answered {}", response.status)));
}

Result<Json> DaemonClient::get(const std::string& path) {
  return exchange(request("GET", path));
}

Result<Json> DaemonClient::post(const std::string& path, const Json& body) {
  forge::HttpRequest out = request("POST", path);
  out.headers.add("Content-Type", "application/json");
  out.body = dump_json(body);
  return exchange(out);
}

Result<void> DaemonClient::follow_events(
    const std::string& query, const std::function<bool(std::string_view event, const Json& data)>& on_event) {
  forge::HttpRequest out = request("GET", "/api/v1/events" + query);
  out.timeout_ms = 0;
  // An id the daemon cannot know is answered with "resync" at once: the caller can then look at the state,
  // knowing that nothing that happens afterwards is missed.
  out.headers.add("Last-Event-ID", "none");
  std::string buffer, event, data;
  auto take_line = [&](std::string_view line) {
    if (line.starts_with("event:")) event = trim(line.substr(6));
    if (line.starts_with("data:")) data += trim(line.substr(5));
    if (!line.empty() || data.empty()) return true;
    auto parsed = parse_json(data, "event");
    bool go_on = !parsed.ok() || on_event(event, *parsed);
    event.clear();
    data.clear();
    return go_on;
  };
  out.on_body = [&](std::string_view bytes) {
    buffer += bytes;
    size_t begin = 0;
    bool go_on = true;
    for (size_t end; go_on && (end = buffer.find('\n', begin)) != std::string::npos; begin = end + 1) {
      std::string_view line = std::string_view(buffer).substr(begin, end - begin);
      if (line.ends_with('\r')) line.remove_suffix(1);
      go_on = take_line(line);
    }
    buffer.erase(0, begin);
    return go_on;
  };
  auto response = http_.send(out);
  if (!response.ok()) {
    if (response.error().code() == ErrorCode::cancelled) return {};
    return std::move(response).error();
  }
  if (response->status != 200)
    return Error(ErrorCode::unavailable, fmt::format("the daemon answered {}", response->status));
  return {};
}

}  // namespace pawl::cli
