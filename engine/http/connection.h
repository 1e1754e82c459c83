// One client connection: a state machine of Asio callbacks. Private to the server: include it in server.cc
// and connection.cc only, it drags Asio and Beast along.
//
//   idle -> header -> body -> answering -> writing -> idle        (keep-alive, pipelined requests wait in
//   buffer_)
//                                                  -> lingering   (an answer that ends the connection)
//                                       -> streaming              (server-sent events)
//
// Everything runs on the loop thread. The server's table owns the connection; pending callbacks keep it alive
// too.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "engine/base/sync.h"
#include "engine/http/http.h"
#include "engine/http/server.h"

namespace pawl::http {

class Connection;

// Lets other threads post to the loop for as long as there is one.
class LoopGate {
 public:
  explicit LoopGate(boost::asio::io_context* io) : io_(io) {}
  void close() { *io_.lock() = nullptr; }
  template <class Work>
  void post(Work work) {
    auto io = io_.lock();
    if (*io != nullptr) boost::asio::post(**io, std::move(work));
  }

 private:
  Sync<boost::asio::io_context*> io_;
};

// What the connections share. Loop thread only, but for the gate.
struct ServerCore {
  ServerCore(ServerOptions server_options, Router server_router)
      : options(std::move(server_options)), router(std::move(server_router)) {}

  ServerOptions options;
  Router router;
  boost::asio::io_context io{1};
  std::shared_ptr<LoopGate> gate = std::make_shared<LoopGate>(&io);
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;
  size_t buffered_body_bytes = 0;
  bool stopping = false;
  std::function<void()> on_last_closed;  // called while stopping
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;

  Connection(ServerCore& core, boost::asio::ip::tcp::socket socket, std::string peer);

  void start() { wait_for_request(); }
  void close();

  // The server is stopping: closes what waits or streams, lets the rest finish its answer.
  void wind_down();

  // Sends a comment on an event stream that has nothing else to say.
  void heartbeat();

  // Since when no request has been under way; none while one is.
  std::optional<Clock::time_point> idle_since() const;

 private:
  enum class State { idle, header, body, answering, writing, streaming, lingering, closed };

  void wait_for_request();
  void read_header();
  void on_header(boost::beast::error_code ec);
  std::optional<Response> admit();
  void read_body();
  void on_body(boost::beast::error_code ec);
  bool account_body();
  void release_body();
  void refuse(boost::beast::error_code ec);
  void dispatch();
  Responder make_responder();

  void respond(Response response);
  uint64_t select_range(FileBody& file);
  void start_stream();
  void pump_events();
  void watch_peer();
  void write_out();
  bool refill();
  void finish_response();
  void linger();

  void expires_in(int64_t ms) { stream_.expires_after(std::chrono::milliseconds(ms)); }

  ServerCore& core_;
  boost::beast::tcp_stream stream_;
  const std::string peer_;
  State state_ = State::idle;
  Clock::time_point idle_since_ = Clock::now();
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  size_t accounted_body_ = 0;

  // The request that is under way and its answer.
  uint64_t request_number_ = 0;
  Request request_;    // until it is dispatched
  std::string range_;  // its Range header, when it counts
  const Route* route_ = nullptr;
  bool head_only_ = false;
  bool keep_alive_ = false;
  Response response_;
  std::string body_;      // still to be written, after out_
  uint64_t file_at_ = 0;  // of a file body: the next byte and how many
  uint64_t file_left_ = 0;
  std::string out_;  // being written
  size_t out_done_ = 0;
  bool writing_ = false;
  size_t lingered_ = 0;
};

}  // namespace pawl::http
