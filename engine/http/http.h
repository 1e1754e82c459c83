// What a route sees of HTTP: a request that was read whole and let in, and one answer to it, from any thread,
// now or later.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/files.h"
#include "engine/base/http_headers.h"
#include "engine/base/json.h"
#include "engine/base/url.h"

namespace pawl::http {

class EventSubscription;

struct Request {
  std::string method;  // "GET" for HEAD too: the server drops the body
  std::string path;    // decoded, without the query
  FormFields query;    // decoded, in order
  HttpHeaders headers;
  std::string body;
  std::string peer;  // address of the client, without its port

  // What stood in the place of "{name}" in the route's pattern, decoded.
  std::vector<std::pair<std::string, std::string>> params;

  const std::string& param(std::string_view name) const;        // `name` is one of the pattern's
  const std::string* query_value(std::string_view name) const;  // the first, or null
};

// A regular file, sent from its descriptor: whole, or the range the client asked for. `size` is fixed when
// the answer is made, so a log may grow meanwhile.
struct FileBody {
  UniqueFd fd;
  uint64_t size = 0;
};

struct Response {
  int status = 200;
  std::string content_type;
  // Further fields. The server adds Date, Content-Length, Connection and the security headers; a
  // Cache-Control or Content-Security-Policy given here replaces its own (no-store; default-src 'none').
  HttpHeaders headers;
  std::variant<std::string, FileBody, std::shared_ptr<EventSubscription>> body;
};

Response text_response(int status, std::string content_type, std::string body);
Response json_response(int status, const Json& value);

// {"error": {"code": "not_found", "message": "..."}}
Response error_response(int status, std::string_view code, std::string_view message);

// The same with the status that fits the code: invalid and usage 400, denied 403, not_found 404, conflict and
// cancelled 409, unavailable 503, timeout 504. Of `io` and `internal` the client learns only that there was
// one (500); the text goes to the log.
Response error_response(const Error& error);

// Error `invalid` when the descriptor is no regular file.
Result<Response> file_response(UniqueFd fd, std::string content_type);

// The value of Content-Disposition that saves under `file_name` (RFC 6266), whatever characters it has.
std::string attachment(std::string_view file_name);

// Answers one request. Copies share the one answer: the first call counts, later ones do nothing, and when
// the last copy goes without one the client gets a 500. Any thread; harmless after the client or the server
// has gone.
class Responder {
 public:
  using Send = std::function<void(Response)>;
  explicit Responder(Send send);
  void operator()(Response response) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Called on the server's loop thread: must not block, so whatever takes time is posted elsewhere with the
// Responder.
using Handler = std::function<void(Request, Responder)>;

}  // namespace pawl::http
