// A client that says exactly what a test wants said, and a server on an ephemeral loopback port to say it to.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>

#include "engine/base/files.h"
#include "engine/base/http_headers.h"
#include "engine/base/text.h"
#include "engine/http/server.h"

namespace pawl::http {

inline constexpr char kToken[] = "s3cret-token";

struct RawResponse {
  int status = 0;  // 0: the connection ended before a whole header
  HttpHeaders headers;
  std::string body;
};

class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval patience{30, 0};  // ends a test that would hang
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  void finish_sending() { shutdown(fd_.get(), SHUT_WR); }
  int fd() const { return fd_.get(); }

  // Reads until `text` has come; what was read up to its end. Empty when the connection ended before.
  std::string read_until(std::string_view text) {
    size_t at;
    while ((at = pending_.find(text)) == std::string::npos) {
      if (!read_more()) return {};
    }
    return take(at + text.size());
  }

  // The next answer; `bodiless` for one to HEAD.
  RawResponse read_response(bool bodiless = false) {
    RawResponse response;
    std::string head = read_until("\r\n\r\n");
    if (head.empty()) return response;
    for (std::string_view line : split(head, '\n')) {
      line = trim(line);
      if (line.starts_with("HTTP/1.1 ")) response.status = std::stoi(std::string(line.substr(9, 3)));
      size_t colon = line.find(": ");
      if (colon != line.npos)
        response.headers.add(std::string(line.substr(0, colon)), std::string(line.substr(colon + 2)));
    }
    const std::string* length = response.headers.find("Content-Length");
    if (bodiless || response.status == 100) return response;
    size_t size = length == nullptr ? SIZE_MAX : std::stoul(*length);
    while (pending_.size() < size && read_more()) continue;
    response.body = take(std::min(size, pending_.size()));
    return response;
  }

  // Whether the server has ended the connection (by an end or a reset) with nothing unread.
  bool at_end() { return pending_.empty() && !read_more(); }

 private:
  bool read_more() {
    char buffer[16384];
    ssize_t n = recv(fd_.get(), buffer, sizeof buffer, 0);
    EXPECT_FALSE(n < 0 && errno == EAGAIN) << "the server neither answered nor closed";
    if (n <= 0) return false;
    pending_.append(buffer, static_cast<size_t>(n));
    return true;
  }

  std::string take(size_t size) {
    std::string out = pending_.substr(0, size);
    pending_.erase(0, size);
    return out;
  }

  UniqueFd fd_;
  std::string pending_;
};

inline std::string get(std::string_view target, std::string_view extra_headers = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + kToken +
         "\r\n" + std::string(extra_headers) + "\r\n";
}

inline std::string post(std::string_view target, std::string_view body, std::string_view extra_headers = "") {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + kToken +
         "\r\n" + std::string(extra_headers) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

inline std::unique_ptr<Server> start_server(Router router, ServerOptions options = {}) {
  options.access.tokens = {kToken};
  auto server = Server::start(std::move(options), std::move(router));
  EXPECT_TRUE(server.ok()) << server.error().to_string();
  return std::move(*server);
}

}  // namespace pawl::http
