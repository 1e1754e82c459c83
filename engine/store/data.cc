#include "engine/store/data.h"

namespace pawl::store {

Result<void> put_data_version(Db& db, const DataVersion& v) {
  return db.run(
      "INSERT INTO data_versions (project, dataset, digest, path, files, bytes, seen_ms, manifest)"
      " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (project, dataset, digest) DO UPDATE SET "
      "seen_ms=excluded.seen_ms,"
      " path=excluded.path",
      v.project, v.dataset, v.digest, v.path, v.files, v.bytes, v.seen_ms, v.manifest);
}

Result<void> note_data_version(Db& db, const DataVersion& v) {
  return db.run(
      "INSERT INTO data_versions (project, dataset, digest, path, files, bytes, seen_ms, manifest)"
      " VALUES (?,?,?,?,?,?,0,?) ON CONFLICT (project, dataset, digest) DO NOTHING",
      v.project, v.dataset, v.digest, v.path, v.files, v.bytes, v.manifest);
}

Result<std::optional<DataVersion>> find_data_version(Db& db, std::string_view project,
                                                     std::string_view dataset, std::string_view digest) {
  PAWL_ASSIGN(Stmt row, db.prepare("SELECT project, dataset, digest, path, files, bytes, seen_ms, manifest"
                                   " FROM data_versions WHERE project=? AND dataset=? AND digest=?"));
  row.bind_all(project, dataset, digest);
  PAWL_ASSIGN(bool found, row.step());
  if (!found) return std::optional<DataVersion>();
  return std::optional<DataVersion>(DataVersion{row.string(0), row.string(1), row.string(2), row.string(3),
                                                row.integer(4), row.integer(5), row.integer(6),
                                                row.string(7)});
}

Result<std::optional<std::string>> latest_digest(Db& db, std::string_view project, std::string_view dataset) {
  PAWL_ASSIGN(Stmt row, db.prepare("SELECT digest FROM data_versions WHERE project=? AND dataset=?"
                                   " ORDER BY seen_ms DESC, rowid DESC LIMIT 1"));
  row.bind_all(project, dataset);
  PAWL_ASSIGN(bool found, row.step());
  if (!found) return std::optional<std::string>();
  return std::optional<std::string>(row.string(0));
}

Result<void> put_run_data(Db& db, const RunData& d) {
  return db.run("INSERT OR REPLACE INTO run_data (run_id, dataset, digest, path) VALUES (?,?,?,?)", d.run_id,
                d.dataset, d.digest, d.path);
}

Result<std::vector<RunData>> data_of(Db& db, std::string_view run_id) {
  PAWL_ASSIGN(
      Stmt row,
      db.prepare("SELECT run_id, dataset, digest, path FROM run_data WHERE run_id=? ORDER BY dataset"));
  row.bind_all(run_id);
  std::vector<RunData> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back({row.string(0), row.string(1), row.string(2), row.string(3)});
  }
}

Result<void> put_branch_head(Db& db, std::string_view project, std::string_view branch, std::string_view sha,
                             int64_t now_ms) {
  return db.run("INSERT OR REPLACE INTO branch_heads (project, branch, commit_sha, seen_ms) VALUES (?,?,?,?)",
                project, branch, sha, now_ms);
}

Result<std::map<std::string, std::string>> branch_heads(Db& db, std::string_view project) {
  PAWL_ASSIGN(Stmt row, db.prepare("SELECT branch, commit_sha FROM branch_heads WHERE project=?"));
  row.bind_all(project);
  std::map<std::string, std::string> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out[row.string(0)] = row.string(1);
  }
}

Result<void> forget_branch(Db& db, std::string_view project, std::string_view branch) {
  return db.run("DELETE FROM branch_heads WHERE project=? AND branch=?", project, branch);
}

}  // namespace pawl::store
