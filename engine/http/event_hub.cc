#include "engine/http/event_hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "engine/base/text.h"

namespace pawl::http {
namespace {

constexpr size_t kMaxTopics = 64;
constexpr size_t kMaxTopicBytes = 128;

struct Event {
  uint64_t serial;
  std::string topic;
  std::string text;  // as it goes over the wire
};
using EventPtr = std::shared_ptr<const Event>;

bool is_topic(std::string_view text) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/-";
  return !text.empty() && text.size() <= kMaxTopicBytes && text.find_first_not_of(kAllowed) == text.npos;
}

// One event of the wire format: line breaks in the data would end it early, so every line gets its own
// "data:".
std::string wire_text(const std::string& id, std::string_view type, std::string_view data) {
  std::string out = fmt::format("id: {}\nevent: {}\n", id, type);
  for (std::string_view line : split(data, '\n')) {
    out += "data: ";
    std::copy_if(line.begin(), line.end(), std::back_inserter(out), [](char c) { return c != '\r'; });
    out += '\n';
  }
  return out += '\n';
}

}  // namespace

struct EventSubscription::Queue {
  std::set<std::string, std::less<>> topics;
  std::string preamble;  // sent before anything else
  std::deque<EventPtr> events;
  size_t bytes = 0;
  std::optional<uint64_t> lost_until;  // a resync is due: everything up to this serial may be missing
  std::function<void()> wake;
  bool told = false;  // wake was called and nothing taken since

  void drop_all(uint64_t last_serial) {
    events.clear();
    bytes = 0;
    lost_until = last_serial;
  }

  void push(const EventPtr& event, const EventHubOptions& options) {
    if (events.size() == options.queue_events || bytes + event->text.size() > options.queue_bytes) {
      drop_all(event->serial);
    } else {
      events.push_back(event);
      bytes += event->text.size();
    }
    if (wake && !told) {
      told = true;
      wake();
    }
  }
};

struct EventSubscription::Shared {
  std::mutex mutex;  // guards everything below, and every queue
  std::string epoch;
  EventHubOptions options;
  uint64_t last_serial = 0;
  std::deque<EventPtr> history;
  size_t history_bytes = 0;
  std::map<std::string, std::set<Queue*>, std::less<>> by_topic;

  std::string id(uint64_t serial) const { return fmt::format("{}-{}", epoch, serial); }

  void remember(EventPtr event) {
    history_bytes += event->text.size();
    history.push_back(std::move(event));
    while (history.size() > options.history_events || history_bytes > options.history_bytes) {
      history_bytes -= history.front()->text.size();
      history.pop_front();
    }
  }

  // The serial in a Last-Event-ID of this epoch.
  std::optional<uint64_t> parse_id(std::string_view text) const {
    if (text.size() <= epoch.size() || !text.starts_with(epoch) || text[epoch.size()] != '-')
      return std::nullopt;
    Result<int64_t> serial = parse_int(text.substr(epoch.size() + 1));
    if (!serial.ok() || *serial < 0 || static_cast<uint64_t>(*serial) > last_serial) return std::nullopt;
    return static_cast<uint64_t>(*serial);
  }

  // Puts what happened after `last_event_id` into a new queue.
  void catch_up(Queue& queue, std::string_view last_event_id) {
    std::optional<uint64_t> seen = parse_id(last_event_id);
    uint64_t oldest = history.empty() ? last_serial + 1 : history.front()->serial;
    if (!seen || *seen + 1 < oldest) {
      queue.drop_all(last_serial);
      return;
    }
    for (const EventPtr& event : history) {
      if (event->serial > *seen && queue.topics.contains(event->topic)) queue.push(event, options);
    }
  }
};

EventSubscription::EventSubscription(std::shared_ptr<Shared> shared, std::shared_ptr<Queue> queue)
    : shared_(std::move(shared)), queue_(std::move(queue)) {}

