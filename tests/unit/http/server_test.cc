#include "engine/http/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "engine/forge/http_client.h"
#include "tests/unit/http/raw_client.h"

namespace pawl::http {
namespace {

void echo(const Request& request, const Responder& respond) {
  std::string text = request.method + " " + request.path + "\n";
  for (const auto& [name, value] : request.params) text += name + "=" + value + "\n";
  for (const auto& [name, value] : request.query) text += "?" + name + "=" + value + "\n";
  respond(text_response(200, "text/plain; charset=utf-8", text + request.body));
}

Router echo_router() {
  Router router;
  router.add("GET", "/open", echo, {Access::open});
  router.add("GET", "/runs/{id}", echo);
  router.add("POST", "/runs/{id}", echo);
  router.add("POST", "/hook", echo, {Access::open, 25u << 20});
  router.add("GET", "/throws", [](const Request&, const Responder&) { throw std::runtime_error("oops"); });
  router.add("GET", "/dropped", [](const Request&, const Responder&) {});
  return router;
}

RawResponse ask(const Server& server, const std::string& text) {
  RawClient client(server.port());
  client.send(text);
  return client.read_response();
}

TEST(ServerTest, AnswersOverLibcurl) {
  auto server = start_server(echo_router());
  forge::HttpClient client;
  forge::HttpRequest request{
      "POST", server->url() + "/runs/7?a=b%20c", {{"Authorization", "Bearer s3cret-token"}}, "body"};
  auto response = client.send(request);
  ASSERT_TRUE(response.ok()) << response.error().to_string();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "POST /runs/7\nid=7\n?a=b c\nbody");
  EXPECT_EQ(*response->headers.find("X-Content-Type-Options"), "nosniff");
  // The same connection again, and a large body.
  request.url = server->url() + "/hook";
  request.body.assign(5u << 20, 'x');
  auto large = client.send(request);
  ASSERT_TRUE(large.ok());
  EXPECT_EQ(large->body.size(), request.body.size() + std::string("POST /hook\n").size());
}

TEST(ServerTest, ARequestMayComeInAnyPieces) {
  auto server = start_server(echo_router());
  const std::string text = post("/runs/7", "hello");
  const std::string expected = "POST /runs/7\nid=7\nhello";
  for (size_t cut = 1; cut < text.size(); ++cut) {
    RawClient client(server->port());
    client.send(text.substr(0, cut));
    std::this_thread::yield();
    client.send(text.substr(cut));
    EXPECT_EQ(client.read_response().body, expected) << cut;
  }
  RawClient drip(server->port());
  for (char c : text) drip.send(std::string_view(&c, 1));
  EXPECT_EQ(drip.read_response().body, expected);
}

TEST(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  auto server = start_server(echo_router());
  RawClient client(server->port());
  std::string text;
  for (int i = 0; i < 50; ++i)
    text += i % 2 == 0 ? get("/runs/" + std::to_string(i)) : post("/runs/x", std::to_string(i));
  client.send(text);
  for (int i = 0; i < 50; ++i) {
    std::string body = client.read_response().body;
    EXPECT_TRUE(body.ends_with(i % 2 == 0 ? "id=" + std::to_string(i) + "\n" : "id=x\n" + std::to_string(i)))
        << body;
  }
}

TEST(ServerTest, LateAnswersFromOtherThreadsKeepTheOrder) {
  std::mutex mutex;
  std::vector<std::thread> threads;
  Router router;
  router.add("GET", "/{n}", [&](Request request, Responder respond) {
    std::lock_guard lock(mutex);
    threads.emplace_back(
        [n = request.param("n"), respond = std::move(respond)] { respond(text_response(200, "", n)); });
  });
  auto server = start_server(std::move(router));
  RawClient client(server->port());
  client.send(get("/1") + get("/2") + get("/3"));
  for (const char* n : {"1", "2", "3"}) EXPECT_EQ(client.read_response().body, n);
  std::lock_guard lock(mutex);
  for (std::thread& thread : threads) thread.join();
}

TEST(ServerTest, ChunkedBodies) {
  auto server = start_server(echo_router());
  std::string head = "POST /hook HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(ask(*server, head + "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: 1\r\n\r\n").body,
            "POST /hook\nabcdefg");
  EXPECT_EQ(ask(*server, head + "zz\r\nabc\r\n0\r\n\r\n").status, 400);
}

TEST(ServerTest, HeadHasTheHeaderOfGet) {
  auto server = start_server(echo_router());
  RawClient client(server->port());
  client.send("HEAD /open HTTP/1.1\r\nHost: localhost\r\n\r\n");
  RawResponse response = client.read_response(true);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(*response.headers.find("Content-Length"), "10");  // "GET /open\n"
  client.send(get("/open"));                                  // no body came in between
  EXPECT_EQ(client.read_response().body, "GET /open\n");
}

