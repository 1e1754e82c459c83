#include "engine/store/runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/ids.h"
#include "engine/base/text.h"

namespace pawl::store {
namespace {

constexpr std::string_view kRunColumns =
    "number, id, project, event_key, trigger, trigger_note, branch, target, commit_sha, subject, author, "
    "state, cancel,"
    " plan, verdict, headline, exit_code, created_ms, started_ms, finished_ms, origin";

std::optional<int64_t> optional_integer(const Stmt& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.integer(column);
}
std::optional<double> optional_real(const Stmt& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.real(column);
}
std::optional<std::string> optional_text(const Stmt& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.string(column);
}

Run read_run(const Stmt& row) {
  Run run;
  run.number = row.integer(0);
  run.id = row.string(1);
  run.project = row.string(2);
  run.event_key = row.string(3);
  run.trigger = row.string(4);
  run.trigger_note = row.string(5);
  run.branch = row.string(6);
  run.target = row.string(7);
  run.commit_sha = row.string(8);
  run.subject = row.string(9);
  run.author = row.string(10);
  run.state = row.string(11);
  run.cancel = row.string(12);
  run.plan = row.string(13);
  run.verdict = optional_text(row, 14);
  run.headline = row.string(15);
  run.exit_code = optional_integer(row, 16);
  run.created_ms = row.integer(17);
  run.started_ms = optional_integer(row, 18);
  run.finished_ms = optional_integer(row, 19);
  run.origin = row.string(20);
  return run;
}

template <class... Args>
Result<std::vector<Run>> select_runs(Db& db, std::string_view rest, const Args&... args) {
  PAWL_ASSIGN(Stmt statement, db.prepare(fmt::format("SELECT {} FROM runs {}", kRunColumns, rest)));
  statement.bind_all(args...);
  std::vector<Run> out;
  while (true) {
    PAWL_ASSIGN(bool row, statement.step());
    if (!row) return out;
    out.push_back(read_run(statement));
  }
}

Result<std::optional<Run>> first(Result<std::vector<Run>> runs) {
  if (!runs.ok()) return std::move(runs).error();
  if (runs->empty()) return std::optional<Run>();
  return std::optional<Run>(std::move(runs->front()));
}

// The largest string with this prefix sorts before prefix + 'z' repeated; ids and shas are ASCII below 'z'.
std::string prefix_end(std::string_view prefix) {
  return std::string(prefix) + "~";
}

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Result<int64_t> insert_run(Db& db, const Run& run) {
  PAWL_RETURN_IF_ERROR(
      db.run("INSERT INTO runs (id, project, event_key, trigger, trigger_note, branch, target, commit_sha, "
             "subject, author,"
             " created_ms) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
             run.id, run.project, run.event_key, run.trigger, run.trigger_note, run.branch, run.target,
             run.commit_sha, run.subject, run.author, run.created_ms));
  return db.last_insert_rowid();
}

Result<int64_t> insert_finished_run(Db& db, const Run& run) {
  PAWL_RETURN_IF_ERROR(
      db.run("INSERT INTO runs (id, project, event_key, trigger, trigger_note, branch, target, commit_sha,"
             " subject, author, state, cancel, plan, verdict, headline, exit_code, created_ms, started_ms,"
             " finished_ms, origin) VALUES (?,?,?,?,?,?,?,?,?,?,'finished',?,?,?,?,?,?,?,?,?)",
             run.id, run.project, run.event_key, run.trigger, run.trigger_note, run.branch, run.target,
             run.commit_sha, run.subject, run.author, run.cancel, run.plan, run.verdict, run.headline,
             run.exit_code, run.created_ms, run.started_ms, run.finished_ms, run.origin));
  return db.last_insert_rowid();
}

Result<void> set_run_state(Db& db, const std::string& id, std::string_view state, int64_t now_ms) {
  return db.run(
      "UPDATE runs SET state=?2, started_ms=coalesce(started_ms, iif(?2='queued', NULL, ?3)) WHERE id=?1", id,
      state, now_ms);
}

Result<void> set_run_plan(Db& db, const std::string& id, std::string_view plan) {
  return db.run("UPDATE runs SET plan=?2 WHERE id=?1", id, plan);
}

Result<void> set_run_cancel(Db& db, const std::string& id, std::string_view why) {
  return db.run("UPDATE runs SET cancel=?2 WHERE id=?1 AND state<>'finished'", id, why);
}

Result<void> finish_run(Db& db, const std::string& id, std::string_view verdict, std::string_view headline,
                        int64_t exit_code, int64_t now_ms) {
  return db.run(
      "UPDATE runs SET state='finished', verdict=?2, headline=?3, exit_code=?4, finished_ms=?5"
      " WHERE id=?1 AND state<>'finished'",
      id, verdict, headline, exit_code, now_ms);
}

Result<std::optional<Run>> find_run(Db& db, std::string_view id) {
  return first(select_runs(db, "WHERE id=?", id));
}

Result<bool> has_run(Db& db, std::string_view project, std::string_view branch, std::string_view sha) {
  PAWL_ASSIGN(auto found,
              db.query_int("SELECT 1 FROM runs WHERE project=? AND branch=? AND commit_sha=? LIMIT 1",
                           project, branch, sha));
  return found.has_value();
}

Result<Run> look_up_run(Db& db, std::string_view name) {
  auto missing = [&] {
    return Error(ErrorCode::not_found, fmt::format("there is no run '{}'", to_valid_utf8(name, 80)));
  };
  std::string_view digits = name.starts_with("#") ? name.substr(1) : name;
  Result<std::vector<Run>> found = std::vector<Run>{};
  if (name == "last") {
    found = select_runs(db, "WHERE event_key NOT LIKE 'trial:%' ORDER BY number DESC LIMIT 1");
  } else if (auto number = parse_int(digits); number.ok() && digits.size() <= 9) {
    found = select_runs(db, "WHERE number=?", *number);
  }
  if (found.ok() && found->empty() && is_hex(name) && name.size() >= 7) {
    found = select_runs(db, "WHERE commit_sha BETWEEN ? AND ? ORDER BY number DESC LIMIT 1", name,
                        prefix_end(name));
  } else if (found.ok() && found->empty() && name.size() >= 6) {
    found = select_runs(db, "WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 2", name, prefix_end(name));
  }
  if (!found.ok()) return std::move(found).error();
  if (found->empty()) return missing();
  if (found->size() > 1) {
    return Error(ErrorCode::invalid,
                 fmt::format("'{}' fits several runs: write more of the id", to_valid_utf8(name, 80)));
  }
  return std::move(found->front());
}

Result<std::vector<Run>> list_runs(Db& db, const RunFilter& filter) {
  return select_runs(
      db,
      "WHERE number < ?1 AND (?2='' OR project=?2) AND (?3='' OR branch=?3) AND (?4='' OR verdict=?4)"
      " ORDER BY number DESC LIMIT ?5",
      filter.before_number, filter.project, filter.branch, filter.verdict, filter.limit);
}

Result<std::vector<Run>> runs_of_commit(Db& db, std::string_view project, std::string_view sha) {
  return select_runs(db, "WHERE project=? AND commit_sha=? ORDER BY number DESC", project, sha);
}

Result<std::vector<Run>> open_runs(Db& db) {
  return select_runs(db, "WHERE state<>'finished' ORDER BY number");
}

Result<std::vector<std::string>> finished_run_ids(Db& db, std::string_view project) {
  PAWL_ASSIGN(Stmt row, db.prepare("SELECT id FROM runs WHERE project=? AND state='finished' ORDER BY id"));
  row.bind_all(project);
  std::vector<std::string> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back(row.string(0));
  }
}

Result<void> insert_stage(Db& db, const Stage& stage) {
  return db.run("INSERT INTO stages (run_id, name, position, state) VALUES (?,?,?,?)", stage.run_id,
                stage.name, stage.position, stage.state);
}

Result<void> set_stage_state(Db& db, const std::string& run_id, std::string_view name,
                             std::string_view state) {
  return db.run("UPDATE stages SET state=?3 WHERE run_id=?1 AND name=?2", run_id, name, state);
}

Result<std::vector<Stage>> stages_of(Db& db, std::string_view run_id) {
  PAWL_ASSIGN(
      Stmt statement,
      db.prepare("SELECT run_id, name, position, state FROM stages WHERE run_id=? ORDER BY position"));
  statement.bind_all(run_id);
  std::vector<Stage> out;
  while (true) {
    PAWL_ASSIGN(bool row, statement.step());
    if (!row) return out;
    out.push_back({statement.string(0), statement.string(1), statement.integer(2), statement.string(3)});
  }
}

Result<void> insert_attempt(Db& db, const Attempt& a) {
  return db.run(
      "INSERT INTO attempts (run_id, stage, number, fence, state, cpus, gpus, started_ms) VALUES "
      "(?,?,?,?,?,?,?,?)",
      a.run_id, a.stage, a.number, a.fence, a.state, a.cpus, a.gpus, a.started_ms);
}

Result<void> update_attempt(Db& db, const Attempt& a) {
  return db.run(
      "UPDATE attempts SET fence=?4, state=?5, outcome=?6, reason=?7, steps=?8, steps_per_s=?9, "
      "last_loss=?10,"
      " finished_ms=?11, result=?12 WHERE run_id=?1 AND stage=?2 AND number=?3",
      a.run_id, a.stage, a.number, a.fence, a.state, a.outcome, a.reason, a.steps, a.steps_per_s, a.last_loss,
      a.finished_ms, a.result);
}

Result<std::vector<Attempt>> attempts_of(Db& db, std::string_view run_id) {
  PAWL_ASSIGN(
      Stmt row,
      db.prepare("SELECT a.run_id, a.stage, a.number, a.fence, a.state, a.cpus, a.gpus, a.outcome, a.reason, "
                 "a.steps, a.steps_per_s,"
                 " a.last_loss, a.started_ms, a.finished_ms, a.result FROM attempts a JOIN stages s"
                 " ON s.run_id=a.run_id AND s.name=a.stage WHERE a.run_id=? ORDER BY s.position, a.number"));
  row.bind_all(run_id);
  std::vector<Attempt> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    Attempt a;
    a.run_id = row.string(0);
    a.stage = row.string(1);
    a.number = row.integer(2);
    a.fence = row.integer(3);
    a.state = row.string(4);
    a.cpus = row.integer(5);
    a.gpus = row.string(6);
    a.outcome = optional_text(row, 7);
    a.reason = row.string(8);
    a.steps = optional_integer(row, 9);
    a.steps_per_s = optional_real(row, 10);
    a.last_loss = optional_real(row, 11);
    a.started_ms = row.integer(12);
    a.finished_ms = optional_integer(row, 13);
    a.result = row.string(14);
    out.push_back(std::move(a));
  }
}

}  // namespace pawl::store
