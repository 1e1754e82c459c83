#include "engine/store/waivers.h"

#include <fmt/format.h>

namespace pawl::store {
namespace {

constexpr const char* kColumns =
    "id, project, branch, commit_sha, subject, slice, check_name, reason, approver, created_ms, expires_ms,"
    " revoked_ms, revoked_by, revoked_why";

Waiver read_waiver(const Stmt& row) {
  Waiver w;
  w.id = row.integer(0);
  w.project = row.string(1);
  w.branch = row.string(2);
  w.commit_sha = row.string(3);
  w.subject = row.string(4);
  w.slice = row.string(5);
  w.check = row.string(6);
  w.reason = row.string(7);
  w.approver = row.string(8);
  w.created_ms = row.integer(9);
  w.expires_ms = row.integer(10);
  if (!row.is_null(11)) w.revoked_ms = row.integer(11);
  w.revoked_by = row.string(12);
  w.revoked_why = row.string(13);
  return w;
}

template <class... Args>
Result<std::vector<Waiver>> select(Db& db, std::string_view where, const Args&... args) {
  PAWL_ASSIGN(Stmt row,
              db.prepare(fmt::format("SELECT {} FROM waivers WHERE {} ORDER BY id DESC", kColumns, where)));
  row.bind_all(args...);
  std::vector<Waiver> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back(read_waiver(row));
  }
}

}  // namespace

Result<int64_t> insert_waiver(Db& db, const Waiver& w) {
  PAWL_RETURN_IF_ERROR(
      db.run("INSERT INTO waivers (project, branch, commit_sha, subject, slice, check_name, reason, approver,"
             " created_ms, expires_ms) VALUES (?,?,?,?,?,?,?,?,?,?)",
             w.project, w.branch, w.commit_sha, w.subject, w.slice, w.check, w.reason, w.approver,
             w.created_ms, w.expires_ms));
  return db.last_insert_rowid();
}

Result<bool> revoke_waiver(Db& db, int64_t id, std::string_view who, std::string_view why, int64_t now_ms) {
  PAWL_RETURN_IF_ERROR(
      db.run("UPDATE waivers SET revoked_ms=?, revoked_by=?, revoked_why=? WHERE id=? AND revoked_ms IS NULL",
             now_ms, who, why, id));
  return db.changes() == 1;
}

Result<void> merge_revocation(Db& db, int64_t id, std::string_view who, std::string_view why, int64_t at_ms) {
  return db.run(
      "UPDATE waivers SET revoked_ms=?1, revoked_by=?2, revoked_why=?3 WHERE id=?4"
      " AND (revoked_ms IS NULL OR (?1, ?2, ?3) < (revoked_ms, revoked_by, revoked_why))",
      at_ms, who, why, id);
}

Result<std::optional<Waiver>> find_waiver(Db& db, int64_t id) {
  PAWL_ASSIGN(auto found, select(db, "id=?", id));
  if (found.empty()) return std::optional<Waiver>();
  return std::optional<Waiver>(std::move(found.front()));
}

Result<std::vector<Waiver>> waivers_of(Db& db, std::string_view project) {
  return select(db, "(?1='' OR project=?1)", project);
}

Result<std::vector<Waiver>> waivers_for(Db& db, std::string_view project, std::string_view branch,
                                        std::string_view commit_sha) {
  return select(db,
                "project=?1 AND (branch='' OR branch=?2)"
                " AND substr(?3, 1, length(commit_sha))=commit_sha",
                project, branch, commit_sha);
}

}  // namespace pawl::store