TEST(ServerTest, UnknownPathsAndMethods) {
  auto server = start_server(echo_router());
  RawResponse missing = ask(*server, get("/nothing"));
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(*missing.headers.find("Content-Type"), "application/json");
  EXPECT_NE(missing.body.find("\"code\":\"not_found\""), missing.body.npos);
  RawResponse method = ask(*server, "BREW /runs/7 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(*method.headers.find("Allow"), "GET, HEAD, POST");
  EXPECT_EQ(ask(*server, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 400);
  EXPECT_EQ(ask(*server, "GET http://localhost/open HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 400);
  EXPECT_EQ(ask(*server, get("/runs/../open")).status, 400);
}

TEST(ServerTest, ATokenIsNeeded) {
  auto server = start_server(echo_router());
  auto with = [&server](const std::string& header) {
    return ask(*server, "GET /runs/7 HTTP/1.1\r\nHost: localhost\r\n" + header + "\r\n");
  };
  RawResponse none = with("");
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(*none.headers.find("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(with("Authorization: Bearer wrong\r\n").status, 401);
  EXPECT_EQ(with("Authorization: Bearer s3cret-token\r\n").status, 200);
  EXPECT_EQ(ask(*server, get("/runs/7?token=s3cret-token")).status, 400);
  EXPECT_EQ(ask(*server, "GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
}

TEST(ServerTest, OtherHostsAndOriginsAreRefused) {
  ServerOptions options;
  options.access.public_hosts = {"ci.example.com"};
  auto server = start_server(echo_router(), options);
  auto with = [&server](const std::string& headers) {
    return ask(*server, "GET /open HTTP/1.1\r\n" + headers + "\r\n").status;
  };
  EXPECT_EQ(with("Host: 127.0.0.1:" + std::to_string(server->port()) + "\r\n"), 200);
  EXPECT_EQ(with("Host: ci.example.com\r\n"), 200);
  EXPECT_EQ(with("Host: evil.example\r\n"), 403);
  EXPECT_EQ(with("Host: localhost\r\nHost: evil.example\r\n"), 403);
  EXPECT_EQ(with(""), 403);
  EXPECT_EQ(with("Host: localhost\r\nOrigin: http://evil.example\r\n"), 403);
  EXPECT_EQ(with("Host: localhost\r\nOrigin: http://localhost\r\n"), 200);
}

TEST(ServerTest, BodiesOverTheLimitOfTheirRoute) {
  auto server = start_server(echo_router());
  EXPECT_EQ(ask(*server, post("/runs/7", std::string(1u << 20, 'x'))).status, 200);
  EXPECT_EQ(ask(*server, post("/runs/7", std::string((1u << 20) + 1, 'x'))).status, 413);
  std::string declared = "POST /hook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n";
  EXPECT_EQ(ask(*server, declared).status, 413);
  std::string chunk = "100000\r\n" + std::string(1u << 20, 'x') + "\r\n";
  EXPECT_EQ(ask(*server,
                "POST /runs/7 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer s3cret-token\r\n"
                "Transfer-Encoding: chunked\r\n\r\n" +
                    chunk + chunk)
                .status,
            413);
}

TEST(ServerTest, AllBodiesTogetherAreBounded) {
  ServerOptions options;
  options.max_buffered_body_bytes = 1000;
  auto server = start_server(echo_router(), options);
  RawClient holder(server->port());
  std::string text = post("/hook", std::string(900, 'x'));
  holder.send(text.substr(0, text.size() - 1));
  // Whether the holder's bytes are counted already shows in the second one's answer, so ask until they are.
  RawResponse second;
  do {
    second = ask(*server, post("/hook", std::string(200, 'y')));
  } while (second.status == 200);
  EXPECT_EQ(second.status, 503);
  EXPECT_NE(second.headers.find("Retry-After"), nullptr);
  holder.send("x");
  EXPECT_EQ(holder.read_response().status, 200);
  EXPECT_EQ(ask(*server, post("/hook", std::string(200, 'y'))).status, 200);
}

TEST(ServerTest, ExpectContinueIsAnsweredBeforeTheBody) {
  auto server = start_server(echo_router());
  RawClient client(server->port());
  std::string text = post("/runs/7", "hello", "Expect: 100-continue\r\n");
  client.send(text.substr(0, text.size() - 5));
  EXPECT_EQ(client.read_response().status, 100);
  client.send("hello");
  EXPECT_EQ(client.read_response().body, "POST /runs/7\nid=7\nhello");

  RawClient refused(server->port());
  refused.send(
      "POST /runs/7 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(refused.read_response().status, 401);
  EXPECT_TRUE(refused.at_end());
}

TEST(ServerTest, HeadersOverTheLimit) {
  auto server = start_server(echo_router());
  EXPECT_EQ(ask(*server, get("/open", "X: " + std::string(10'000, 'x') + "\r\n")).status, 200);
  EXPECT_EQ(ask(*server, get("/open", "X: " + std::string(20'000, 'x') + "\r\n")).status, 431);
  EXPECT_EQ(ask(*server, "GET /" + std::string(200'000, 'a')).status, 431);
}

TEST(ServerTest, WhatIsNotHttp) {
  auto server = start_server(echo_router());
  for (const char* text :
       {"hello\r\n\r\n", "GET /open\r\n\r\n", "GET  /open HTTP/1.1\r\n\r\n", "GET /open HTTP/2.0\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost localhost\r\n\r\n", "GET /open HTTP/1.1\r\n: x\r\n\r\n",
        "\x16\x03\x01\x02\r\n\r\n", "POST /hook HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "POST /hook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /hook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n"}) {
    RawClient client(server->port());
    client.send(text);
    EXPECT_EQ(client.read_response().status, 400) << text;
    EXPECT_TRUE(client.at_end()) << text;
  }
  EXPECT_EQ(ask(*server, "POST /hook HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n").status,
            501);
}

TEST(ServerTest, ClosesWhenTheClientAsksForIt) {
  auto server = start_server(echo_router());
  RawClient client(server->port());
  client.send(get("/open", "Connection: close\r\n") + get("/open"));
  EXPECT_EQ(*client.read_response().headers.find("Connection"), "close");
  EXPECT_TRUE(client.at_end());
  RawClient old(server->port());
  old.send("GET /open HTTP/1.0\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(old.read_response().status, 200);
  EXPECT_TRUE(old.at_end());
}

TEST(ServerTest, HandlersThatFailAre500) {
  auto server = start_server(echo_router());
  RawClient client(server->port());
  client.send(get("/throws") + get("/dropped") + get("/open"));
  EXPECT_EQ(client.read_response().status, 500);
  EXPECT_EQ(client.read_response().status, 500);
  EXPECT_EQ(client.read_response().status, 200);
}

TEST(ServerTest, SlowHeadersAndBodiesAndIdlersAreCut) {
  ServerOptions options;
  options.header_timeout_ms = 50;
  options.body_timeout_ms = 50;
  options.idle_timeout_ms = 50;
  auto server = start_server(echo_router(), options);
  RawClient nothing(server->port());
  RawClient header(server->port());
  header.send("GET /open HTTP/1.1\r\nHost: loc");
  RawClient body(server->port());
  body.send(post("/hook", "hello").substr(0, 80));
  RawClient after(server->port());
  after.send(get("/open"));
  EXPECT_EQ(after.read_response().status, 200);
  EXPECT_TRUE(nothing.at_end());
  EXPECT_TRUE(header.at_end());
  EXPECT_TRUE(body.at_end());
  EXPECT_TRUE(after.at_end());
}

TEST(ServerTest, DrippingDoesNotExtendTheHeaderTimeout) {
  ServerOptions options;
  options.header_timeout_ms = 100;
  auto server = start_server(echo_router(), options);
  RawClient client(server->port());
  client.send("GET /open HTTP/1.1\r\n");
  while (client.send("X: y\r\n")) {  // ends when the server has closed and our side has noticed
    char byte;
    if (recv(client.fd(), &byte, 1, MSG_DONTWAIT) == 0) break;
    std::this_thread::yield();
  }
  SUCCEED();
}

TEST(ServerTest, AClientThatReadsNothingIsCut) {
  ServerOptions options;
  options.write_timeout_ms = 50;
  options.drain_ms = 600'000;  // so it is not stop() that cuts
  Router router;
  std::atomic<int> served = 0;
  router.add("GET", "/big", [&served](const Request&, const Responder& respond) {
    ++served;
    respond(text_response(200, "", std::string(64u << 20, 'x')));
  });
  auto server = start_server(std::move(router), options);
  RawClient client(server->port());
  client.send(get("/big"));
  // Reading only when the server has given up: the answer is cut short.
  while (served == 0) std::this_thread::yield();
  server->stop();
  EXPECT_LT(client.read_response().body.size(), 64u << 20);
}

TEST(ServerTest, TwoHundredConnectionsAtOnce) {
  auto server = start_server(echo_router());
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(std::make_unique<RawClient>(server->port()));
  for (int i = 0; i < 200; ++i) clients[i]->send(get("/runs/" + std::to_string(i)));
  for (int i = 199; i >= 0; --i)
    EXPECT_EQ(clients[i]->read_response().body,
              "GET /runs/" + std::to_string(i) + "\nid=" + std::to_string(i) + "\n");
}

TEST(ServerTest, TheLongestIdleMakesRoom) {
  ServerOptions options;
  options.max_connections = 3;
  auto server = start_server(echo_router(), options);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<RawClient>(server->port()));
    clients[i]->send(get("/open"));
    EXPECT_EQ(clients[i]->read_response().status, 200);
  }
  EXPECT_TRUE(clients[0]->at_end());
  EXPECT_TRUE(clients[1]->at_end());
  clients[2]->send(get("/open"));
  EXPECT_EQ(clients[2]->read_response().status, 200);
}

TEST(ServerTest, WhenAllAreBusyTheNewOneHearsSo) {
  ServerOptions options;
  options.max_connections = 2;
  std::mutex mutex;
  std::vector<Responder> waiting;
  Router router;
  router.add("GET", "/wait", [&](const Request&, Responder respond) {
    std::lock_guard lock(mutex);
    waiting.push_back(std::move(respond));
  });
  auto server = start_server(std::move(router), options);
  RawClient a(server->port());
  RawClient b(server->port());
  a.send(get("/wait"));
  b.send(get("/wait"));
  for (size_t n = 0; n < 2;) {
    std::lock_guard lock(mutex);
    n = waiting.size();
  }
  RawClient c(server->port());
  EXPECT_EQ(c.read_response(true).status, 503);
  std::lock_guard lock(mutex);
  for (Responder& respond : waiting) respond(text_response(200, "", "done"));
  EXPECT_EQ(a.read_response().body, "done");
  EXPECT_EQ(b.read_response().body, "done");
}

TEST(ServerTest, StopEndsIdleConnectionsAndFinishesAnswers) {
  std::mutex mutex;
  std::vector<Responder> waiting;
  Router router = echo_router();
  router.add("GET", "/wait", [&](const Request&, Responder respond) {
    std::lock_guard lock(mutex);
    waiting.push_back(std::move(respond));
  });
  ServerOptions options;
  options.drain_ms = 20'000;
  auto server = start_server(std::move(router), options);
  uint16_t port = server->port();
  RawClient idle(port);
  idle.send(get("/open"));
  EXPECT_EQ(idle.read_response().status, 200);
  RawClient busy(port);
  busy.send(get("/wait"));
  for (size_t n = 0; n < 1;) {
    std::lock_guard lock(mutex);
    n = waiting.size();
  }
  std::thread stopper([&server] { server->stop(); });
  EXPECT_TRUE(idle.at_end());  // so the stop has begun
  waiting[0](text_response(200, "", "late"));
  RawResponse response = busy.read_response();
  EXPECT_EQ(response.body, "late");
  EXPECT_EQ(*response.headers.find("Connection"), "close");
  EXPECT_TRUE(busy.at_end());
  busy.finish_sending();
  stopper.join();
  server->stop();  // again is harmless
}

TEST(ServerTest, StopDoesNotWaitForEver) {
  std::vector<Responder> waiting;
  std::atomic<bool> arrived = false;
  Router router;
  router.add("GET", "/wait", [&](const Request&, Responder respond) {
    waiting.push_back(std::move(respond));
    arrived = true;
  });
  ServerOptions options;
  options.drain_ms = 50;
  auto server = start_server(std::move(router), options);
  RawClient client(server->port());
  client.send(get("/wait"));
  while (!arrived) std::this_thread::yield();
  server->stop();
  EXPECT_EQ(client.read_response().status, 0);
  server.reset();
  waiting[0](text_response(200, "", "too late"));  // harmless
}

// What is open in this process and would stay open in a child.
std::set<int> inheritable() {
  std::set<int> fds;
  for (int fd = 3; fd < 1024; ++fd) {
    int flags = fcntl(fd, F_GETFD);
    if (flags != -1 && (flags & FD_CLOEXEC) == 0) fds.insert(fd);
  }
  return fds;
}

TEST(ServerTest, NoDescriptorReachesAChild) {
  std::set<int> before = inheritable();
  auto server = start_server(echo_router());
  RawClient client(server->port());
  client.send(get("/open"));
  EXPECT_EQ(client.read_response().status, 200);
  EXPECT_EQ(inheritable(), before);
}

TEST(ServerTest, AddressesAreChecked) {
  for (const char* listen :
       {"", "localhost:80", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:80", "[::1]", "[::g]:1"}) {
    ServerOptions options;
    options.listen = listen;
    auto server = Server::start(options, Router());
    ASSERT_FALSE(server.ok()) << listen;
    EXPECT_EQ(server.error().code(), ErrorCode::invalid) << listen;
  }
  auto first = start_server(echo_router());
  ServerOptions options;
  options.listen = "127.0.0.1:" + std::to_string(first->port());
  EXPECT_EQ(Server::start(options, Router()).error().code(), ErrorCode::conflict);
}

}  // namespace
}  // namespace pawl::http
