#include "engine/forge/webhook.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "engine/base/digest.h"
#include "engine/base/url.h"

namespace pawl::forge {
namespace {

constexpr WebhookHeaderNames kGithub{"X-GitHub-Event", "X-GitHub-Delivery", "X-Hub-Signature-256"};
constexpr WebhookHeaderNames kGitea{"X-Gitea-Event", "X-Gitea-Delivery", "X-Gitea-Signature"};
constexpr WebhookHeaderNames kForgejo{"X-Forgejo-Event", "X-Forgejo-Delivery", "X-Forgejo-Signature"};
constexpr WebhookHeaderNames kPawl{"X-Pawl-Event", "X-Pawl-Delivery", "X-Pawl-Signature"};

struct Dialect {
  Forge forge;
  WebhookHeaderNames names;
};

// In this order: Forgejo sends Gitea's headers too, and both send GitHub's.
constexpr Dialect kDialects[] = {
    {Forge::pawl, kPawl}, {Forge::gitea, kForgejo}, {Forge::gitea, kGitea}, {Forge::github, kGithub}};

const Dialect* find_dialect(const HttpHeaders& headers) {
  for (const Dialect& dialect : kDialects) {
    if (headers.find(dialect.names.event) != nullptr) return &dialect;
  }
  return nullptr;
}

// The one value of a header; two of them would let a proxy and us read different ones.
Result<std::string> single(const HttpHeaders& headers, std::string_view name, ErrorCode code) {
  size_t count = headers.count(name);
  if (count == 0) return Error(code, fmt::format("the header {} is missing", name), "webhook");
  if (count > 1) return Error(code, fmt::format("the header {} occurs {} times", name, count), "webhook");
  return *headers.find(name);
}

bool is_token(std::string_view text, size_t max_bytes) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";
  return !text.empty() && text.size() <= max_bytes &&
         text.find_first_not_of(kAllowed) == std::string_view::npos;
}

Result<void> verify(const Dialect& dialect, const WebhookRequest& request,
                    std::span<const std::string> secrets) {
  if (std::all_of(secrets.begin(), secrets.end(), [](const std::string& secret) { return secret.empty(); })) {
    return Error(ErrorCode::denied, "the project has no webhook secret", "webhook");
  }
  PAWL_ASSIGN(std::string given, single(request.headers, dialect.names.signature, ErrorCode::denied));
  bool right = false;
  for (const std::string& secret : secrets) {
    if (secret.empty()) continue;
    right |= constant_time_equal(given, signature_value(dialect.forge, secret, request.body));
  }
  if (right) return {};
  return Error(
      ErrorCode::denied,
      fmt::format("{} does not match: the secret differs from the project's, or the body was altered",
                  dialect.names.signature),
      "webhook");
}

bool is_form(const HttpHeaders& headers) {
  const std::string* type = headers.find("Content-Type");
  if (type == nullptr) return false;
  return iequals(trim(std::string_view(*type).substr(0, type->find(';'))),
                 "application/x-www-form-urlencoded");
}

Result<std::string> form_payload(std::string_view body) {
  auto fields = parse_form(body, 16);
  if (!fields) return Error(ErrorCode::invalid, "the form body cannot be decoded", "webhook");
  auto is_payload = [](const auto& field) { return field.first == "payload"; };
  if (std::count_if(fields->begin(), fields->end(), is_payload) != 1) {
    return Error(ErrorCode::invalid, "a form body must have exactly one field 'payload'", "webhook");
  }
  return std::move(std::find_if(fields->begin(), fields->end(), is_payload)->second);
}

}  // namespace

std::string_view to_string(Forge forge) {
  switch (forge) {
    case Forge::github:
      return "github";
    case Forge::gitea:
      return "gitea";
    case Forge::pawl:
      return "pawl";
  }
  return "github";
}

Result<Forge> parse_forge(std::string_view name) {
  for (Forge forge : {Forge::github, Forge::gitea, Forge::pawl}) {
    if (name == to_string(forge)) return forge;
  }
  return Error(ErrorCode::invalid,
               fmt::format("'{}' is no forge: github, gitea (Forgejo too) or pawl", name));
}

WebhookHeaderNames header_names(Forge forge) {
  switch (forge) {
    case Forge::github:
      return kGithub;
    case Forge::gitea:
      return kGitea;
    case Forge::pawl:
      return kPawl;
  }
  return kGithub;
}

std::string signature_value(Forge forge, std::string_view secret, std::string_view body) {
  return (forge == Forge::github ? "sha256=" : "") + hmac_sha256_hex(secret, body);
}

Result<Delivery> accept_webhook(WebhookRequest request, std::span<const std::string> secrets) {
  if (request.body.size() > kMaxWebhookBytes) {
    return Error(ErrorCode::invalid, fmt::format("the body is larger than {} bytes", kMaxWebhookBytes),
                 "webhook");
  }
  const Dialect* dialect = find_dialect(request.headers);
  if (dialect == nullptr) {
    return Error(
        ErrorCode::invalid,
        "no event header: X-GitHub-Event, X-Gitea-Event, X-Forgejo-Event or X-Pawl-Event is expected",
        "webhook");
  }
  PAWL_RETURN_IF_ERROR(verify(*dialect, request, secrets));

  Delivery delivery;
  delivery.forge = dialect->forge;
  PAWL_ASSIGN(delivery.event, single(request.headers, dialect->names.event, ErrorCode::invalid));
  PAWL_ASSIGN(delivery.id, single(request.headers, dialect->names.delivery, ErrorCode::invalid));
  if (!is_token(delivery.event, 64) || !is_token(delivery.id, 128)) {
    return Error(ErrorCode::invalid, "the event name or the delivery id has characters that no forge sends",
                 "webhook");
  }
  if (!is_form(request.headers)) {
    delivery.payload = std::move(request.body);
    return delivery;
  }
  if (dialect->forge != Forge::github) {
    // Gitea signs the JSON inside the form: verifying it would mean decoding before verifying.
    return Error(ErrorCode::invalid, "choose the content type application/json in the webhook's settings",
                 "webhook");
  }
  PAWL_ASSIGN(delivery.payload, form_payload(request.body));
  return delivery;
}

}  // namespace pawl::forge
