#include "engine/supervise/line_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "engine/base/clock.h"
#include "engine/base/log.h"

namespace pawl::supervise {
namespace {

constexpr size_t kMaxLine = 1 << 20;
constexpr size_t kMaxUnsent = 4 << 20;
constexpr size_t kMaxClients = 64;

// A socket address holds 107 bytes of path: go through the open folder instead.
sockaddr_un address_in(int folder_fd) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  fmt::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}/sock", folder_fd);
  return address;
}

Result<UniqueFd> open_folder(const std::string& folder) {
  UniqueFd fd(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno_error("cannot open", folder, errno);
  return fd;
}

bool is_trusted(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == geteuid() || peer.uid == 0;
}

}  // namespace

Result<std::vector<std::string>> LineBuffer::add(std::string_view bytes) {
  std::vector<std::string> lines;
  for (size_t end = 0; (end = bytes.find('\n')) != std::string_view::npos; bytes.remove_prefix(end + 1)) {
    rest_.append(bytes.substr(0, end));
    lines.push_back(std::move(rest_));
    rest_.clear();
  }
  rest_.append(bytes);
  if (rest_.size() > kMaxLine) return Error(ErrorCode::invalid, "a line is longer than 1 MiB", "sock");
  return lines;
}

Result<UniqueFd> connect_line_socket(const std::string& folder) {
  PAWL_ASSIGN(UniqueFd folder_fd, open_folder(folder));
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error("cannot create a socket", "", errno);
  sockaddr_un address = address_in(folder_fd.get());
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ECONNREFUSED) return Error(ErrorCode::unavailable, "nobody listens", folder + "/sock");
    return errno_error("cannot connect to", folder + "/sock", errno);
  }
  return fd;
}

LineServer::LineServer(EventLoop& loop, UniqueFd folder, UniqueFd socket, Handlers handlers)
    : loop_(loop), folder_(std::move(folder)), socket_(std::move(socket)), handlers_(std::move(handlers)) {
  accept_watch_ = loop_.watch_readable(socket_.get(), [this] { accept_one(); });
}

Result<std::unique_ptr<LineServer>> LineServer::listen(EventLoop& loop, const std::string& folder,
                                                       Handlers handlers) {
  PAWL_ASSIGN(UniqueFd folder_fd, open_folder(folder));
  unlinkat(folder_fd.get(), "sock", 0);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("cannot create a socket", "", errno);
  sockaddr_un address = address_in(folder_fd.get());
  mode_t old_mask = umask(0177);
  int bound = bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  int bind_errno = errno;
  umask(old_mask);
  if (bound != 0) return errno_error("cannot bind", folder + "/sock", bind_errno);
  if (::listen(fd.get(), 16) != 0) return errno_error("cannot listen on", folder + "/sock", errno);
  return std::unique_ptr<LineServer>(
      new LineServer(loop, std::move(folder_fd), std::move(fd), std::move(handlers)));
}

LineServer::~LineServer() {
  loop_.remove(accept_watch_);
  while (!clients_.empty()) drop(clients_.begin()->first);
  unlinkat(folder_.get(), "sock", 0);
}

void LineServer::accept_one() {
  UniqueFd fd(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd || clients_.size() >= kMaxClients || !is_trusted(fd.get())) return;
  int id = next_client_++;
  Client& client = clients_[id];
  client.fd = std::move(fd);
  client.read_watch = loop_.watch_readable(client.fd.get(), [this, id] { read_from(id); });
  send(id, handlers_.greeting());
}

void LineServer::read_from(int id) {
  Client& client = clients_.at(id);
  char buffer[16384];
  ssize_t n = read(client.fd.get(), buffer, sizeof buffer);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return drop(id);
  auto lines = client.input.add(std::string_view(buffer, static_cast<size_t>(n)));
  if (!lines.ok()) return drop(id);
  for (const std::string& line : *lines) {
    std::string answer = handlers_.on_line(line);
    if (!clients_.contains(id) || !send(id, answer)) return;
  }
}

void LineServer::broadcast(std::string_view lines) {
  std::vector<int> ids;
  for (const auto& [id, client] : clients_) ids.push_back(id);
  for (int id : ids) send(id, lines);
}

bool LineServer::send(int id, std::string_view lines) {
  Client& client = clients_.at(id);
  client.output.append(lines);
  flush(client);
  if (client.output.size() > kMaxUnsent) {
    log_warning("a client of the supervisor does not read: disconnected");
    drop(id);
    return false;
  }
  if (!client.output.empty() && client.write_watch == 0) {
    client.write_watch = loop_.watch_writable(client.fd.get(), [this, id] { flush(clients_.at(id)); });
  }
  return true;
}

void LineServer::flush(Client& client) {
  while (!client.output.empty()) {
    ssize_t n = ::send(client.fd.get(), client.output.data(), client.output.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    // A client that hung up may have left a command behind: only reading finds its end.
    client.output.erase(0, n < 0 ? client.output.size() : static_cast<size_t>(n));
  }
  if (client.write_watch != 0) loop_.remove(std::exchange(client.write_watch, 0));
}

void LineServer::drop(int id) {
  auto it = clients_.find(id);
  if (it == clients_.end()) return;
  loop_.remove(it->second.read_watch);
  loop_.remove(it->second.write_watch);
  clients_.erase(it);
}

void LineServer::drain(int64_t patience_ms) {
  SystemClock clock;
  int64_t deadline = clock.monotonic_ms() + patience_ms;
  while (true) {
    std::vector<pollfd> waiting;
    std::vector<int> ids;
    for (const auto& [id, client] : clients_) {
      if (client.output.empty()) continue;
      waiting.push_back({client.fd.get(), POLLOUT, 0});
      ids.push_back(id);
    }
    int64_t left = deadline - clock.monotonic_ms();
    if (waiting.empty() || left <= 0) return;
    if (poll(waiting.data(), waiting.size(), static_cast<int>(left)) <= 0) continue;
    for (int id : ids) flush(clients_.at(id));
  }
}

}  // namespace pawl::supervise
