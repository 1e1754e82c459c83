#include "engine/supervise/line_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

namespace pawl::supervise {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int kDeadlineMs = 20'000;

std::string read_line(int fd) {
  std::string line;
  char c = 0;
  pollfd readable{fd, POLLIN, 0};
  while (poll(&readable, 1, kDeadlineMs) > 0 && read(fd, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

bool at_end(int fd) {
  char c = 0;
  pollfd readable{fd, POLLIN, 0};
  return poll(&readable, 1, kDeadlineMs) > 0 && read(fd, &c, 1) <= 0;
}

// Up to `size`, fewer only at the end.
size_t read_bytes(int fd, size_t size) {
  char buffer[65536];
  size_t got = 0;
  pollfd readable{fd, POLLIN, 0};
  while (got < size && poll(&readable, 1, kDeadlineMs) > 0) {
    ssize_t n = read(fd, buffer, std::min(sizeof buffer, size - got));
    if (n <= 0) break;
    got += static_cast<size_t>(n);
  }
  return got;
}

class LineSocket : public testing::Test {
 protected:
  void SetUp() override {
    temporary_ = std::make_unique<TempDir>(TempDir::create("pawl-sock").value());
    // Deeper than a socket address is long.
    folder_ = temporary_->path() + "/" + std::string(120, 'd');
    ASSERT_TRUE(make_dirs(folder_).ok());
    serve();
  }
  void TearDown() override { stop(); }

  void serve() {
    LineServer::Handlers handlers;
    handlers.greeting = [] { return "hello\n"; };
    handlers.on_line = [this](std::string_view line) {
      lines_.lock()->push_back(std::string(line));
      return line == "quiet" ? "" : "got " + std::string(line) + "\n";
    };
    server_ = LineServer::listen(loop_, folder_, std::move(handlers)).value();
    thread_ = std::thread([this] { loop_.run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    loop_.stop();
    thread_.join();
    server_.reset();
  }

  Sync<std::vector<std::string>> lines_;
  EventLoop loop_;
  std::unique_ptr<TempDir> temporary_;
  std::string folder_;
  std::unique_ptr<LineServer> server_;
  std::thread thread_;
};

TEST_F(LineSocket, GreetsAnswersAndTells) {
  UniqueFd one = connect_line_socket(folder_).value();
  UniqueFd two = connect_line_socket(folder_).value();
  EXPECT_EQ(read_line(one.get()), "hello");
  EXPECT_EQ(read_line(two.get()), "hello");
  ASSERT_TRUE(write_all(one.get(), "a\nb\n").ok());
  EXPECT_EQ(read_line(one.get()), "got a");
  EXPECT_EQ(read_line(one.get()), "got b");
  loop_.post([this] { server_->broadcast("news\n"); });
  EXPECT_EQ(read_line(one.get()), "news");
  EXPECT_EQ(read_line(two.get()), "news");
  stop();
  EXPECT_TRUE(at_end(one.get()));
}

TEST_F(LineSocket, ALineOfOneWhoHungUpIsStillHeard) {
  {
    ASSERT_TRUE(write_all(connect_line_socket(folder_)->get(), "bye\n").ok());
  }
  UniqueFd other = connect_line_socket(folder_).value();
  EXPECT_EQ(read_line(other.get()), "hello");
  ASSERT_TRUE(write_all(other.get(), "last\n").ok());
  EXPECT_EQ(read_line(other.get()), "got last");
  EXPECT_THAT(*lines_.lock(), ElementsAre("bye", "last"));
}

TEST_F(LineSocket, WhoDoesNotReadIsDisconnected) {
  UniqueFd lazy = connect_line_socket(folder_).value();
  UniqueFd keen = connect_line_socket(folder_).value();
  EXPECT_EQ(read_line(lazy.get()), "hello");
  EXPECT_EQ(read_line(keen.get()), "hello");
  const std::string news(1 << 20, 'x');
  for (int i = 0; i < 8; ++i) {
    loop_.post([&] { server_->broadcast(news); });
    EXPECT_EQ(read_bytes(keen.get(), news.size()), news.size());
  }
  // What the kernel already held is still read; then the end.
  EXPECT_LT(read_bytes(lazy.get(), SIZE_MAX), news.size() * 8);
}

TEST_F(LineSocket, AnEndlessLineIsCutOff) {
  UniqueFd client = connect_line_socket(folder_).value();
  EXPECT_EQ(read_line(client.get()), "hello");
  std::string bytes(1 << 16, 'x');
  bool broken = false;
  for (int i = 0; i < 64 && !broken; ++i) {
    broken = send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0;
  }
  EXPECT_TRUE(at_end(client.get()));
  EXPECT_THAT(*lines_.lock(), IsEmpty());
}

TEST_F(LineSocket, OnlyTheOwnerMayConnect) {
  struct stat st{};
  ASSERT_EQ(stat((folder_ + "/sock").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
}

TEST_F(LineSocket, ALeftSocketFileIsReplacedAndAnOwnOneRemoved) {
  stop();
  EXPECT_EQ(connect_line_socket(folder_).error().code(), ErrorCode::not_found);
  // As after kill -9: the file is there and nobody listens.
  {
    UniqueFd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(chdir(folder_.c_str()), 0);
    sockaddr address{AF_UNIX, "sock"};
    ASSERT_EQ(bind(dead.get(), &address, sizeof address), 0);
    ASSERT_EQ(chdir("/"), 0);
  }
  EXPECT_EQ(connect_line_socket(folder_).error().code(), ErrorCode::unavailable);
  serve();
  EXPECT_EQ(read_line(connect_line_socket(folder_)->get()), "hello");
}

TEST(LineBuffer, CutsLines) {
  LineBuffer buffer;
  EXPECT_THAT(buffer.add("a").value(), IsEmpty());
  EXPECT_THAT(buffer.add("b\nc\n\nd").value(), ElementsAre("ab", "c", ""));
  EXPECT_THAT(buffer.add("\n").value(), ElementsAre("d"));
  EXPECT_FALSE(buffer.add(std::string((1 << 20) + 1, 'x')).ok());
}

}  // namespace
}  // namespace pawl::supervise
