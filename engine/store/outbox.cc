#include "engine/store/outbox.h"

namespace pawl::store {

Result<void> queue_status(Db& db, const OutboxRow& row, int64_t now_ms) {
  return db.run(
      "INSERT INTO outbox (project, commit_sha, context, run_id, state, description, version, next_ms)"
      " VALUES (?1,?2,?3,?4,?5,?6,1,?7) ON CONFLICT (project, commit_sha, context) DO UPDATE SET run_id=?4, "
      "state=?5,"
      " description=?6, version=version+1, tries=0, next_ms=?7, last_error=''",
      row.project, row.commit_sha, row.context, row.run_id, row.state, row.description, now_ms);
}

Result<std::vector<OutboxRow>> due_statuses(Db& db, int64_t now_ms, int64_t limit) {
  PAWL_ASSIGN(
      Stmt row,
      db.prepare("SELECT id, project, commit_sha, context, run_id, state, description, version, tries,"
                 " last_error FROM outbox WHERE sent < version AND next_ms <= ? ORDER BY next_ms LIMIT ?"));
  row.bind_all(now_ms, limit);
  std::vector<OutboxRow> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back({row.integer(0), row.string(1), row.string(2), row.string(3), row.string(4), row.string(5),
                   row.string(6), row.integer(7), row.integer(8), row.string(9)});
  }
}

Result<std::optional<int64_t>> next_status_due(Db& db) {
  return db.query_int("SELECT min(next_ms) FROM outbox WHERE sent < version");
}

Result<void> mark_sent(Db& db, int64_t id, int64_t version) {
  return db.run("UPDATE outbox SET sent=max(sent, ?2), tries=0, last_error='' WHERE id=?1", id, version);
}

Result<void> mark_failed(Db& db, int64_t id, int64_t version, int64_t next_ms, std::string_view error) {
  return db.run("UPDATE outbox SET tries=tries+1, next_ms=?3, last_error=?4 WHERE id=?1 AND version=?2", id,
                version, next_ms, error);
}

Result<void> mark_rejected(Db& db, int64_t id, int64_t version, std::string_view error) {
  return db.run("UPDATE outbox SET sent=max(sent, ?2), last_error=?3 WHERE id=?1", id, version, error);
}

}  // namespace pawl::store
