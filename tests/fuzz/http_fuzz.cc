// Our own parsing of what Beast hands on: the lines of the input are the request target, Host, Origin,
// Authorization, Range and Last-Event-ID, then topics separated by commas.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/base/text.h"
#include "engine/http/access.h"
#include "engine/http/byte_range.h"
#include "engine/http/event_hub.h"
#include "engine/http/router.h"
#include "engine/http/target.h"

using namespace pawl;
using namespace pawl::http;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_target(std::string_view raw) {
  static const Router kRouter = [] {
    Router router;
    auto nothing = [](const Request&, const Responder&) {};
    router.add("GET", "/api/v1/runs/{id}", nothing);
    router.add("POST", "/api/v1/runs/{id}/artifacts/{path...}", nothing);
    return router;
  }();
  auto target = parse_target(raw);
  if (!target) return;
  require(target->path == "/" + join(target->segments, "/"));
  for (const std::string& segment : target->segments) {
    require(segment != "." && segment != ".." && segment.find('/') == segment.npos &&
            segment.find('\0') == segment.npos);
  }
  for (std::string_view method : {"GET", "POST", "PUT"}) {
    for (const auto& [name, value] : kRouter.match(method, target->segments).params) require(!value.empty());
  }
}

void check_access(std::string_view host, std::string_view origin, std::string_view authorization) {
  const AccessPolicy policy{{"token"}, {"ci.example.com"}};
  HttpHeaders headers{{"Host", std::string(host)}, {"Authorization", std::string(authorization)}};
  if (!origin.empty()) headers.add("Origin", std::string(origin));
  if (check_host(policy, headers).ok()) {
    std::string lower = to_lower(host);
    auto begins = [&lower](std::string_view name) {
      return lower == name || lower.starts_with(std::string(name) + ":");
    };
    require(begins("localhost") || begins("127.0.0.1") || begins("[::1]") || begins("ci.example.com"));
  }
  if (check_token(policy, headers).ok()) require(authorization.find("token") != authorization.npos);
}

void check_range(std::string_view header) {
  for (uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{1000}, UINT64_MAX}) {
    ByteRange range = parse_range(header, size);
    if (range.kind != ByteRange::Kind::part) continue;
    require(range.length > 0 && range.first < size && range.length <= size - range.first);
  }
}

void check_events(std::string_view last_event_id, std::string_view list) {
  EventHub hub("E");
  hub.publish("a", "1");
  std::vector<std::string> topics;
  for (std::string_view topic : split(list, ',')) topics.emplace_back(topic);
  auto subscription = hub.subscribe(topics, last_event_id);
  if (!subscription.ok()) return;
  hub.publish("a", list);
  std::string text = (*subscription)->take(SIZE_MAX);
  require(text.ends_with("\n\n") && text.find('\r') == text.npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string_view> lines = split(text, '\n');
  lines.resize(std::max<size_t>(lines.size(), 7));
  check_target(lines[0]);
  check_access(lines[1], lines[2], lines[3]);
  check_range(lines[4]);
  check_events(lines[5], lines[6]);
  return 0;
}
