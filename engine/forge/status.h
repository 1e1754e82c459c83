// The state of a commit as a forge shows it: the request to send, and what its answer means. Pure; the outbox
// sends (http_client.h), orders and repeats.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/error.h"
#include "engine/forge/http_client.h"
#include "engine/forge/webhook.h"

namespace pawl::forge {

enum class CommitState {
  pending,  // queued or running
  success,
  failure,  // a gate or a rule said no
  error,    // it could not be judged
};

struct CommitStatus {
  CommitState state = CommitState::pending;
  std::string context;      // "pawl": a forge keeps one state per commit and context
  std::string description;  // one line, cut to 140 bytes
  std::string target_url;   // the run's page; may be empty
};

struct StatusTarget {
  Forge forge = Forge::github;
  std::string api_url;     // "https://api.github.com", "https://git.example.com/api/v1"
  std::string repository;  // "owner/name"
  std::string sha;
  std::string token;
};

// POST .../repos/<owner>/<name>/statuses/<sha>, alike for GitHub and Gitea. Error `invalid`: the target is
// incomplete, or Forge::pawl, which has nowhere to write to.
Result<HttpRequest> status_request(const StatusTarget& target, const CommitStatus& status);

// The API of the forge that a repository is cloned from: "https://github.com/o/r.git" ->
// "https://api.github.com", GitHub Enterprise -> "https://host/api/v3", Gitea -> "https://host/api/v1". Forms
// of `clone_url`: https, http, ssh:// and "git@host:o/r.git" (then https is assumed).
struct ForgeRepository {
  std::string api_url;
  std::string repository;  // "owner/name"
};
Result<ForgeRepository> locate_repository(Forge forge, std::string_view clone_url);

struct StatusOutcome {
  enum class Kind { written, retry, rejected };
  Kind kind = Kind::written;
  int64_t retry_after_s = 0;  // Kind::retry: what the forge asked for, 0 when it named no time
  std::string text;           // Kind::retry and rejected: for the run's page
};

// Of the result of sending. Retry: no answer, 408, 429, 5xx, and GitHub's rate limits (403 or 429 with
// Retry-After or an exhausted quota). Everything else that is not 2xx will not get better by itself.
// `now_unix_s` turns the dates in headers into waiting times, which are capped at a day.
StatusOutcome classify_answer(const Result<HttpResponse>& answer, int64_t now_unix_s);

}  // namespace pawl::forge
