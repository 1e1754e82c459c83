#include "engine/forge/post_receive.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/forge/git_ref.h"
#include "engine/forge/webhook.h"

namespace pawl::forge {
namespace {

Json push_payload(const RefUpdate& update, const PushOrigin& origin) {
  Json head = nullptr;
  if (!is_zero_id(update.after)) head = {{"id", update.after}, {"message", update.message}};
  return {{"ref", update.ref},
          {"before", update.before},
          {"after", update.after},
          {"head_commit", head},
          {"repository", {{"full_name", origin.repository}, {"clone_url", origin.clone_url}}},
          {"pusher", {{"login", origin.pusher}}},
          {"sender", {{"login", origin.pusher}}}};
}

}  // namespace

Result<std::vector<RefUpdate>> parse_ref_updates(std::string_view input) {
  std::vector<RefUpdate> updates;
  int number = 0;
  for (std::string_view line : split(input, '\n')) {
    ++number;
    if (line.empty()) continue;
    std::vector<std::string_view> words = split(line, ' ');
    if (words.size() != 3 || !is_object_id(words[0]) || !is_object_id(words[1]) ||
        !valid_ref_name(words[2])) {
      return Error(ErrorCode::invalid, "is not '<old id> <new id> <reference>'",
                   fmt::format("post-receive input, line {}", number));
    }
    updates.push_back({std::string(words[0]), std::string(words[1]), std::string(words[2]), {}});
  }
  return updates;
}

std::vector<SignedDelivery> push_deliveries(const std::vector<RefUpdate>& updates, const PushOrigin& origin,
                                            std::string_view push_id, std::string_view secret) {
  const WebhookHeaderNames names = header_names(Forge::pawl);
  std::vector<SignedDelivery> deliveries;
  for (const RefUpdate& update : updates) {
    SignedDelivery delivery;
    delivery.id = fmt::format("{}-{}", push_id, deliveries.size());
    delivery.body = dump_json(push_payload(update, origin));
    delivery.headers.add("Content-Type", "application/json");
    delivery.headers.add(std::string(names.event), "push");
    delivery.headers.add(std::string(names.delivery), delivery.id);
    delivery.headers.add(std::string(names.signature), signature_value(Forge::pawl, secret, delivery.body));
    deliveries.push_back(std::move(delivery));
  }
  return deliveries;
}

}  // namespace pawl::forge
