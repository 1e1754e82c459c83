#include "engine/http/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <thread>

#include "engine/base/log.h"
#include "engine/http/connection.h"
#include "engine/http/response.h"

namespace pawl::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

struct ListenAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

Result<ListenAddress> parse_listen(const std::string& text) {
  Error bad(ErrorCode::invalid, "is not a numeric address and port, such as 127.0.0.1:8080 or [::1]:8080",
            text);
  size_t colon = text.rfind(':');
  if (colon == text.npos) return bad;
  Result<int64_t> port = parse_int(std::string_view(text).substr(colon + 1));
  if (!port.ok() || *port < 0 || *port > 65535) return bad;
  std::string host = text.substr(0, colon);
  ListenAddress address;
  if (host.starts_with('[') && host.ends_with(']')) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<uint16_t>(*port));
    address.length = sizeof *v6;
    if (inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6->sin6_addr) != 1) return bad;
    return address;
  }
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  v4->sin_family = AF_INET;
  v4->sin_port = htons(static_cast<uint16_t>(*port));
  address.length = sizeof *v4;
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) != 1) return bad;
  return address;
}

Result<UniqueFd> open_listener(const ListenAddress& address, const std::string& text) {
  UniqueFd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("cannot open a socket", text, errno);
  int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 ||
      listen(fd.get(), SOMAXCONN) != 0) {
    if (errno == EADDRINUSE) return Error(ErrorCode::conflict, "another program listens there already", text);
    return errno_error("cannot listen", text, errno);
  }
  return fd;
}

uint16_t bound_port(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  return ntohs(storage.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(storage).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(storage).sin_port);
}

std::string address_text(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, text, sizeof text);
  } else {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text, sizeof text);
  }
  return text;
}

}  // namespace

struct Server::Impl {
  explicit Impl(ServerOptions options, Router router) : core(std::move(options), std::move(router)) {}

  void run();
  void accept_when_ready();
  void accept_pending();
  void add_connection(UniqueFd fd, const sockaddr_storage& peer);
  bool make_room();
  void beat();
  void wind_down();
  void close_all();

  ServerCore core;
  int family = AF_INET;
  uint16_t port = 0;
  asio::ip::tcp::acceptor acceptor{core.io};
  asio::steady_timer accept_pause{core.io};
  asio::steady_timer heartbeat{core.io};
  asio::steady_timer drain{core.io};
  std::mutex stop_mutex;  // held by stop() for its whole length
  std::thread thread;
};

void Server::Impl::run() {
  pthread_setname_np(pthread_self(), "pawl-http");
  core.io.run();
}

// Accepting by hand: Asio's own accept leaves the descriptor open across exec.
void Server::Impl::accept_when_ready() {
  acceptor.async_wait(asio::ip::tcp::acceptor::wait_read, [this](error_code ec) {
    if (!ec) accept_pending();
  });
}

void Server::Impl::accept_pending() {
  constexpr int kBatch = 64;  // then let the others have the loop
  for (int i = 0; i < kBatch; ++i) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    UniqueFd fd(accept4(acceptor.native_handle(), reinterpret_cast<sockaddr*>(&peer), &length,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) {
      add_connection(std::move(fd), peer);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // The waiting connection keeps the listener readable: without a pause this would spin.
      log_warning("cannot accept connections: {}", errno_error("accept", "", errno).message());
      accept_pause.expires_after(std::chrono::milliseconds(100));
      accept_pause.async_wait([this](error_code ec) {
        if (!ec) accept_when_ready();
      });
      return;
    }
  }
  accept_when_ready();
}

void Server::Impl::add_connection(UniqueFd fd, const sockaddr_storage& peer) {
  int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (core.connections.size() >= core.options.max_connections && !make_room()) {
    Response busy = error_response(503, "unavailable", "too many connections");
    std::string text = response_head(busy, std::nullopt, false, std::time(nullptr));
    (void)send(fd.get(), text.data(), text.size(),
               MSG_NOSIGNAL);  // best effort: the socket's buffer is empty
    return;
  }
  asio::ip::tcp::socket socket(core.io);
  error_code ec;
  socket.assign(family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), fd.get(), ec);
  if (ec) return;
  (void)fd.release();
  auto connection = std::make_shared<Connection>(core, std::move(socket), address_text(peer));
  core.connections.emplace(connection.get(), connection);
  connection->start();
}

// Closes the connection that has waited longest for a request; false when every one is busy.
bool Server::Impl::make_room() {
  Connection* longest = nullptr;
  for (const auto& [connection, owner] : core.connections) {
    auto since = connection->idle_since();
    if (since && (longest == nullptr || *since < *longest->idle_since())) longest = connection;
  }
  if (longest != nullptr) longest->close();
  return longest != nullptr;
}

void Server::Impl::beat() {
  heartbeat.expires_after(std::chrono::milliseconds(core.options.heartbeat_ms));
  heartbeat.async_wait([this](error_code ec) {
    if (ec) return;
    for (const auto& [connection, owner] : core.connections) connection->heartbeat();
    beat();
  });
}

void Server::Impl::wind_down() {
  core.stopping = true;
  error_code ignored;
  acceptor.close(ignored);
  accept_pause.cancel();
  heartbeat.cancel();
  drain.expires_after(std::chrono::milliseconds(core.options.drain_ms));
  drain.async_wait([this](error_code) {  // in time or, cancelled, before: the last connection has closed
    close_all();
    core.io.stop();
  });
  core.on_last_closed = [this] { drain.cancel(); };
  auto open = core.connections;  // closing changes the table
  for (const auto& [connection, owner] : open) connection->wind_down();
  if (core.connections.empty()) drain.cancel();
}

void Server::Impl::close_all() {
  auto open = core.connections;
  for (const auto& [connection, owner] : open) connection->close();
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Router router) {
  PAWL_ASSIGN(ListenAddress address, parse_listen(options.listen));
  PAWL_ASSIGN(UniqueFd listener, open_listener(address, options.listen));
  std::string host = options.listen.substr(0, options.listen.rfind(':'));
  if (host != "0.0.0.0" && host != "[::]")
    options.access.public_hosts.push_back(host);  // numbers cannot be rebound

  auto impl = std::make_unique<Impl>(std::move(options), std::move(router));
  impl->family = address.storage.ss_family;
  impl->port = bound_port(listener.get());
  error_code ec;
  impl->acceptor.assign(impl->family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), listener.get(),
                        ec);
  if (ec) return Error(ErrorCode::io, "cannot watch the listening socket: " + ec.message());
  (void)listener.release();
  impl->accept_when_ready();
  impl->beat();
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() {
  stop();
}

uint16_t Server::port() const {
  return impl_->port;
}

std::string Server::url() const {
  const std::string& listen = impl_->core.options.listen;
  return fmt::format("http://{}:{}", listen.substr(0, listen.rfind(':')), impl_->port);
}

void Server::stop() {
  std::lock_guard lock(impl_->stop_mutex);
  if (!impl_->thread.joinable()) return;
  impl_->core.gate->post([impl = impl_.get()] { impl->wind_down(); });
  impl_->thread.join();
  impl_->core.gate->close();
}

}  // namespace pawl::http
