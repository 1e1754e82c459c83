#include "engine/http/event_hub.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/base/text.h"

namespace pawl::http {
namespace {

constexpr size_t kAll = SIZE_MAX;

std::shared_ptr<EventSubscription> subscribe(EventHub& hub, std::vector<std::string> topics,
                                             std::string_view last = "") {
  auto subscription = hub.subscribe(topics, last);
  EXPECT_TRUE(subscription.ok()) << subscription.error().to_string();
  return *subscription;
}

size_t count(std::string_view text, std::string_view what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
  return n;
}

TEST(EventHubTest, EventsInOrderForTheirTopicsOnly) {
  EventHub hub("E");
  auto runs = subscribe(hub, {"runs", "run:1"});
  auto other = subscribe(hub, {"run:2"});
  EXPECT_EQ(runs->take(kAll), "retry: 2000\nid: E-0\n\n");
  hub.publish("runs", R"({"a":1})");
  hub.publish("run:1", "{}");
  hub.publish("run:3", "{}");
  EXPECT_EQ(runs->take(kAll), "id: E-1\nevent: runs\ndata: {\"a\":1}\n\nid: E-2\nevent: run:1\ndata: {}\n\n");
  EXPECT_EQ(runs->take(kAll), "");
  EXPECT_EQ(other->take(kAll), "retry: 2000\nid: E-0\n\n");
}

TEST(EventHubTest, LineBreaksInDataCannotEndAnEvent) {
  EventHub hub("E");
  auto client = subscribe(hub, {"t"});
  client->take(kAll);
  hub.publish("t", "{\n\"a\":\r\n\n1}");
  EXPECT_EQ(client->take(kAll), "id: E-1\nevent: t\ndata: {\ndata: \"a\":\ndata: \ndata: 1}\n\n");
}

TEST(EventHubTest, WholeEventsUpToTheLimit) {
  EventHub hub("E");
  auto client = subscribe(hub, {"t"});
  client->take(kAll);
  hub.publish("t", "1");
  hub.publish("t", "2");
  EXPECT_EQ(client->take(1), "id: E-1\nevent: t\ndata: 1\n\n");
  EXPECT_EQ(client->take(1), "id: E-2\nevent: t\ndata: 2\n\n");
}

TEST(EventHubTest, WakesOnceUntilEverythingIsTaken) {
  EventHub hub("E");
  auto client = subscribe(hub, {"t"});
  int woken = 0;
  client->on_ready([&woken] { ++woken; });
  hub.publish("t", "0");
  EXPECT_EQ(woken, 0);  // the first take comes unasked
  EXPECT_NE(client->take(kAll), "");
  EXPECT_EQ(client->take(kAll), "");
  hub.publish("t", "1");
  hub.publish("t", "2");
  EXPECT_EQ(woken, 1);
  EXPECT_NE(client->take(1), "");
  hub.publish("t", "3");
  EXPECT_EQ(woken, 1);
  while (!client->take(kAll).empty()) continue;
  hub.publish("t", "4");
  EXPECT_EQ(woken, 2);
}

TEST(EventHubTest, ASlowClientIsToldToStartOver) {
  EventHubOptions options;
  options.queue_events = 3;
  EventHub hub("E", options);
  auto slow = subscribe(hub, {"t"});
  auto quick = subscribe(hub, {"t"});
  slow->take(kAll);
  quick->take(kAll);
  std::string seen;
  for (int i = 1; i <= 5; ++i) {
    hub.publish("t", std::to_string(i));
    seen += quick->take(kAll);
  }
  EXPECT_EQ(count(seen, "event: t\n"), 5u);
  EXPECT_EQ(count(seen, "resync"), 0u);
  // Events 1 to 4 are gone; 5 came after.
  EXPECT_EQ(slow->take(kAll), "id: E-4\nevent: resync\ndata: {}\n\nid: E-5\nevent: t\ndata: 5\n\n");
}

TEST(EventHubTest, TheQueueIsBoundedInBytesToo) {
  EventHubOptions options;
  options.queue_bytes = 1000;
  EventHub hub("E", options);
  auto client = subscribe(hub, {"t"});
  client->take(kAll);
  hub.publish("t", std::string(2000, 'x'));
  EXPECT_EQ(client->take(kAll), "id: E-1\nevent: resync\ndata: {}\n\n");
}

TEST(EventHubTest, AClientThatComesBackGetsWhatItMissed) {
  EventHub hub("E");
  for (int i = 1; i <= 4; ++i) hub.publish(i == 3 ? "other" : "t", std::to_string(i));
  auto client = subscribe(hub, {"t"}, "E-1");
  EXPECT_EQ(client->take(kAll),
            "retry: 2000\n\nid: E-2\nevent: t\ndata: 2\n\nid: E-4\nevent: t\ndata: 4\n\n");
  EXPECT_EQ(subscribe(hub, {"t"}, "E-4")->take(kAll), "retry: 2000\n\n");
}

TEST(EventHubTest, WhatIsForgottenOrUnknownIsAResync) {
  EventHubOptions options;
  options.history_events = 2;
  EventHub hub("E", options);
  for (int i = 1; i <= 5; ++i) hub.publish("t", std::to_string(i));
  const std::string resync = "retry: 2000\n\nid: E-5\nevent: resync\ndata: {}\n\n";
  for (const char* last : {"E-2", "F-5", "E-6", "E-", "E", "5", "E--1", "E-x", "EE-5"}) {
    EXPECT_EQ(subscribe(hub, {"t"}, last)->take(kAll), resync) << last;
  }
  EXPECT_EQ(count(subscribe(hub, {"t"}, "E-3")->take(kAll), "event: t\n"), 2u);
}

TEST(EventHubTest, TopicsAreChecked) {
  EventHub hub("E");
  EXPECT_FALSE(hub.subscribe({}, "").ok());
  EXPECT_FALSE(hub.subscribe({""}, "").ok());
  EXPECT_FALSE(hub.subscribe({"a\nb"}, "").ok());
  EXPECT_FALSE(hub.subscribe({std::string(129, 'a')}, "").ok());
  EXPECT_FALSE(hub.subscribe(std::vector<std::string>(65, "a"), "").ok());
}

TEST(EventHubTest, EndedSubscriptionsGetNothing) {
  EventHub hub("E");
  bool woken = false;
  {
    auto client = subscribe(hub, {"t", "t", "u"});
    while (!client->take(kAll).empty()) continue;
    client->on_ready([&woken] { woken = true; });
  }
  hub.publish("t", "1");
  EXPECT_FALSE(woken);
}

TEST(EventHubTest, ASubscriptionMayOutliveTheHub) {
  std::shared_ptr<EventSubscription> client;
  {
    EventHub hub("E");
    client = subscribe(hub, {"t"});
    hub.publish("t", "1");
  }
  EXPECT_EQ(count(client->take(kAll), "event: t\n"), 1u);
}

TEST(EventHubTest, ManyPublishersLoseNothing) {
  EventHub hub("E");
  auto client = subscribe(hub, {"t"});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&hub] {
      for (int i = 0; i < 60; ++i) hub.publish("t", "1");
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::string text = client->take(kAll);
  EXPECT_EQ(count(text, "event: t\n"), 240u);
  EXPECT_EQ(count(text, "resync"), 0u);
  size_t at = 0;
  for (int i = 1; i <= 240; ++i) {
    size_t next = text.find("id: E-" + std::to_string(i) + "\n", at);
    ASSERT_NE(next, text.npos) << i;
    at = next;
  }
}

}  // namespace
}  // namespace pawl::http
