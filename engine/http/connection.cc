#include "engine/http/connection.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/beast/http/read.hpp>
#include <ctime>

#include "engine/base/log.h"
#include "engine/http/byte_range.h"
#include "engine/http/event_hub.h"
#include "engine/http/response.h"
#include "engine/http/target.h"

namespace pawl::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using beast::error_code;

constexpr size_t kMaxInputBuffer = 64u << 10;
constexpr size_t kChunkBytes = 64u << 10;
constexpr size_t kMaxLingerBytes = 1u << 20;
constexpr int64_t kLingerMs = 2'000;

// Tokens in a URL end up in logs, histories and Referer headers.
bool has_token_in_query(const FormFields& query) {
  return std::any_of(query.begin(), query.end(), [](const auto& field) {
    return iequals(field.first, "token") || iequals(field.first, "access_token");
  });
}

std::optional<Response> parse_failure(error_code ec) {
  using beast::http::error;
  if (ec == error::header_limit || ec == error::buffer_overflow) {
    return error_response(431, "invalid", "the request header is too large");
  }
  if (ec == error::body_limit) return error_response(413, "invalid", "the request body is too large");
  if (ec == error::end_of_stream || ec == error::partial_message) return std::nullopt;
  if (ec.category() != make_error_code(error::bad_method).category()) return std::nullopt;
  return error_response(400, "invalid", "not an HTTP/1.1 request: " + ec.message());
}

}  // namespace

Connection::Connection(ServerCore& core, asio::ip::tcp::socket socket, std::string peer)
    : core_(core), stream_(std::move(socket)), peer_(std::move(peer)), buffer_(kMaxInputBuffer) {}

void Connection::close() {
  if (state_ == State::closed) return;
  auto self = shared_from_this();
  state_ = State::closed;
  release_body();
  response_ = {};
  stream_.close();
  core_.connections.erase(this);
  if (core_.stopping && core_.connections.empty()) core_.on_last_closed();
}

void Connection::wind_down() {
  keep_alive_ = false;
  if (state_ == State::idle || state_ == State::streaming || state_ == State::lingering) close();
}

std::optional<Connection::Clock::time_point> Connection::idle_since() const {
  return state_ == State::idle ? std::optional(idle_since_) : std::nullopt;
}

// ---- reading -----------------------------------------------------

void Connection::wait_for_request() {
  state_ = State::idle;
  idle_since_ = Clock::now();
  if (buffer_.size() > 0) return read_header();
  if (core_.stopping) return close();
  expires_in(core_.options.idle_timeout_ms);
  stream_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](error_code ec, size_t n) {
    if (ec) return self->close();
    self->buffer_.commit(n);
    self->read_header();
  });
}

void Connection::read_header() {
  state_ = State::header;
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(core_.options.max_header_bytes));
  parser_->body_limit(boost::none);  // the route's limit is set when the route is known
  expires_in(core_.options.header_timeout_ms);
  beast::http::async_read_header(stream_, buffer_, *parser_,
                                 [self = shared_from_this()](error_code ec, size_t) { self->on_header(ec); });
}

void Connection::on_header(error_code ec) {
  if (state_ == State::closed) return;
  ++request_number_;
  request_ = {};
  keep_alive_ = false;
  head_only_ = false;
  if (ec) return refuse(ec);

  const auto& message = parser_->get();
  request_.method = std::string(message.method_string());
  request_.peer = peer_;
  for (const auto& field : message) {
    request_.headers.add(std::string(field.name_string()), std::string(field.value()));
  }
  head_only_ = request_.method == "HEAD";
  // With If-Range the range holds only for a version that we cannot name.
  const std::string* range = request_.headers.find("Range");
  range_ = range != nullptr && request_.headers.find("If-Range") == nullptr ? *range : std::string();

  std::optional<Response> refusal = admit();
  // What is left of a body that nobody will read cannot be told from the next request.
  keep_alive_ = parser_->keep_alive() && !core_.stopping && (!refusal || parser_->is_done());
  if (refusal) return respond(std::move(*refusal));
  if (head_only_) request_.method = "GET";
  if (parser_->is_done()) return dispatch();
  parser_->body_limit(route_->options.max_body_bytes);
  state_ = State::body;
  const std::string* expect = request_.headers.find("Expect");
  if (expect == nullptr || !iequals(*expect, "100-continue")) return read_body();
  out_ = "HTTP/1.1 100 Continue\r\n\r\n";
  out_done_ = 0;
  write_out();
}

