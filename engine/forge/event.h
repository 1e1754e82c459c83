// What a verified delivery says. Every string is checked for what it claims to be (reference names, object
// ids) or bounded and valid UTF-8; all of them are the sender's words: nothing here is an address to fetch
// from or a statement about trust.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "engine/base/error.h"
#include "engine/forge/webhook.h"

namespace pawl::forge {

// The hook was created or tested. Starts nothing.
struct PingEvent {};

struct PushEvent {
  enum class Kind { branch, tag };
  Kind kind = Kind::branch;
  std::string ref;     // "refs/heads/main"
  std::string name;    // "main"
  std::string before;  // all zeros when created
  std::string after;   // all zeros when deleted
  bool created = false;
  bool deleted = false;
  bool forced = false;         // only GitHub says so; false elsewhere means unknown
  std::string repository;      // "owner/name"
  std::string clone_url;       // to be shown; what is cloned is the project's configured URL
  std::string sender;          // login of who pushed, may be empty
  std::string commit_message;  // of the head commit, at most 4 KiB, may be empty
};

struct PullRequestEvent {
  enum class Action { opened, updated, reopened, closed, edited, other };
  Action action = Action::other;
  int64_t number = 0;
  std::string head_sha;
  std::string head_ref;         // branch in the head repository
  std::string head_repository;  // "" when it was deleted
  std::string base_ref;         // branch, "main"
  std::string repository;       // the base repository
  // The head lives elsewhere or nowhere: untrusted. Judged by where the code comes from and never by who sent
  // the event: a maintainer who adds a label does not vouch for the code.
  bool is_fork = true;
  std::string author;  // login of who opened the request
};

// An event or a reference that starts nothing here.
struct IgnoredEvent {
  std::string reason;
};

using Event = std::variant<PingEvent, PushEvent, PullRequestEvent, IgnoredEvent>;

// Error `invalid` names the field. Pure; any thread.
Result<Event> parse_event(const Delivery& delivery);

}  // namespace pawl::forge
