#include "engine/http/response.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <atomic>
#include <ctime>
#include <nlohmann/json.hpp>

#include "engine/base/log.h"

namespace pawl::http {
namespace {

// RFC 9110, section 5.6.7, independent of any locale.
std::string http_date(int64_t unix_s) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  time_t time = unix_s;
  tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[utc.tm_wday], utc.tm_mday,
                     kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  constexpr std::string_view kBreaks("\r\n\0", 3);
  if (name.find_first_of(kBreaks) != name.npos || value.find_first_of(kBreaks) != value.npos) return;
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_default(std::string& out, const Response& response, std::string_view name,
                    std::string_view value) {
  if (response.headers.find(name) == nullptr) append_field(out, name, value);
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage:
    case ErrorCode::invalid:
      return 400;
    case ErrorCode::denied:
      return 403;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::conflict:
    case ErrorCode::cancelled:
      return 409;
    case ErrorCode::unavailable:
      return 503;
    case ErrorCode::timeout:
      return 504;
    case ErrorCode::io:
    case ErrorCode::internal:
      return 500;
  }
  return 500;
}

}  // namespace

const std::string& Request::param(std::string_view name) const {
  for (const auto& [key, value] : params) {
    if (key == name) return value;
  }
  check_failed("the route's pattern has this parameter", std::source_location::current());
}

const std::string* Request::query_value(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return &value;
  }
  return nullptr;
}

Response text_response(int status, std::string content_type, std::string body) {
  Response response;
  response.status = status;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  return response;
}

Response json_response(int status, const Json& value) {
  return text_response(status, "application/json", dump_json(value) + "\n");
}

Response error_response(int status, std::string_view code, std::string_view message) {
  return json_response(status, {{"error", {{"code", code}, {"message", message}}}});
}

Response error_response(const Error& error) {
  int status = status_of(error.code());
  if (status != 500) return error_response(status, to_string(error.code()), error.to_string());
  log_error("request failed: {}", error.to_string());
  return error_response(500, "internal", "something went wrong here; the daemon's log has the details");
}

Result<Response> file_response(UniqueFd fd, std::string content_type) {
  struct stat info{};
  if (fstat(fd.get(), &info) != 0) return errno_error("cannot read", "file", errno);
  if (!S_ISREG(info.st_mode)) return Error(ErrorCode::invalid, "is not a regular file");
  Response response;
  response.content_type = std::move(content_type);
  response.body = FileBody{std::move(fd), static_cast<uint64_t>(info.st_size)};
  return response;
}

std::string attachment(std::string_view file_name) {
  return "attachment; filename*=UTF-8''" + percent_encode(file_name);
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 416:
      return "Range Not Satisfiable";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Unknown";
  }
}

std::string response_head(const Response& response, std::optional<uint64_t> content_length, bool keep_alive,
                          int64_t unix_s) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  append_field(out, "Date", http_date(unix_s));
  if (!response.content_type.empty()) append_field(out, "Content-Type", response.content_type);
  bool bodiless = response.status == 204 || response.status == 304;
  if (content_length && !bodiless) append_field(out, "Content-Length", std::to_string(*content_length));
  append_field(out, "Connection", keep_alive ? "keep-alive" : "close");
  append_field(out, "X-Content-Type-Options", "nosniff");
  append_field(out, "Referrer-Policy", "no-referrer");
  append_field(out, "Cross-Origin-Resource-Policy", "same-origin");
  append_default(out, response, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  append_default(out, response, "Cache-Control", "no-store");
  for (const auto& [name, value] : response.headers) append_field(out, name, value);
  return out += "\r\n";
}

struct Responder::State {
  Send send;
  std::atomic<bool> answered{false};

  ~State() {
    if (!answered) send(error_response(500, "internal", "the request was dropped without an answer"));
  }
};

Responder::Responder(Send send) : state_(std::make_shared<State>()) {
  state_->send = std::move(send);
}

void Responder::operator()(Response response) const {
  if (!state_->answered.exchange(true)) state_->send(std::move(response));
}

}  // namespace pawl::http
