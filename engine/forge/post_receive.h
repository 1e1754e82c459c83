// What git's post-receive hook reports, as signed webhooks of our own. Pure: the caller reads standard input
// and sends.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/http_headers.h"

namespace pawl::forge {

struct RefUpdate {
  std::string before;
  std::string after;
  std::string ref;
  std::string message;  // of the commit `after`, when the caller knows it
};

// The lines "<old> SP <new> SP <ref> LF" that git writes to the hook's standard input (githooks(5)). Errors
// name the line.
Result<std::vector<RefUpdate>> parse_ref_updates(std::string_view input);

struct PushOrigin {
  std::string repository;  // "owner/name"
  std::string clone_url;   // may be empty
  std::string pusher;      // may be empty
};

struct SignedDelivery {
  std::string id;
  HttpHeaders headers;  // Content-Type, X-Pawl-Event, X-Pawl-Delivery, X-Pawl-Signature
  std::string body;     // a push event in the shape of Gitea's
};

// One delivery per updated reference. `push_id` is new for every push (a ULID): the ids are "<push_id>-0",
// "<push_id>-1", ...; sending one of them again, same id and bytes, is a redelivery and starts nothing twice.
std::vector<SignedDelivery> push_deliveries(const std::vector<RefUpdate>& updates, const PushOrigin& origin,
                                            std::string_view push_id, std::string_view secret);

}  // namespace pawl::forge
