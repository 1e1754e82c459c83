#include "engine/base/loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace pawl {
namespace {

using ::testing::ElementsAre;

struct Pipe {
  UniqueFd out, in;
  Pipe() {
    int fds[2];
    PAWL_CHECK(pipe(fds) == 0);
    out.reset(fds[0]);
    in.reset(fds[1]);
  }
  std::string take() {
    char buffer[64];
    ssize_t n = read(out.get(), buffer, sizeof buffer);
    return std::string(buffer, static_cast<size_t>(std::max<ssize_t>(n, 0)));
  }
};

TEST(Loop, WorkIsDoneInOrderOfPosting) {
  EventLoop loop;
  std::vector<int> seen;
  for (int i = 0; i < 3; ++i) loop.post([&, i] { seen.push_back(i); });
  loop.stop();
  loop.post([&] { seen.push_back(99); });  // posted after stop
  loop.run();
  seen.resize(3);
  EXPECT_THAT(seen, ElementsAre(0, 1, 2));
}

TEST(Loop, PostingFromOtherThreadsWakesItAndKeepsEachThreadsOrder) {
  EventLoop loop;
  constexpr int kThreads = 4, kEach = 500;
  std::vector<std::vector<int>> seen(kThreads);
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        loop.post([&, t, i] {
          seen[static_cast<size_t>(t)].push_back(i);
          if (++count == kThreads * kEach) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (std::thread& thread : threads) thread.join();
  for (const auto& one : seen) {
    ASSERT_EQ(one.size(), static_cast<size_t>(kEach));
    EXPECT_TRUE(std::is_sorted(one.begin(), one.end()));
  }
}

TEST(Loop, TimersFireInOrderOfTheirTime) {
  EventLoop loop;
  std::vector<int> seen;
  loop.call_after(30, [&] {
    seen.push_back(3);
    loop.stop();
  });
  loop.call_after(1, [&] { seen.push_back(1); });
  loop.call_after(10, [&] { seen.push_back(2); });
  loop.run();
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
}

TEST(Loop, APeriodRepeatsUntilRemovedAlsoFromInside) {
  EventLoop loop;
  int ticks = 0;
  EventLoop::Id id = 0;
  id = loop.call_every(1, [&] {
    if (++ticks < 3) return;
    loop.remove(id);
    loop.call_after(10, [&] { loop.stop(); });
  });
  loop.run();
  EXPECT_EQ(ticks, 3);
}

TEST(Loop, ARemovedTimerStaysSilentEvenWhenItWasDue) {
  EventLoop loop;
  bool fired = false;
  EventLoop::Id second = 0;
  loop.call_after(0, [&] { loop.remove(second); });
  second = loop.call_after(0, [&] { fired = true; });
  loop.call_after(5, [&] { loop.stop(); });
  loop.run();
  EXPECT_FALSE(fired);
  loop.remove(second);  // gone already
  loop.remove(0);
}

TEST(Loop, ReadableAndAtItsEnd) {
  EventLoop loop;
  Pipe pipe;
  std::vector<std::string> seen;
  EventLoop::Id id = loop.watch_readable(pipe.out.get(), [&] {
    seen.push_back(pipe.take());
    if (!seen.back().empty()) return pipe.in.reset();
    loop.remove(id);
    loop.stop();
  });
  ASSERT_TRUE(write_all(pipe.in.get(), "hello").ok());
  loop.run();
  EXPECT_THAT(seen, ElementsAre("hello", ""));
}

TEST(Loop, TwoWatchesOfOneDescriptor) {
  EventLoop loop;
  Pipe pipe;
  int first = 0, second = 0;
  auto seen = [&](int& count) {
    ++count;
    if (first > 0 && second > 0) loop.stop();
  };
  loop.watch_readable(pipe.out.get(), [&] { seen(first); });
  loop.watch_readable(pipe.out.get(), [&] { seen(second); });
  ASSERT_TRUE(write_all(pipe.in.get(), "x").ok());
  loop.run();
  EXPECT_GT(first, 0);
  EXPECT_GT(second, 0);
}

TEST(Loop, AWatchRemovedByAnotherInTheSameRoundStaysSilent) {
  EventLoop loop;
  Pipe a, b;
  EventLoop::Id ids[2];
  int fired = 0;
  for (int i = 0; i < 2; ++i) {
    ids[i] = loop.watch_readable((i == 0 ? a : b).out.get(), [&, i] {
      ++fired;
      loop.remove(ids[1 - i]);
      loop.remove(ids[i]);
      loop.call_after(1, [&] { loop.stop(); });
    });
  }
  ASSERT_TRUE(write_all(a.in.get(), "x").ok());
  ASSERT_TRUE(write_all(b.in.get(), "x").ok());
  loop.run();
  EXPECT_EQ(fired, 1);
}

TEST(Loop, WritableAtOnce) {
  EventLoop loop;
  Pipe pipe;
  bool fired = false;
  EventLoop::Id id = loop.watch_writable(pipe.in.get(), [&] {
    fired = true;
    loop.remove(id);
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(fired);
}

TEST(Loop, RunsAgainAfterAStop) {
  EventLoop loop;
  int runs = 0;
  for (int i = 0; i < 2; ++i) {
    loop.post([&] { ++runs; });
    loop.stop();
    loop.run();
  }
  EXPECT_EQ(runs, 2);
}

}  // namespace
}  // namespace pawl