// Everything that can be decided from the header; no value lets the request in.
std::optional<Response> Connection::admit() {
  const auto& message = parser_->get();
  if (request_.headers.find("Transfer-Encoding") != nullptr && !parser_->chunked()) {
    return error_response(501, "invalid", "only the transfer encoding 'chunked' is understood");
  }
  if (auto allowed = check_host(core_.options.access, request_.headers); !allowed.ok()) {
    return error_response(403, "denied", allowed.error().message());
  }
  std::optional<Target> target =
      parse_target(std::string_view(message.target().data(), message.target().size()));
  if (!target) return error_response(400, "invalid", "the path or query of the URL is malformed");
  if (has_token_in_query(target->query)) {
    return error_response(400, "invalid",
                          "a token does not belong into a URL; send Authorization: Bearer <token>");
  }
  Router::Match match = core_.router.match(request_.method, target->segments);
  if (match.route == nullptr && match.allow.empty())
    return error_response(404, "not_found", "there is no such page");
  if (match.route == nullptr) {
    Response response = error_response(405, "invalid", "this page has " + match.allow);
    response.headers.add("Allow", match.allow);
    return response;
  }
  if (match.route->options.access == Access::token) {
    if (auto allowed = check_token(core_.options.access, request_.headers); !allowed.ok()) {
      Response response = error_response(401, "denied", allowed.error().message());
      response.headers.add("WWW-Authenticate", "Bearer");
      return response;
    }
  }
  route_ = match.route;
  if (auto length = parser_->content_length(); length && *length > route_->options.max_body_bytes) {
    return error_response(413, "invalid",
                          fmt::format("the body is larger than {} bytes", route_->options.max_body_bytes));
  }
  request_.path = std::move(target->path);
  request_.query = std::move(target->query);
  request_.params = std::move(match.params);
  return std::nullopt;
}

void Connection::read_body() {
  expires_in(core_.options.body_timeout_ms);
  on_body({});
}

void Connection::on_body(error_code ec) {
  if (state_ == State::closed) return;
  if (ec) return refuse(ec);
  if (!account_body()) {
    keep_alive_ = false;
    Response response = error_response(503, "unavailable", "too many large requests at once");
    response.headers.add("Retry-After", "1");
    return respond(std::move(response));
  }
  if (parser_->is_done()) return dispatch();
  beast::http::async_read_some(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, size_t) { self->on_body(error); });
}

// Counts the bytes of body that all connections hold.
bool Connection::account_body() {
  size_t now = parser_->get().body().size();
  core_.buffered_body_bytes += now - accounted_body_;
  accounted_body_ = now;
  return core_.buffered_body_bytes <= core_.options.max_buffered_body_bytes;
}

void Connection::release_body() {
  core_.buffered_body_bytes -= std::exchange(accounted_body_, 0);
}

void Connection::refuse(error_code ec) {
  keep_alive_ = false;
  std::optional<Response> response = parse_failure(ec);
  if (!response) return close();  // the client left, was too slow, or broke off
  respond(std::move(*response));
}

// ---- answering ---------------------------------------------------

void Connection::dispatch() {
  state_ = State::answering;
  stream_.expires_never();
  request_.body = std::move(parser_->get().body());
  try {
    route_->handler(std::move(request_), make_responder());
  } catch (const std::exception& e) {  // the dropped Responder has answered 500
    log_error("the handler of {} /{} failed: {}", route_->method, join(route_->pattern, "/"), e.what());
  }
}

Responder Connection::make_responder() {
  return Responder([gate = core_.gate, weak = weak_from_this(), number = request_number_](Response response) {
    gate->post([weak, number, answer = std::move(response)]() mutable {
      auto self = weak.lock();
      if (self && self->state_ == State::answering && self->request_number_ == number) {
        self->respond(std::move(answer));
      }
    });
  });
}

void Connection::respond(Response response) {
  state_ = State::writing;
  release_body();
  response_ = std::move(response);
  body_.clear();
  file_left_ = 0;
  bool streams = false;
  std::optional<uint64_t> length;
  if (auto* text = std::get_if<std::string>(&response_.body)) {
    length = text->size();
    body_ = std::move(*text);
  } else if (auto* file = std::get_if<FileBody>(&response_.body)) {
    length = select_range(*file);
  } else {
    keep_alive_ = false;  // the stream's end is the connection's
    streams = !head_only_;
  }
  if (head_only_) {
    body_.clear();
    file_left_ = 0;
  }
  keep_alive_ = keep_alive_ && !core_.stopping;
  out_ = response_head(response_, length, keep_alive_, std::time(nullptr));
  out_done_ = 0;
  if (streams) return start_stream();
  write_out();
}

