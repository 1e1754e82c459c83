#include "engine/forge/http_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <thread>
#include <vector>

#include "engine/base/files.h"
#include "engine/base/text.h"

namespace pawl::forge {
namespace {

// A listening loopback socket.
UniqueFd listen_loopback(int* port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_EQ(listen(fd.get(), 16), 0);
  EXPECT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  *port = ntohs(address.sin_port);
  return fd;
}

// Answers one connection per canned answer, in order, and keeps the requests. An answer is sent when the
// request's body is complete; then the connection is closed.
class CannedServer {
 public:
  explicit CannedServer(std::vector<std::string> answers)
      : listener_(listen_loopback(&port_)), answers_(std::move(answers)), thread_([this] { serve(); }) {}
  ~CannedServer() { join(); }

  std::string url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  const std::vector<std::string>& requests() {
    join();
    return requests_;
  }

 private:
  void join() {
    if (thread_.joinable()) {
      shutdown(listener_.get(), SHUT_RDWR);  // wakes accept when fewer connections came than answers wait
      thread_.join();
    }
  }

  void serve() {
    for (const std::string& answer : answers_) {
      UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) return;
      requests_.push_back(read_request(fd.get()));
      (void)write_all(fd.get(), answer);
    }
  }

  static std::string read_request(int fd) {
    std::string text;
    char buffer[4096];
    for (;;) {
      size_t head = text.find("\r\n\r\n");
      if (head != std::string::npos && text.size() >= head + 4 + body_length(text)) return text;
      ssize_t n = read(fd, buffer, sizeof buffer);
      if (n <= 0) return text;
      text.append(buffer, static_cast<size_t>(n));
    }
  }

  static size_t body_length(const std::string& text) {
    size_t at = text.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::stoul(text.substr(at + 16));
  }

