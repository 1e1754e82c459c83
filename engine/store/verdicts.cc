#include "engine/store/verdicts.h"

#include <fmt/format.h>

namespace pawl::store {
namespace {

Baseline read_baseline(const Stmt& row) {
  Baseline out{row.integer(0), row.string(1), row.string(2), row.string(3),
               row.string(4),  row.string(5), row.string(6), row.integer(7)};
  if (!row.is_null(8)) out.newer_run = row.string(8);
  out.testsets = row.string(9);
  out.run_number = row.integer(10);
  out.commit = row.string(11);
  out.verdict = row.string(12);
  out.position = row.integer(13);
  return out;
}

template <class... Args>
Result<std::vector<Baseline>> select_baselines(Db& db, std::string_view rest, const Args&... args) {
  PAWL_ASSIGN(Stmt row, db.prepare(fmt::format(
                            "SELECT b.id, b.project, b.branch, b.run_id, b.cause, b.who, b.why, b.created_ms,"
                            " b.newer_run, b.testsets, r.number, r.commit_sha, coalesce(r.verdict, ''),"
                            " b.position"
                            " FROM baselines b JOIN runs r ON r.id=b.run_id {}",
                            rest)));
  row.bind_all(args...);
  std::vector<Baseline> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back(read_baseline(row));
  }
}

Result<std::optional<Baseline>> first(Result<std::vector<Baseline>> rows) {
  if (!rows.ok()) return std::move(rows).error();
  if (rows->empty()) return std::optional<Baseline>();
  return std::optional<Baseline>(std::move(rows->front()));
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
      "INSERT INTO baselines (project, branch, run_id, cause, who, why, created_ms, newer_run, testsets,"
      " position) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9, iif(?10<>0, ?10,"
      " (SELECT coalesce(max(position), 0) + 1 FROM baselines WHERE project=?1 AND branch=?2)))",
      b.project, b.branch, b.run_id, b.cause, b.who, b.why, b.created_ms, b.newer_run, b.testsets,
      b.position);
}

Result<std::optional<Baseline>> pinned_baseline(Db& db, std::string_view project, std::string_view branch) {
  PAWL_ASSIGN(auto last,
              first(select_baselines(db,
                                     "WHERE b.project=? AND b.branch=? AND b.cause IN ('pin', 'unpin')"
                                     " ORDER BY b.position DESC, b.created_ms DESC, b.run_id DESC, b.id DESC"
                                     " LIMIT 1",
                                     project, branch)));
  if (!last || !last->is_pin()) return std::optional<Baseline>();
  return last;
}

Result<std::optional<Baseline>> latest_green(Db& db, std::string_view project, std::string_view branch) {
  return first(select_baselines(db,
                                "WHERE b.project=? AND b.branch=? AND b.cause IN ('green', 'bootstrap')"
                                " AND b.newer_run IS NULL ORDER BY b.id DESC LIMIT 1",
                                project, branch));
}

Result<std::optional<Baseline>> current_baseline(Db& db, std::string_view project, std::string_view branch) {
  PAWL_ASSIGN(auto pinned, pinned_baseline(db, project, branch));
  if (pinned) return pinned;
  return latest_green(db, project, branch);
}

Result<std::vector<Baseline>> current_baselines(Db& db, std::string_view project) {
  PAWL_ASSIGN(Stmt row, db.prepare("SELECT DISTINCT project, branch FROM baselines WHERE ?1='' OR project=?1"
                                   " ORDER BY project, branch"));
  row.bind_all(project);
  std::vector<Baseline> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    PAWL_ASSIGN(auto current, current_baseline(db, row.string(0), row.string(1)));
    if (current) out.push_back(std::move(*current));
  }
}

Result<std::vector<Baseline>> baseline_events(Db& db, std::string_view project, std::string_view branch) {
  return select_baselines(db,
                          "WHERE b.project=? AND b.branch=?"
                          " ORDER BY b.position, b.created_ms, b.run_id, b.id",
                          project, branch);
}

Result<std::optional<Baseline>> green_event_of(Db& db, std::string_view run_id) {
  return first(
      select_baselines(db, "WHERE b.run_id=? AND b.cause IN ('green', 'bootstrap') ORDER BY b.id", run_id));
}

Result<std::vector<Baseline>> pin_events(Db& db, std::string_view project) {
  return select_baselines(db, "WHERE b.project=? AND b.cause IN ('pin', 'unpin') ORDER BY b.id", project);
}

Result<std::vector<Baseline>> baseline_history(Db& db, std::string_view project) {
  return select_baselines(db, "WHERE ?1='' OR b.project=?1 ORDER BY b.created_ms DESC, b.id DESC", project);
}

Result<bool> ever_green(Db& db, std::string_view project, std::string_view branch) {
  PAWL_ASSIGN(auto found,
              db.query_int("SELECT 1 FROM baselines WHERE project=? AND branch=? LIMIT 1", project, branch));
  return found.has_value();
}

}  // namespace pawl::store
