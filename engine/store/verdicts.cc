#include "engine/store/verdicts.h"

namespace pawl::store {
namespace {

Baseline read_baseline(const Stmt& row) {
  return {row.integer(0), row.string(1), row.string(2), row.string(3),
          row.string(4),  row.string(5), row.string(6), row.integer(7)};
}

}  // namespace

Result<void> insert_verdict(Db& db, const Verdict& v) {
  PAWL_RETURN_IF_ERROR(db.run(
      "INSERT INTO verdicts (run_id, kind, headline, baseline_run, body, created_ms) VALUES (?,?,?,?,?,?)",
      v.run_id, v.kind, v.headline, v.baseline_run, v.body, v.created_ms));
  int64_t position = 0;
  for (const VerdictReason& r : v.reasons) {
    PAWL_RETURN_IF_ERROR(db.run(
        "INSERT INTO verdict_reasons (run_id, position, metric, rule, status, sentence) VALUES (?,?,?,?,?,?)",
        v.run_id, position++, r.metric, r.rule, r.status, r.sentence));
  }
  return {};
}

Result<std::optional<Verdict>> verdict_of(Db& db, std::string_view run_id) {
  PAWL_ASSIGN(Stmt row,
              db.prepare("SELECT run_id, kind, headline, baseline_run, body, created_ms FROM verdicts"
                         " WHERE run_id=?"));
  row.bind_all(run_id);
  PAWL_ASSIGN(bool found, row.step());
  if (!found) return std::optional<Verdict>();
  Verdict out;
  out.run_id = row.string(0);
  out.kind = row.string(1);
  out.headline = row.string(2);
  if (!row.is_null(3)) out.baseline_run = row.string(3);
  out.body = row.string(4);
  out.created_ms = row.integer(5);
  PAWL_ASSIGN(Stmt reason,
              db.prepare("SELECT metric, rule, status, sentence FROM verdict_reasons WHERE run_id=?"
                         " ORDER BY position"));
  reason.bind_all(run_id);
  while (true) {
    PAWL_ASSIGN(bool more, reason.step());
    if (!more) return std::optional<Verdict>(std::move(out));
    out.reasons.push_back({reason.string(0), reason.string(1), reason.string(2), reason.string(3)});
  }
}

Result<void> insert_baseline(Db& db, const Baseline& b) {
  return db.run(
      "INSERT INTO baselines (project, branch, run_id, cause, who, why, created_ms) VALUES (?,?,?,?,?,?,?)",
      b.project, b.branch, b.run_id, b.cause, b.who, b.why, b.created_ms);
}

Result<std::optional<Baseline>> current_baseline(Db& db, std::string_view project, std::string_view branch) {
  PAWL_ASSIGN(Stmt row,
              db.prepare("SELECT id, project, branch, run_id, cause, who, why, created_ms FROM baselines"
                         " WHERE project=? AND branch=? ORDER BY id DESC LIMIT 1"));
  row.bind_all(project, branch);
  PAWL_ASSIGN(bool found, row.step());
  if (!found) return std::optional<Baseline>();
  return std::optional<Baseline>(read_baseline(row));
}

Result<std::vector<Baseline>> baseline_history(Db& db, std::string_view project) {
  PAWL_ASSIGN(Stmt row,
              db.prepare("SELECT id, project, branch, run_id, cause, who, why, created_ms FROM baselines"
                         " WHERE ?1='' OR project=?1 ORDER BY id DESC"));
  row.bind_all(project);
  std::vector<Baseline> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back(read_baseline(row));
  }
}

Result<bool> ever_green(Db& db, std::string_view project, std::string_view branch) {
  PAWL_ASSIGN(auto found,
              db.query_int("SELECT 1 FROM baselines WHERE project=? AND branch=? LIMIT 1", project, branch));
  return found.has_value();
}

}  // namespace pawl::store
