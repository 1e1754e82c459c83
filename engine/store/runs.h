// Runs and their stages and attempts: the state the engine resumes from after a crash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/sqlite.h"

namespace pawl::store {

struct Run {
  int64_t number = 0;
  std::string id;
  std::string project;
  std::string event_key;
  std::string trigger;  // push, pull_request, data, schedule, manual, rerun
  std::string trigger_note;
  std::string branch;
  std::string target;
  std::string commit_sha;
  std::string subject;
  std::string author;
  std::string state = "queued";
  std::string cancel;
  std::string plan;
  std::optional<std::string> verdict;
  std::string headline;
  std::optional<int64_t> exit_code;
  int64_t created_ms = 0;
  std::optional<int64_t> started_ms;
  std::optional<int64_t> finished_ms;
  std::string origin = "";  // where a run was made that a record brought; empty: here

  bool finished() const { return verdict.has_value(); }
  bool made_here() const { return origin.empty(); }
};

struct Stage {
  std::string run_id;
  std::string name;
  int64_t position = 0;
  std::string state = "waiting";
};

struct Attempt {
  std::string run_id;
  std::string stage;
  int64_t number = 0;
  int64_t fence = 1;  // grows with every start of the attempt
  std::string state;  // starting, running, finished
  int64_t cpus = 0;
  std::string gpus = "[]";
  std::optional<std::string> outcome;
  std::string reason;
  std::optional<int64_t> steps;
  std::optional<double> steps_per_s;
  std::optional<double> last_loss;
  int64_t started_ms = 0;
  std::optional<int64_t> finished_ms;
  std::string result;
};

// Inserts with the next number, which is returned. Error conflict when the event key or id is known.
Result<int64_t> insert_run(Db& db, const Run& run);
// A finished run that was made elsewhere, whole, with the next number here, which is returned. Error conflict
// when the id is known.
Result<int64_t> insert_finished_run(Db& db, const Run& run);
Result<void> set_run_state(Db& db, const std::string& id, std::string_view state, int64_t now_ms);
Result<void> set_run_plan(Db& db, const std::string& id, std::string_view plan);
Result<void> set_run_cancel(Db& db, const std::string& id, std::string_view why);
Result<void> finish_run(Db& db, const std::string& id, std::string_view verdict, std::string_view headline,
                        int64_t exit_code, int64_t now_ms);

Result<std::optional<Run>> find_run(Db& db, std::string_view id);
// Whether any run was made of the commit for the branch.
Result<bool> has_run(Db& db, std::string_view project, std::string_view branch, std::string_view sha);
// Of a commit, newest first.
Result<std::vector<Run>> runs_of_commit(Db& db, std::string_view project, std::string_view sha);
// By number ("12", "#12"), ULID, ULID prefix of at least 6 characters, commit prefix of at least 7 (newest
// run), or "last" (that is no trial). Error not_found or, when ambiguous, invalid.
Result<Run> look_up_run(Db& db, std::string_view name);

struct RunFilter {
  std::string project;  // empty: all
  std::string branch;   // empty: all
  std::string verdict;  // empty: all
  int64_t limit = 50;
  int64_t before_number = INT64_MAX;
};
Result<std::vector<Run>> list_runs(Db& db, const RunFilter& filter);  // newest first
Result<std::vector<Run>> open_runs(Db& db);                           // not finished, oldest first
// Ids of the project's finished runs, in their order.
Result<std::vector<std::string>> finished_run_ids(Db& db, std::string_view project);

Result<void> insert_stage(Db& db, const Stage& stage);
Result<void> set_stage_state(Db& db, const std::string& run_id, std::string_view name,
                             std::string_view state);
Result<std::vector<Stage>> stages_of(Db& db, std::string_view run_id);  // by position

Result<void> insert_attempt(Db& db, const Attempt& attempt);
Result<void> update_attempt(Db& db, const Attempt& attempt);                // all but the key
Result<std::vector<Attempt>> attempts_of(Db& db, std::string_view run_id);  // by stage position, number

}  // namespace pawl::store
