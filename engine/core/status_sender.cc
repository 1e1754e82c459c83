#include "engine/core/status_sender.h"

#include <algorithm>

#include "engine/base/log.h"
#include "engine/forge/http_client.h"
#include "engine/forge/status.h"
#include "engine/store/outbox.h"

namespace pawl::core {
namespace {

forge::CommitState commit_state(std::string_view text) {
  if (text == "success") return forge::CommitState::success;
  if (text == "failure") return forge::CommitState::failure;
  if (text == "error") return forge::CommitState::error;
  return forge::CommitState::pending;
}

// The request for a row, from the project's configuration as it is now.
Result<forge::HttpRequest> build_request(const Config& config, const store::OutboxRow& row) {
  auto it = config.projects.find(row.project);
  if (it == config.projects.end()) return Error(ErrorCode::not_found, "the project was removed");
  const Project& project = it->second;
  PAWL_ASSIGN(forge::Forge forge, forge::parse_forge(project.forge.kind));
  forge::ForgeRepository place{project.forge.api_url, project.forge.repository};
  if (place.api_url.empty() || place.repository.empty()) {
    PAWL_ASSIGN(auto located, forge::locate_repository(forge, project.url));
    if (place.api_url.empty()) place.api_url = located.api_url;
    if (place.repository.empty()) place.repository = located.repository;
  }
  forge::StatusTarget target;
  target.forge = forge;
  target.api_url = place.api_url;
  target.repository = place.repository;
  target.sha = row.commit_sha;
  target.token = project.forge.token;
  forge::CommitStatus status;
  status.state = commit_state(row.state);
  status.context = row.context;
  status.description = row.description;
  if (!config.public_url.empty()) status.target_url = config.public_url + "/runs/" + row.run_id;
  return forge::status_request(target, status);
}

}  // namespace

struct StatusSender::Job {
  store::OutboxRow row;
  forge::HttpRequest request;
};

void StatusSender::wake() {
  if (busy_) return;
  context_.loop.remove(timer_);
  int64_t now = context_.clock.unix_ms();
  auto due = store::due_statuses(context_.db, now, 1);
  if (!due.ok()) return log_error("outbox: {}", due.error().to_string());
  if (due->empty()) {
    auto next = store::next_status_due(context_.db);
    if (!next.ok() || !*next) return;
    timer_ = context_.loop.call_after(std::max<int64_t>(**next - now, 1), [self = weak_from_this()] {
      if (auto sender = self.lock()) sender->wake();
    });
    return;
  }
  store::OutboxRow row = due->front();
  auto request = build_request(context_.config, row);
  if (!request.ok()) {
    log_warning("status of {}: {}", row.commit_sha, request.error().to_string());
    must_record(store::mark_rejected(context_.db, row.id, row.version, request.error().to_string()),
                "outbox");
    return wake();
  }
  busy_ = true;
  send({std::move(row), std::move(*request)});
}

void StatusSender::send(Job job) {
  int64_t now_s = context_.clock.unix_ms() / 1000;
  run_on_pool(
      context_,
      [job, now_s] {
        forge::HttpClient client({.allow_plain_http = true});
        return forge::classify_answer(client.send(job.request), now_s);
      },
      [self = weak_from_this(), row = job.row](const forge::StatusOutcome& outcome) {
        auto sender = self.lock();
        if (!sender) return;
        sender->busy_ = false;
        Db& db = sender->context_.db;
        int64_t now = sender->context_.clock.unix_ms();
        switch (outcome.kind) {
          case forge::StatusOutcome::Kind::written:
            must_record(store::mark_sent(db, row.id, row.version), "outbox");
            break;
          case forge::StatusOutcome::Kind::retry: {
            int64_t backoff = int64_t{2000} << std::min<int64_t>(row.tries, 9);
            int64_t pause = std::max(outcome.retry_after_s * 1000, backoff);
            log_warning("status of {}: {}; trying again in {} s", row.commit_sha, outcome.text, pause / 1000);
            must_record(store::mark_failed(db, row.id, row.version, now + pause, outcome.text), "outbox");
            break;
          }
          case forge::StatusOutcome::Kind::rejected:
            log_error("status of {} was refused: {}", row.commit_sha, outcome.text);
            must_record(store::mark_rejected(db, row.id, row.version, outcome.text), "outbox");
            break;
        }
        sender->wake();
      });
}

}  // namespace pawl::core
