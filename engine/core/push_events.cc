#include "engine/core/push_events.h"

#include <fmt/format.h>

#include "engine/forge/event.h"
#include "pipelines/document.h"
#include "pipelines/load.h"
#include "pipelines/match.h"
#include "pipelines/parse.h"

namespace pawl::core {
namespace {

DeliveryOutcome nothing(std::string note) {
  DeliveryOutcome out;
  out.note = std::move(note);
  return out;
}

Result<NewRun> describe(const Project& project, const trigger::Repository& mirror, const std::string& sha) {
  PAWL_ASSIGN(trigger::Commit commit, mirror.commit(sha));
  NewRun run;
  run.project = project.name;
  run.target = project.target;
  run.sha = sha;
  run.subject = commit.subject;
  run.author = commit.author;
  run.source = {mirror.path(), project.data};
  return run;
}

// Applies the pipeline's own filters. A file with mistakes starts a run, which then says what is wrong with
// it: a broken gate must be red, not silent.
template <class Matches>
Result<std::string> why_not(const trigger::Repository& mirror, const std::string& sha, Matches matches) {
  PAWL_ASSIGN(auto text, pipeline_text_at(mirror, sha));
  if (!text) return std::string("the commit has no .pawl.yml");
  auto parsed = pipeline::parse_pipeline(*text, std::string(pipeline::kPipelineFiles[0]));
  if (!parsed.pipeline) return std::string();
  pipeline::Decision decision = matches(parsed.pipeline->on);
  return decision ? std::string() : decision.reason;
}

// A push that removes the pipeline file from the target branch must not end its checks in silence.
Result<bool> takes_gate_away(const Project& project, const trigger::Repository& mirror,
                             const std::string& branch, const std::string& before, const std::string& after) {
  if (branch != project.target || !mirror.has_commit(before)) return false;
  PAWL_ASSIGN(auto now, pipeline_text_at(mirror, after));
  if (now) return false;
  PAWL_ASSIGN(auto then, pipeline_text_at(mirror, before));
  return then.has_value();
}

Result<DeliveryOutcome> evaluate_pull_request(const Project& project, const trigger::Repository& mirror,
                                              const forge::PullRequestEvent& event) {
  using Action = forge::PullRequestEvent::Action;
  if (event.action != Action::opened && event.action != Action::updated && event.action != Action::reopened) {
    return nothing("this change of the pull request needs no run");
  }
  if (event.is_fork) {
    return nothing(fmt::format("pull request #{} comes from a fork: its code is not run", event.number));
  }
  if (!mirror.has_commit(event.head_sha)) return nothing("the commit is not in the repository any more");
  pipeline::ChangedPaths changed;
  if (auto base = mirror.resolve("refs/heads/" + event.base_ref); base.ok()) {
    PAWL_ASSIGN(auto fork_point, mirror.merge_base(*base, event.head_sha));
    if (fork_point) {
      PAWL_ASSIGN(auto paths, mirror.changed_paths(*fork_point, event.head_sha));
      changed = std::move(paths);
    }
  }
  PAWL_ASSIGN(std::string reason, why_not(mirror, event.head_sha, [&](const pipeline::Triggers& on) {
                return pipeline::pull_request_matches(on, event.base_ref, changed);
              }));
  if (!reason.empty()) return nothing(reason);
  DeliveryOutcome out;
  PAWL_ASSIGN(NewRun run, describe(project, mirror, event.head_sha));
  run.event_key = fmt::format("pull_request:{}:{}:{}", project.name, event.number, event.head_sha);
  run.trigger = "pull_request";
  run.note = fmt::format("#{} by {}", event.number, event.author);
  run.branch = event.head_ref;
  run.target = event.base_ref;
  // A pull request whose branch carries the target's name must not be taken for the target branch itself.
  if (run.branch == run.target) run.branch = fmt::format("pull/{}", event.number);
  out.run = std::move(run);
  return out;
}

}  // namespace

Result<std::optional<std::string>> pipeline_text_at(const trigger::Repository& repository,
                                                    const std::string& sha) {
  for (std::string_view name : pipeline::kPipelineFiles) {
    PAWL_ASSIGN(auto text, repository.file_at(sha, name, pipeline::kMaxTextBytes));
    if (text) return text;
  }
  return std::optional<std::string>();
}

Result<DeliveryOutcome> evaluate_push(const Project& project, const trigger::Repository& mirror,
                                      const std::string& branch, const std::string& before,
                                      const std::string& after, const std::string& event_key,
                                      const std::string& note) {
  // A head that is not in the repository (any more, or because the event is of another one) moves nothing.
  if (!mirror.has_commit(after)) return nothing("the commit is not in the repository any more");
  DeliveryOutcome out;
  out.branch = branch;
  out.head = after;
  pipeline::ChangedPaths changed;
  if (mirror.has_commit(before)) {
    PAWL_ASSIGN(auto paths, mirror.changed_paths(before, after));
    changed = std::move(paths);
  }
  PAWL_ASSIGN(out.note, why_not(mirror, after, [&](const pipeline::Triggers& on) {
                return pipeline::push_matches(on, branch, changed);
              }));
  PAWL_ASSIGN(const bool ungated, takes_gate_away(project, mirror, branch, before, after));
  if (ungated) out.note.clear();  // the run says that the file is missing, and is red
  if (!out.note.empty()) return out;
  PAWL_ASSIGN(NewRun run, describe(project, mirror, after));
  run.event_key = event_key;
  run.trigger = "push";
  run.note = note;
  run.branch = branch;
  out.run = std::move(run);
  return out;
}

Result<DeliveryOutcome> evaluate_delivery(const Project& project, const trigger::Repository& mirror,
                                          const store::Delivery& delivery) {
  PAWL_ASSIGN(forge::Forge forge, forge::parse_forge(delivery.forge));
  PAWL_ASSIGN(forge::Event event,
              forge::parse_event({forge, delivery.delivery_id, delivery.event, delivery.body}));
  if (std::holds_alternative<forge::PingEvent>(event)) return nothing("ping: the hook works");
  if (const auto* ignored = std::get_if<forge::IgnoredEvent>(&event)) return nothing(ignored->reason);
  if (const auto* request = std::get_if<forge::PullRequestEvent>(&event)) {
    return evaluate_pull_request(project, mirror, *request);
  }
  const auto& push = std::get<forge::PushEvent>(event);
  if (push.kind == forge::PushEvent::Kind::tag) return nothing("a tag starts no run");
  if (push.deleted) {
    DeliveryOutcome out = nothing("the branch was deleted");
    if (!mirror.resolve("refs/heads/" + push.name).ok()) out.branch = push.name;
    return out;
  }
  return evaluate_push(project, mirror, push.name, push.before, push.after,
                       fmt::format("delivery:{}:{}", project.name, delivery.delivery_id),
                       push.sender.empty() ? "" : "pushed by " + push.sender);
}

}  // namespace pawl::core
