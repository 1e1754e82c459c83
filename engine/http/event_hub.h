// Server-sent events: what happens in the engine, to whoever watches.
//
// A browser has six connections per host, so a client opens one stream with all its topics. Every event has a
// serial number; a client that was away sends the last one it saw (Last-Event-ID) and gets what it missed, as
// long as that is still remembered. When it is not, or the client reads too slowly for its queue, it gets one
// event "resync" instead: fetch the state anew. So nothing is ever missed without being told, and memory is
// bounded.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/http/http.h"

namespace pawl::http {

struct EventHubOptions {
  size_t queue_events = 256;        // per client
  size_t queue_bytes = 256u << 10;  // per client
  size_t history_events = 4096;     // kept for clients that come back
  size_t history_bytes = 4u << 20;
};

// One client's view. The connection that writes it owns it; its end is the end of the subscription.
class EventSubscription {
 public:
  ~EventSubscription();
  EventSubscription(const EventSubscription&) = delete;
  EventSubscription& operator=(const EventSubscription&) = delete;

  // `wake` is called, from any thread and with a lock held, when there is something to take after take() gave
  // nothing; it must only pass the word on.
  void on_ready(std::function<void()> wake);

  // The next bytes of the stream, whole events, about `max_bytes`; empty when there is nothing now.
  std::string take(size_t max_bytes);

 private:
  friend class EventHub;
  struct Shared;
  struct Queue;
  EventSubscription(std::shared_ptr<Shared> shared, std::shared_ptr<Queue> queue);
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<Queue> queue_;
};

class EventHub {
 public:
  // `epoch` tells this life of the daemon from others (a ULID), so that serials of an earlier one are not
  // mistaken for ours.
  explicit EventHub(std::string epoch, EventHubOptions options = {});

  // An event of type `topic` with `json` as its data, to all who subscribed to exactly this topic. Any
  // thread.
  void publish(std::string_view topic, std::string_view json);

  // Error `invalid` for no topic, more than 64, or one that has other characters than letters, digits and
  // _.:/- (at most 128). `last_event_id` may be empty: from now on. Any thread.
  Result<std::shared_ptr<EventSubscription>> subscribe(const std::vector<std::string>& topics,
                                                       std::string_view last_event_id);

 private:
  std::shared_ptr<EventSubscription::Shared> shared_;
};

// The answer to GET ...?topics=runs,run:01J...: the stream, or what is wrong with the question.
Response event_response(EventHub& hub, const Request& request);

}  // namespace pawl::http
