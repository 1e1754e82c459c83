// Bodies that are not a string in memory: files with ranges, and event streams.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/base/files.h"
#include "engine/forge/http_client.h"
#include "engine/http/event_hub.h"
#include "tests/unit/http/raw_client.h"

namespace pawl::http {
namespace {

class FileTest : public ::testing::Test {
 protected:
  FileTest() : dir_(TempDir::create("pawl-http").value()), path_(dir_.path() + "/file") {
    for (int i = 0; content_.size() < 300'000; ++i) content_ += std::to_string(i) + "\n";
    EXPECT_TRUE(write_file_atomic(path_, content_).ok());
    Router router;
    router.add("GET", "/file", [this](const Request&, const Responder& respond) {
      auto response =
          file_response(UniqueFd(open(path_.c_str(), O_RDONLY | O_CLOEXEC)), "application/octet-stream");
      respond(response.ok() ? std::move(*response) : error_response(response.error()));
    });
    server_ = start_server(std::move(router));
  }

  RawResponse fetch(const std::string& headers = "") {
    RawClient client(server_->port());
    client.send(get("/file", headers));
    return client.read_response();
  }

  TempDir dir_;
  std::string path_;
  std::string content_;
  std::unique_ptr<Server> server_;
};

TEST_F(FileTest, WholeAndParts) {
  RawResponse whole = fetch();
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(*whole.headers.find("Accept-Ranges"), "bytes");
  EXPECT_EQ(whole.body, content_);

  RawResponse part = fetch("Range: bytes=100-70099\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(*part.headers.find("Content-Range"), "bytes 100-70099/" + std::to_string(content_.size()));
  EXPECT_EQ(part.body, content_.substr(100, 70'000));
  EXPECT_EQ(fetch("Range: bytes=-7\r\n").body, content_.substr(content_.size() - 7));
  EXPECT_EQ(fetch("Range: bytes=0-0,5-6\r\n").body, content_);
  EXPECT_EQ(fetch("Range: bytes=0-0\r\nIf-Range: \"x\"\r\n").body, content_);
}

TEST_F(FileTest, BehindTheEndIs416) {
  RawResponse response = fetch("Range: bytes=" + std::to_string(content_.size()) + "-\r\n");
  EXPECT_EQ(response.status, 416);
  EXPECT_EQ(*response.headers.find("Content-Range"), "bytes */" + std::to_string(content_.size()));
  EXPECT_EQ(response.body, "");
}

TEST_F(FileTest, PipelinedWithOthers) {
  RawClient client(server_->port());
  client.send(get("/file") + get("/file", "Range: bytes=0-9\r\n"));
  EXPECT_EQ(client.read_response().body, content_);
  EXPECT_EQ(client.read_response().body, content_.substr(0, 10));
}

TEST_F(FileTest, HeadHasTheLength) {
  RawClient client(server_->port());
  client.send("HEAD /file HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer s3cret-token\r\n\r\n" +
              get("/file"));
  EXPECT_EQ(*client.read_response(true).headers.find("Content-Length"), std::to_string(content_.size()));
  EXPECT_EQ(client.read_response().body, content_);
}

TEST_F(FileTest, AFolderIsAnError) {
  path_ = dir_.path();
  EXPECT_EQ(fetch().status, 400);
}

TEST_F(FileTest, AFileThatShrinksBreaksTheConnection) {
  // Large enough that most of it is still to be read when the client has seen the header.
  ASSERT_EQ(truncate(path_.c_str(), 512ll << 20), 0);
  RawClient client(server_->port());
  client.send(get("/file"));
  ASSERT_NE(client.read_until("\r\n\r\n"), "");
  ASSERT_EQ(truncate(path_.c_str(), 10), 0);
  size_t received = 0;
  char buffer[65536];
  for (ssize_t n; (n = recv(client.fd(), buffer, sizeof buffer, 0)) > 0;) received += static_cast<size_t>(n);
  EXPECT_LT(received, 512u << 20);
}

class EventsTest : public ::testing::Test {
 protected:
  void start(ServerOptions options = {}, EventHubOptions hub_options = {}) {
    hub_ = std::make_unique<EventHub>("E", hub_options);
    Router router;
    router.add("GET", "/events", [this](const Request& request, const Responder& respond) {
      respond(event_response(*hub_, request));
    });
    server_ = start_server(std::move(router), options);
  }

  // A client whose subscription stands.
  std::unique_ptr<RawClient> connect(std::string_view query, std::string_view headers = "") {
    auto client = std::make_unique<RawClient>(server_->port());
    client->send(get("/events?" + std::string(query), headers));
    std::string head = client->read_until("\r\n\r\n");
    EXPECT_NE(head.find("Content-Type: text/event-stream\r\n"), head.npos) << head;
    EXPECT_NE(head.find("X-Accel-Buffering: no\r\n"), head.npos);
    EXPECT_EQ(head.find("Content-Length"), head.npos);
    EXPECT_NE(client->read_until("retry: 2000\n"), "");
    return client;
  }

  std::unique_ptr<EventHub> hub_;
  std::unique_ptr<Server> server_;
};

TEST_F(EventsTest, ArriveInOrder) {
  start();
  auto client = connect("topics=a,b");
  EXPECT_EQ(client->read_until("\n\n"), "id: E-0\n\n");
  for (int i = 1; i <= 100; ++i) hub_->publish(i % 2 == 0 ? "a" : "b", std::to_string(i));
  for (int i = 1; i <= 100; ++i) {
    std::string n = std::to_string(i);
    EXPECT_EQ(client->read_until("\n\n"),
              "id: E-" + n + "\nevent: " + (i % 2 == 0 ? "a" : "b") + "\ndata: " + n + "\n\n");
  }
}

TEST_F(EventsTest, ComingBackGetsTheRest) {
  start();
  auto first = connect("topics=a");
  hub_->publish("a", "1");
  hub_->publish("a", "2");
  EXPECT_NE(first->read_until("data: 1\n\n"), "");
  first.reset();
  auto second = connect("topics=a", "Last-Event-ID: E-1\r\n");
  EXPECT_EQ(second->read_until("data: 2\n\n"), "\nid: E-2\nevent: a\ndata: 2\n\n");
}

TEST_F(EventsTest, AReaderThatFallsBehindHearsResync) {
  EventHubOptions hub_options;
  hub_options.queue_events = 8;
  start({}, hub_options);
  auto client = connect("topics=a");
  client->read_until("\n\n");
  // More than the socket buffers and the queue hold together, so some of it must be dropped.
  const std::string large(100'000, 'x');
  for (int i = 0; i < 400; ++i) hub_->publish("a", large);
  hub_->publish("a", "last");
  EXPECT_NE(client->read_until("event: resync\n"), "");
  hub_->publish("a", "after");
  EXPECT_NE(client->read_until("data: after\n\n"), "");
}

TEST_F(EventsTest, SilenceIsFilledWithComments) {
  ServerOptions options;
  options.heartbeat_ms = 10;
  options.idle_timeout_ms = 1;  // does not concern streams
  start(options);
  auto client = connect("topics=a");
  EXPECT_NE(client->read_until(":\n\n:\n\n:\n\n"), "");
  hub_->publish("a", "1");
  EXPECT_NE(client->read_until("data: 1\n\n"), "");
}

TEST_F(EventsTest, BadQuestionsAreErrors) {
  start();
  for (const char* query : {"", "topics=", "topics=a,", "topics=a%0Ab"}) {
    RawClient client(server_->port());
    client.send(get("/events?" + std::string(query)));
    EXPECT_EQ(client.read_response().status, 400) << query;
  }
}

TEST_F(EventsTest, StopEndsStreams) {
  start();
  auto client = connect("topics=a");
  client->read_until("\n\n");
  server_->stop();
  EXPECT_TRUE(client->at_end());
  hub_->publish("a", "1");  // harmless
}

TEST_F(EventsTest, ManyWatchersSomeOfWhomLeave) {
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(connect("topics=a"));
  std::thread publisher([this] {
    for (int i = 1; i <= 200; ++i) hub_->publish("a", std::to_string(i));
  });
  for (size_t i = 0; i < clients.size(); i += 2) clients[i].reset();
  publisher.join();
  for (size_t i = 1; i < clients.size(); i += 2) EXPECT_NE(clients[i]->read_until("data: 200\n\n"), "") << i;
}

TEST_F(EventsTest, OverLibcurlAsAStream) {
  start();
  std::atomic<bool> subscribed = false;
  std::thread publisher([this, &subscribed] {
    while (!subscribed) std::this_thread::yield();
    hub_->publish("a", "now");
  });
  forge::HttpClient client;
  forge::HttpRequest request{
      "GET", server_->url() + "/events?topics=a", {{"Authorization", "Bearer s3cret-token"}}, "", 0};
  std::string seen;
  request.on_body = [&](std::string_view piece) {
    subscribed = true;
    seen += piece;
    return seen.find("data: now") == seen.npos;
  };
  auto response = client.send(request);
  publisher.join();
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code(), ErrorCode::cancelled);
}

}  // namespace
}  // namespace pawl::http
