// The inbox of deliveries and the outbox of statuses.
#include "engine/store/inbox.h"
#include "engine/store/outbox.h"
#include "record_fixture.h"

namespace pawl::store {
namespace {

using InboxTest = RecordTest;
using OutboxTest = RecordTest;

Delivery delivery(const std::string& id, const std::string& project = "model") {
  Delivery out;
  out.project = project;
  out.delivery_id = id;
  out.forge = "github";
  out.event = "push";
  out.body = std::string("{\"a\": \"\0\xff\"}", 12);
  out.received_ms = 5;
  return out;
}

TEST_F(InboxTest, ADeliveryIsStoredOnceAndByteForByte) {
  EXPECT_TRUE(*insert_delivery(db(), delivery("a")));
  EXPECT_FALSE(*insert_delivery(db(), delivery("a")));
  EXPECT_TRUE(*insert_delivery(db(), delivery("a", "other")));  // ids are the forge's, per project
  auto pending = pending_deliveries(db(), "model", 10);
  ASSERT_EQ(pending->size(), 1u);
  EXPECT_EQ(pending->front().body, delivery("a").body);
}

TEST_F(InboxTest, ARedeliveryOfWhatIsSettledStartsNothing) {
  ASSERT_TRUE(*insert_delivery(db(), delivery("a")));
  ASSERT_TRUE(settle_delivery(db(), 1, "done", "started run 1").ok());
  EXPECT_FALSE(*insert_delivery(db(), delivery("a")));
  EXPECT_TRUE(pending_deliveries(db(), "model", 10)->empty());
}

TEST_F(InboxTest, PendingOnesComeOldestFirstUntilTheyAreSettled) {
  for (const char* id : {"c", "a", "b"}) ASSERT_TRUE(*insert_delivery(db(), delivery(id)));
  ASSERT_TRUE(count_delivery_try(db(), 1, "the repository does not answer").ok());
  auto pending = pending_deliveries(db(), "model", 2);
  ASSERT_EQ(pending->size(), 2u);
  EXPECT_EQ((*pending)[0].delivery_id, "c");
  EXPECT_EQ((*pending)[0].tries, 1);
  EXPECT_EQ((*pending)[0].note, "the repository does not answer");
  EXPECT_EQ((*pending)[1].delivery_id, "a");
  ASSERT_TRUE(settle_delivery(db(), 1, "failed", "gone").ok());
  EXPECT_EQ(pending_deliveries(db(), "model", 1)->front().delivery_id, "a");
  EXPECT_FALSE(settle_delivery(db(), 2, "lost", "").ok());
  auto all = list_deliveries(db(), "", 10);
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ(all->back().state, "failed");
  EXPECT_EQ(all->back().body, "");  // bodies are not for lists
}

OutboxRow status(const std::string& state, const std::string& sha = "abc") {
  OutboxRow out;
  out.project = "model";
  out.commit_sha = sha;
  out.context = "pawl";
  out.run_id = "run";
  out.state = state;
  return out;
}

TEST_F(OutboxTest, ANewerStateReplacesOneThatHasNotLeft) {
  ASSERT_TRUE(queue_status(db(), status("pending"), 10).ok());
  ASSERT_TRUE(queue_status(db(), status("success"), 20).ok());
  auto due = due_statuses(db(), 20, 10);
  ASSERT_EQ(due->size(), 1u);
  EXPECT_EQ(due->front().state, "success");
  EXPECT_EQ(due->front().version, 2);
}

TEST_F(OutboxTest, WhatCameWhileAnOlderVersionWasSentStaysQueued) {
  ASSERT_TRUE(queue_status(db(), status("pending"), 10).ok());
  OutboxRow sending = due_statuses(db(), 10, 1)->front();
  ASSERT_TRUE(queue_status(db(), status("failure"), 11).ok());
  ASSERT_TRUE(mark_sent(db(), sending.id, sending.version).ok());
  auto due = due_statuses(db(), 11, 10);
  ASSERT_EQ(due->size(), 1u);
  EXPECT_EQ(due->front().state, "failure");
  ASSERT_TRUE(mark_sent(db(), due->front().id, due->front().version).ok());
  EXPECT_TRUE(due_statuses(db(), 1'000'000, 10)->empty());
  EXPECT_FALSE(*next_status_due(db()));
  // A late answer for the older version does not queue the newer one again.
  ASSERT_TRUE(mark_sent(db(), sending.id, sending.version).ok());
  EXPECT_FALSE(*next_status_due(db()));
}

TEST_F(OutboxTest, AFailureWaitsAndCounts) {
  ASSERT_TRUE(queue_status(db(), status("pending"), 10).ok());
  ASSERT_TRUE(mark_failed(db(), 1, 1, 500, "503").ok());
  EXPECT_TRUE(due_statuses(db(), 499, 10)->empty());
  EXPECT_EQ(*next_status_due(db()), 500);
  auto due = due_statuses(db(), 500, 10);
  ASSERT_EQ(due->size(), 1u);
  EXPECT_EQ(due->front().tries, 1);
  EXPECT_EQ(due->front().last_error, "503");
  // A newer state starts afresh.
  ASSERT_TRUE(queue_status(db(), status("success"), 20).ok());
  EXPECT_EQ(due_statuses(db(), 20, 10)->front().tries, 0);
}

TEST_F(OutboxTest, ARejectedVersionIsGivenUpANewerOneIsNot) {
  ASSERT_TRUE(queue_status(db(), status("pending"), 10).ok());
  ASSERT_TRUE(mark_rejected(db(), 1, 1, "403").ok());
  EXPECT_FALSE(*next_status_due(db()));
  ASSERT_TRUE(queue_status(db(), status("success"), 20).ok());
  EXPECT_EQ(due_statuses(db(), 20, 10)->size(), 1u);
}

TEST_F(OutboxTest, CommitsAreIndependentAndTheLongestDueComesFirst) {
  ASSERT_TRUE(queue_status(db(), status("pending", "b"), 30).ok());
  ASSERT_TRUE(queue_status(db(), status("pending", "a"), 10).ok());
  auto due = due_statuses(db(), 30, 10);
  ASSERT_EQ(due->size(), 2u);
  EXPECT_EQ((*due)[0].commit_sha, "a");
  EXPECT_EQ(*next_status_due(db()), 10);
  EXPECT_FALSE(queue_status(db(), status("purple"), 10).ok());
}

}  // namespace
}  // namespace pawl::store
