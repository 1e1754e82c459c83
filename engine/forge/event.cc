#include "engine/forge/event.h"

#include <fmt/format.h>

#include <utility>

#include "engine/base/text.h"
#include "engine/forge/git_ref.h"
#include "engine/forge/json_fields.h"

namespace pawl::forge {
namespace {

constexpr size_t kMaxNameBytes = 512;
constexpr size_t kMaxMessageBytes = 4096;

Error invalid(std::string message, std::string_view event) {
  return Error(ErrorCode::invalid, std::move(message), fmt::format("{} event", event));
}

Result<std::string> object_id(const JsonFields& fields, std::string_view path, std::string_view event) {
  PAWL_ASSIGN(std::string id, fields.text(path));
  if (!is_object_id(id))
    return invalid(fmt::format("'{}' is not an object id of 40 or 64 hex digits", path), event);
  return id;
}

// "owner/name": shown, compared, and part of API paths.
bool valid_repository(std::string_view name) {
  size_t slash = name.find('/');
  return name.size() <= kMaxNameBytes && slash != std::string_view::npos && slash > 0 &&
         slash + 1 < name.size() && name.find("..") == std::string_view::npos &&
         sanitize_for_terminal(name) == name && name.find_first_of(" \t\n?#%\\") == std::string_view::npos;
}

Result<std::string> repository_name(const JsonFields& fields, std::string_view path, std::string_view event) {
  PAWL_ASSIGN(std::string name, fields.text(path));
  if (!valid_repository(name)) return invalid(fmt::format("'{}' is not of the form owner/name", path), event);
  return name;
}

// The first of these that is there.
Result<std::string> login(const JsonFields& fields, std::initializer_list<std::string_view> paths) {
  for (std::string_view path : paths) {
    PAWL_ASSIGN(std::string name, fields.optional_text(path));
    if (!name.empty()) return to_valid_utf8(name, kMaxNameBytes);
  }
  return std::string();
}

Result<Event> parse_push(const Delivery& delivery) {
  constexpr std::string_view kPaths[] = {"ref",
                                         "before",
                                         "after",
                                         "forced",
                                         "sender.login",
                                         "sender.username",
                                         "pusher.login",
                                         "pusher.name",
                                         "repository.full_name",
                                         "pusher.username",
                                         "repository.clone_url",
                                         "head_commit.message"};
  PAWL_ASSIGN(JsonFields fields, JsonFields::read(delivery.payload, "push event", kPaths));

  PushEvent push;
  PAWL_ASSIGN(push.ref, fields.text("ref"));
  PAWL_ASSIGN(push.before, object_id(fields, "before", "push"));
  PAWL_ASSIGN(push.after, object_id(fields, "after", "push"));
  if (!valid_ref_name(push.ref)) return invalid("'ref' is not a reference name", "push");
  if (push.before.size() != push.after.size())
    return invalid("'before' and 'after' differ in length", "push");
  push.created = is_zero_id(push.before);
  push.deleted = is_zero_id(push.after);
  // What Gitea's "Test delivery" sends: a push from a commit to itself.
  if (push.before == push.after) return Event(PingEvent());

  if (push.ref.starts_with("refs/heads/")) {
    push.name = push.ref.substr(11);
  } else if (push.ref.starts_with("refs/tags/")) {
    push.kind = PushEvent::Kind::tag;
    push.name = push.ref.substr(10);
  } else {
    return Event(IgnoredEvent{fmt::format("{} is neither a branch nor a tag", push.ref)});
  }
  if (!valid_branch_name(push.name)) return invalid("'ref' is not usable as a name: " + push.ref, "push");

  PAWL_ASSIGN(push.forced, fields.optional_bool("forced"));
  PAWL_ASSIGN(push.repository, repository_name(fields, "repository.full_name", "push"));
  PAWL_ASSIGN(push.clone_url, fields.optional_text("repository.clone_url"));
  PAWL_ASSIGN(push.sender, login(fields, {"sender.login", "sender.username", "pusher.login",
                                          "pusher.username", "pusher.name"}));
  PAWL_ASSIGN(push.commit_message, fields.optional_text("head_commit.message"));
  push.clone_url = to_valid_utf8(push.clone_url, kMaxNameBytes);
  push.commit_message = to_valid_utf8(push.commit_message, kMaxMessageBytes);
  return Event(std::move(push));
}

PullRequestEvent::Action parse_action(std::string_view name) {
  using Action = PullRequestEvent::Action;
  if (name == "opened") return Action::opened;
  if (name == "synchronize" || name == "synchronized") return Action::updated;  // GitHub, Gitea
  if (name == "reopened") return Action::reopened;
  if (name == "closed") return Action::closed;
  if (name == "edited") return Action::edited;
  return Action::other;
}

Result<Event> parse_pull_request(const Delivery& delivery) {
  constexpr std::string_view kPaths[] = {"action",
                                         "number",
                                         "pull_request.head.sha",
                                         "pull_request.head.ref",
                                         "pull_request.head.repo.full_name",
                                         "pull_request.base.ref",
                                         "pull_request.base.repo.full_name",
                                         "pull_request.user.login"};
  PAWL_ASSIGN(JsonFields fields, JsonFields::read(delivery.payload, "pull_request event", kPaths));

  PullRequestEvent pull;
  PAWL_ASSIGN(std::string action, fields.text("action"));
  pull.action = parse_action(action);
  PAWL_ASSIGN(pull.number, fields.integer("number"));
  if (pull.number <= 0) return invalid("'number' must be positive", "pull_request");
  PAWL_ASSIGN(pull.head_sha, object_id(fields, "pull_request.head.sha", "pull_request"));
  if (is_zero_id(pull.head_sha)) return invalid("'pull_request.head.sha' is all zeros", "pull_request");
  PAWL_ASSIGN(pull.head_ref, fields.text("pull_request.head.ref"));
  PAWL_ASSIGN(pull.base_ref, fields.text("pull_request.base.ref"));
  if (!valid_branch_name(pull.head_ref) || !valid_branch_name(pull.base_ref)) {
    return invalid("a branch name is not valid", "pull_request");
  }
  PAWL_ASSIGN(pull.repository, repository_name(fields, "pull_request.base.repo.full_name", "pull_request"));
  PAWL_ASSIGN(pull.head_repository, fields.optional_text("pull_request.head.repo.full_name"));
  if (!pull.head_repository.empty() && !valid_repository(pull.head_repository)) {
    return invalid("'pull_request.head.repo.full_name' is not of the form owner/name", "pull_request");
  }
  pull.is_fork = pull.head_repository != pull.repository;
  PAWL_ASSIGN(pull.author, login(fields, {"pull_request.user.login"}));
  return Event(std::move(pull));
}

}  // namespace

Result<Event> parse_event(const Delivery& delivery) {
  if (delivery.event == "ping") return Event(PingEvent());
  if (delivery.event == "push") return parse_push(delivery);
  if (delivery.event == "pull_request") return parse_pull_request(delivery);
  return Event(IgnoredEvent{fmt::format("{} events start nothing", delivery.event)});
}

}  // namespace pawl::forge
