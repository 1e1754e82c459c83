// Commit statuses on their way to a forge: at least once, in order per (commit, context), the newest state
// only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/sqlite.h"

namespace pawl::store {

struct OutboxRow {
  int64_t id = 0;
  std::string project;
  std::string commit_sha;
  std::string context;
  std::string run_id;
  std::string state;  // pending, success, failure, error
  std::string description;
  int64_t version = 0;
  int64_t tries = 0;
  std::string last_error;
};

// Queues a state; a queued older one for the same (project, commit, context) is replaced.
Result<void> queue_status(Db& db, const OutboxRow& row, int64_t now_ms);
Result<std::vector<OutboxRow>> due_statuses(Db& db, int64_t now_ms, int64_t limit);
// When the next one is due; nothing when none waits.
Result<std::optional<int64_t>> next_status_due(Db& db);
// The version that was sent: a newer one that came meanwhile stays queued.
Result<void> mark_sent(Db& db, int64_t id, int64_t version);
// Of this version: when a newer one has come meanwhile, it is not held up.
Result<void> mark_failed(Db& db, int64_t id, int64_t version, int64_t next_ms, std::string_view error);
// Gives up on this version: the forge said never.
Result<void> mark_rejected(Db& db, int64_t id, int64_t version, std::string_view error);

}  // namespace pawl::store
