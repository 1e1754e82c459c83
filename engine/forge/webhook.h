// A webhook request, from raw bytes to a delivery that is known to come from the forge: who sent it, verified
// over the bytes as they came, before anything in them is looked at. What it says is read later (event.h).
//
// Signatures: HMAC-SHA256 of the raw body, lower-case hex. GitHub: `X-Hub-Signature-256: sha256=<hex>`; Gitea
// and Forgejo: `X-Gitea-Signature: <hex>`; Pawl's own hook: `X-Pawl-Signature: <hex>`. Each forge's own
// header counts and no other, so a request cannot choose a weaker one. Upper-case digits are refused: no
// forge sends them, and one spelling per signature keeps the comparison one of bytes.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/http_headers.h"

namespace pawl::forge {

enum class Forge {
  github,
  gitea,  // Forgejo too: the same payloads and headers
  pawl,   // the product's own post-receive hook: payloads in the shape of Gitea's
};

std::string_view to_string(Forge forge);
Result<Forge> parse_forge(std::string_view name);

inline constexpr size_t kMaxWebhookBytes = 25u << 20;  // GitHub's own limit

struct WebhookRequest {
  HttpHeaders headers;
  std::string body;  // raw
};

// A delivery whose signature was right.
struct Delivery {
  Forge forge = Forge::github;
  std::string id;       // unique per delivery of this forge; a redelivery has the same
  std::string event;    // "push", "pull_request", "ping", ...
  std::string payload;  // JSON text as sent (the `payload` field of a form)
};

// Verifies a request against every secret of the project (several are valid while one is being rotated) and
// takes it apart. Errors: `denied` when the signature is missing, malformed or wrong, or when no secret is
// configured (an unsigned hook would let anybody start runs); `invalid` when a header is missing or doubled
// or the body is too large. Pure; any thread.
Result<Delivery> accept_webhook(WebhookRequest request, std::span<const std::string> secrets);

// What `accept_webhook` expects in the signature header of this forge.
std::string signature_value(Forge forge, std::string_view secret, std::string_view body);

// "X-Pawl-Event", "X-Pawl-Delivery", "X-Pawl-Signature" and the same of the other forges.
struct WebhookHeaderNames {
  std::string_view event;
  std::string_view delivery;
  std::string_view signature;
};
WebhookHeaderNames header_names(Forge forge);

}  // namespace pawl::forge