  int port_ = 0;
  UniqueFd listener_;
  std::vector<std::string> answers_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

std::string answer(std::string_view status_line, std::string_view headers, std::string_view body) {
  return "HTTP/1.1 " + std::string(status_line) + "\r\n" + std::string(headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" +
         std::string(body);
}

TEST(HttpClientTest, PostsAndReadsTheAnswer) {
  CannedServer server({answer("201 Created", "X-Thing:  a b \r\n", "done")});
  HttpClient client;
  HttpRequest request{
      "POST", server.url("/hook?x=1"), {{"X-Pawl-Event", "push"}, {"X-Empty", ""}}, "{\"a\":1}"};
  auto response = client.send(request);
  ASSERT_TRUE(response.ok()) << response.error().to_string();
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, "done");
  EXPECT_EQ(*response->headers.find("x-thing"), "a b");
  const std::string& sent = server.requests().at(0);
  EXPECT_TRUE(sent.starts_with("POST /hook?x=1 HTTP/1.1\r\n")) << sent;
  EXPECT_NE(sent.find("X-Pawl-Event: push\r\n"), std::string::npos);
  EXPECT_NE(sent.find("X-Empty:\r\n"), std::string::npos);
  EXPECT_EQ(sent.find("Expect:"), std::string::npos);
  EXPECT_TRUE(sent.ends_with("\r\n\r\n{\"a\":1}"));
}

TEST(HttpClientTest, FollowsARedirectOnlyToTheSameOrigin) {
  CannedServer other({answer("200 OK", "", "stolen")});
  CannedServer server({answer("307 Temporary Redirect", "Location: /moved\r\n", ""),
                       answer("200 OK", "", "here"),
                       answer("307 Temporary Redirect", "Location: " + other.url("/x") + "\r\n", "")});
  HttpClient client;
  HttpRequest request{"POST", server.url("/a"), {{"Authorization", "Bearer t"}}, "body"};
  auto same = client.send(request);
  ASSERT_TRUE(same.ok()) << same.error().to_string();
  EXPECT_EQ(same->body, "here");
  auto foreign = client.send(request);
  ASSERT_TRUE(foreign.ok());
  EXPECT_EQ(foreign->status, 307);
  EXPECT_TRUE(other.requests().empty());
  EXPECT_TRUE(server.requests().at(1).starts_with("POST /moved "));
  EXPECT_TRUE(server.requests().at(1).ends_with("\r\n\r\nbody"));
}

TEST(HttpClientTest, RedirectLoopsEnd) {
  std::string loop = answer("308 Permanent Redirect", "Location: /again\r\n", "");
  CannedServer server({loop, loop, loop, loop, loop});
  HttpClient client;
  auto response = client.send({"GET", server.url("/"), {}, ""});
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->status, 308);
  EXPECT_EQ(server.requests().size(), 4u);
}

TEST(HttpClientTest, OtherRedirectsAreAnswers) {
  CannedServer server({answer("302 Found", "Location: /login\r\n", "")});
  HttpClient client;
  EXPECT_EQ(client.send({"POST", server.url("/"), {}, "x"})->status, 302);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(HttpClientTest, AnswersAreCapped) {
  CannedServer server({answer("200 OK", "", std::string(2000, 'x'))});
  HttpClientOptions options;
  options.max_response_bytes = 1000;
  HttpClient client(options);
  auto response = client.send({"GET", server.url("/"), {}, ""});
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code(), ErrorCode::invalid);
}

TEST(HttpClientTest, StreamsPieceByPieceAndStops) {
  CannedServer server({answer("200 OK", "", std::string(100'000, 'x')),
                       answer("200 OK", "", std::string(100'000, 'y')), answer("500 Oops", "", "why")});
  HttpClient client;
  HttpRequest request{"GET", server.url("/"), {}, ""};
  size_t seen = 0;
  request.on_body = [&seen](std::string_view piece) {
    seen += piece.size();
    return true;
  };
  auto whole = client.send(request);
  ASSERT_TRUE(whole.ok()) << whole.error().to_string();
  EXPECT_EQ(seen, 100'000u);
  EXPECT_EQ(whole->body, "");
  request.on_body = [](std::string_view) { return false; };
  EXPECT_EQ(client.send(request).error().code(), ErrorCode::cancelled);
  EXPECT_EQ(client.send(request)->body, "why");
}

TEST(HttpClientTest, OnlyLoopbackSpeaksPlainHttp) {
  HttpClient client;
  for (const char* url :
       {"http://example.com/", "http://127.evil.example/", "http://10.0.0.1/", "http://[::2]/",
        "ftp://localhost/", "file:///etc/passwd", "https://user:pw@localhost/", "", "http://",
        "http://localhost:99999/", "localhost"}) {
    auto response = client.send({"GET", url, {}, ""});
    ASSERT_FALSE(response.ok()) << url;
    EXPECT_EQ(response.error().code(), ErrorCode::invalid) << url << ": " << response.error().to_string();
    EXPECT_EQ(response.error().to_string().find("pw"), std::string::npos);
  }
}

TEST(HttpClientTest, HeadersCannotBeInjected) {
  HttpClient client;
  for (const HttpHeaders& headers : {HttpHeaders{{"A", "b\r\nC: d"}}, HttpHeaders{{"A\nB", "c"}},
                                     HttpHeaders{{"A:B", "c"}}, HttpHeaders{{"", "c"}}}) {
    EXPECT_EQ(client.send({"GET", "http://127.0.0.1:1/", headers, ""}).error().code(), ErrorCode::invalid);
  }
}

TEST(HttpClientTest, NobodyListeningIsUnavailable) {
  int port = 0;
  listen_loopback(&port).reset();
  HttpClient client;
  auto response = client.send({"GET", "http://127.0.0.1:" + std::to_string(port) + "/", {}, ""});
  EXPECT_EQ(response.error().code(), ErrorCode::unavailable);
}

TEST(HttpClientTest, ASilentServerTimesOut) {
  int port = 0;
  UniqueFd listener = listen_loopback(&port);
  HttpClient client;
  HttpRequest request{"GET", "http://127.0.0.1:" + std::to_string(port) + "/", {}, "", 50};
  EXPECT_EQ(client.send(request).error().code(), ErrorCode::timeout);
}

}  // namespace
}  // namespace pawl::forge