EventSubscription::~EventSubscription() {
  std::lock_guard lock(shared_->mutex);
  for (const std::string& topic : queue_->topics) {
    auto it = shared_->by_topic.find(topic);
    it->second.erase(queue_.get());
    if (it->second.empty()) shared_->by_topic.erase(it);
  }
}

void EventSubscription::on_ready(std::function<void()> wake) {
  std::lock_guard lock(shared_->mutex);
  queue_->wake = std::move(wake);
}

std::string EventSubscription::take(size_t max_bytes) {
  std::lock_guard lock(shared_->mutex);
  std::string out = std::exchange(queue_->preamble, {});
  if (queue_->lost_until) out += wire_text(shared_->id(*queue_->lost_until), "resync", "{}");
  queue_->lost_until.reset();
  while (!queue_->events.empty() && out.size() < max_bytes) {
    out += queue_->events.front()->text;
    queue_->bytes -= queue_->events.front()->text.size();
    queue_->events.pop_front();
  }
  queue_->told = !out.empty();  // whoever got something comes back until there is nothing
  return out;
}

EventHub::EventHub(std::string epoch, EventHubOptions options)
    : shared_(std::make_shared<EventSubscription::Shared>()) {
  PAWL_CHECK(is_topic(epoch));
  shared_->epoch = std::move(epoch);
  shared_->options = options;
}

void EventHub::publish(std::string_view topic, std::string_view json) {
  PAWL_CHECK(is_topic(topic));
  std::lock_guard lock(shared_->mutex);
  uint64_t serial = ++shared_->last_serial;
  auto event = std::make_shared<const Event>(
      Event{serial, std::string(topic), wire_text(shared_->id(serial), topic, json)});
  shared_->remember(event);
  auto watchers = shared_->by_topic.find(topic);
  if (watchers == shared_->by_topic.end()) return;
  for (EventSubscription::Queue* queue : watchers->second) queue->push(event, shared_->options);
}

Result<std::shared_ptr<EventSubscription>> EventHub::subscribe(const std::vector<std::string>& topics,
                                                               std::string_view last_event_id) {
  if (topics.empty() || topics.size() > kMaxTopics || !std::all_of(topics.begin(), topics.end(), is_topic)) {
    return Error(ErrorCode::invalid,
                 fmt::format("1 to {} topics are expected, such as runs or run:ID", kMaxTopics));
  }
  auto queue = std::make_shared<EventSubscription::Queue>();
  queue->topics.insert(topics.begin(), topics.end());
  queue->told = true;  // the first take() comes unasked

  std::lock_guard lock(shared_->mutex);
  // Sets the client's Last-Event-ID without being an event, so that it can come back before the first one.
  queue->preamble = "retry: 2000\n";
  if (last_event_id.empty()) {
    queue->preamble += fmt::format("id: {}\n", shared_->id(shared_->last_serial));
  } else {
    shared_->catch_up(*queue, last_event_id);
  }
  queue->preamble += "\n";
  for (const std::string& topic : queue->topics) shared_->by_topic[topic].insert(queue.get());
  return std::shared_ptr<EventSubscription>(new EventSubscription(shared_, std::move(queue)));
}

Response event_response(EventHub& hub, const Request& request) {
  std::vector<std::string> topics;
  if (const std::string* list = request.query_value("topics"); list != nullptr && !list->empty()) {
    for (std::string_view topic : split(*list, ',')) topics.emplace_back(topic);
  }
  const std::string* last = request.headers.find("Last-Event-ID");
  auto subscription = hub.subscribe(topics, last == nullptr ? std::string_view() : std::string_view(*last));
  if (!subscription.ok()) return error_response(subscription.error());
  Response response;
  response.content_type = "text/event-stream";
  response.headers.add("X-Accel-Buffering", "no");  // nginx would hold the events back
  response.body = std::move(*subscription);
  return response;
}

}  // namespace pawl::http