// Sets what is to be sent of the file; the length of it.
uint64_t Connection::select_range(FileBody& file) {
  response_.headers.add("Accept-Ranges", "bytes");
  ByteRange range = response_.status == 200 ? parse_range(range_, file.size) : ByteRange();
  file_at_ = 0;
  file_left_ = file.size;
  if (range.kind == ByteRange::Kind::unsatisfiable) {
    response_.status = 416;
    response_.headers.add("Content-Range", fmt::format("bytes */{}", file.size));
    file_left_ = 0;
  } else if (range.kind == ByteRange::Kind::part) {
    response_.status = 206;
    response_.headers.add("Content-Range", fmt::format("bytes {}-{}/{}", range.first,
                                                       range.first + range.length - 1, file.size));
    file_at_ = range.first;
    file_left_ = range.length;
  }
  return file_left_;
}

// ---- writing -----------------------------------------------------

void Connection::write_out() {
  if (state_ == State::closed) return;
  if (out_done_ == out_.size() && !refill()) return finish_response();
  writing_ = true;
  expires_in(core_.options.write_timeout_ms);
  stream_.async_write_some(asio::buffer(out_.data() + out_done_, out_.size() - out_done_),
                           [self = shared_from_this()](error_code ec, size_t n) {
                             self->writing_ = false;
                             if (ec) return self->close();
                             self->out_done_ += n;
                             self->write_out();
                           });
}

// Puts the next piece of the answer into out_.
bool Connection::refill() {
  out_.clear();
  out_done_ = 0;
  if (state_ == State::streaming) {
    out_ = std::get<std::shared_ptr<EventSubscription>>(response_.body)->take(kChunkBytes);
  } else if (!body_.empty()) {
    out_.swap(body_);
  } else if (file_left_ > 0) {
    out_.resize(std::min<uint64_t>(kChunkBytes, file_left_));
    int fd = std::get<FileBody>(response_.body).fd.get();
    ssize_t n = pread(fd, out_.data(), out_.size(), static_cast<off_t>(file_at_));
    if (n <= 0) {  // shorter than it was: the promised length can only be broken visibly
      close();
      return false;
    }
    out_.resize(static_cast<size_t>(n));
    file_at_ += static_cast<uint64_t>(n);
    file_left_ -= static_cast<uint64_t>(n);
  }
  return !out_.empty();
}

void Connection::finish_response() {
  switch (state_) {
    case State::body:
      return read_body();  // that was the "100 Continue"
    case State::writing:
      break;
    default:
      return;  // streaming: until the next event
  }
  response_ = {};
  if (!keep_alive_) return linger();
  wait_for_request();
}

// Ends our side and reads on for a moment: closing with unread input would reset the connection, and the
// client might never see the answer.
void Connection::linger() {
  if (state_ != State::lingering) {
    state_ = State::lingering;
    error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    expires_in(kLingerMs);
    buffer_.clear();
  }
  stream_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](error_code ec, size_t n) {
    self->lingered_ += n;
    if (ec || self->lingered_ > kMaxLingerBytes) return self->close();
    self->linger();
  });
}

// ---- events ------------------------------------------------------

void Connection::start_stream() {
  if (core_.stopping) return close();
  state_ = State::streaming;
  std::get<std::shared_ptr<EventSubscription>>(response_.body)
      ->on_ready([gate = core_.gate, weak = weak_from_this()] {
        gate->post([weak] {
          if (auto self = weak.lock()) self->pump_events();
        });
      });
  buffer_.clear();
  watch_peer();
  write_out();
}

void Connection::pump_events() {
  if (state_ == State::streaming && !writing_) write_out();
}

// A client that goes away shows only when one reads.
void Connection::watch_peer() {
  stream_.expires_never();
  stream_.async_read_some(buffer_.prepare(512), [self = shared_from_this()](error_code ec, size_t) {
    if (ec) return self->close();
    self->watch_peer();
  });
}

void Connection::heartbeat() {
  if (state_ != State::streaming || writing_) return;
  out_ = ":\n\n";
  out_done_ = 0;
  write_out();
}

}  // namespace pawl::http
