// A webhook as the network hands it over. First line of the input: event name, a space, the content type; the
// rest is the body. It is signed here, since an attacker without the secret gets no further than the
// comparison, and then taken apart as every forge would send it. The same bytes also go where an unsigned
// request and a git hook go.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "engine/forge/event.h"
#include "engine/forge/git_ref.h"
#include "engine/forge/post_receive.h"
#include "engine/forge/webhook.h"

using namespace pawl;
using namespace pawl::forge;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// What the rest of the engine may rely on, whatever was sent.
void check(const PushEvent& push) {
  require(valid_ref_name(push.ref) && valid_branch_name(push.name));
  require(is_object_id(push.before) && is_object_id(push.after) && push.before != push.after);
  require(push.created == is_zero_id(push.before) && push.deleted == is_zero_id(push.after));
  require(push.repository.find('/') != std::string::npos && push.commit_message.size() <= 4096);
}

void check(const PullRequestEvent& pull) {
  require(pull.number > 0 && is_object_id(pull.head_sha) && valid_branch_name(pull.base_ref));
  require(pull.is_fork || pull.head_repository == pull.repository);
}

void deliver(Forge forge, std::string event, std::string type, const std::string& body) {
  const std::vector<std::string> secrets = {"secret"};
  WebhookHeaderNames names = header_names(forge);
  WebhookRequest request;
  request.headers.add(std::string(names.event), std::move(event));
  request.headers.add(std::string(names.delivery), "1");
  request.headers.add(std::string(names.signature), signature_value(forge, secrets[0], body));
  request.headers.add("Content-Type", std::move(type));
  request.body = body;
  auto delivery = accept_webhook(std::move(request), secrets);
  if (!delivery.ok()) return;
  auto parsed = parse_event(*delivery);
  if (!parsed.ok()) return;
  if (const auto* push = std::get_if<PushEvent>(&*parsed)) check(*push);
  if (const auto* pull = std::get_if<PullRequestEvent>(&*parsed)) check(*pull);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  size_t line = std::min(text.find('\n'), text.size());
  std::string head = text.substr(0, line);
  std::string body = text.substr(std::min(line + 1, text.size()));
  size_t space = std::min(head.find(' '), head.size());
  std::string type = head.substr(std::min(space + 1, head.size()));
  for (Forge forge : {Forge::github, Forge::gitea, Forge::pawl})
    deliver(forge, head.substr(0, space), type, body);

  const std::vector<std::string> secrets = {"secret"};
  WebhookRequest unsigned_request{{{"X-GitHub-Event", "push"}, {"X-Hub-Signature-256", head}}, body};
  require(!accept_webhook(std::move(unsigned_request), secrets).ok());

  if (auto updates = parse_ref_updates(text); updates.ok()) {
    for (const SignedDelivery& delivery : push_deliveries(*updates, {"a/b", "", ""}, "id", secrets[0])) {
      require(accept_webhook({delivery.headers, delivery.body}, secrets).ok());
    }
  }
  return 0;
}
