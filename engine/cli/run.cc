// pawl run: one run of a commit here and now, with the engine a daemon has, and the same verdict and exit
// code.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/base/ids.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/local_engine.h"
#include "engine/cli/output.h"
#include "engine/cli/project_name.h"
#include "engine/cli/record.h"
#include "engine/cli/record_elsewhere.h"
#include "engine/core/merge_record.h"
#include "engine/core/push_events.h"
#include "engine/core/run_json.h"
#include "engine/core/whose_gate.h"
#include "engine/trigger/ancestry.h"
#include "engine/trigger/git.h"
#include "pipelines/parse.h"

namespace pawl::cli {
namespace {

// A folder for a dataset that nobody declares would be ignored, and the run would take the declared one. A
// pipeline that cannot be read is not judged here: the run says what is wrong with it.
Result<void> check_datasets(const RunOptions& options, const trigger::Repository& repository,
                            const std::string& sha) {
  if (options.data.empty()) return {};
  auto text = core::pipeline_text_at(repository, sha);
  if (!text.ok() || !*text) return {};
  auto parsed = pipeline::parse_pipeline(**text, ".pawl.yml");
  if (!parsed.ok()) return {};
  std::vector<std::string> declared;
  for (const pipeline::Dataset& dataset : parsed.pipeline->data) declared.push_back(dataset.name);
  for (const auto& [name, path] : options.data) {
    if (std::find(declared.begin(), declared.end(), name) != declared.end()) continue;
    std::string near = did_you_mean(name, declared);
    return Error(ErrorCode::usage,
                 fmt::format("--data {}: {} declares no such dataset{}", name, sha.substr(0, 10),
                             near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
  return {};
}

// Of a detached HEAD, as CI systems make it, their variables know what was checked out. Those of a pull
// request are no branches of the repository ("12/merge"): a fork may call its own branch like our target.
Result<std::string> branch_of_run(const RunOptions& options, const std::string& checked_out) {
  if (!options.branch.empty()) return options.branch;
  if (!checked_out.empty()) return checked_out;
  for (const char* variable :
       {"GITHUB_REF_NAME", "CI_COMMIT_BRANCH", "CI_MERGE_REQUEST_REF_PATH", "BRANCH_NAME"}) {
    const char* value = std::getenv(variable);
    if (value != nullptr && *value != '\0') return std::string(value);
  }
  return Error(
      ErrorCode::usage,
      "HEAD is detached: name the branch that the run counts for with --branch; on no branch it would "
      "never become a baseline");
}

Result<core::NewRun> describe_run(const RunOptions& options, std::string* notice) {
  trigger::Repository repository(options.path);
  PAWL_ASSIGN(std::string sha, repository.resolve(options.ref));
  PAWL_ASSIGN(trigger::Commit commit, repository.commit(sha));
  PAWL_RETURN_IF_ERROR(check_datasets(options, repository, sha));
  PAWL_ASSIGN(std::string branch, repository.current_branch());
  if (options.ref == "HEAD" && repository.has_local_changes().value_or(false)) {
    *notice = fmt::format("running commit {}: changes that are not committed are not part of it",
                          sha.substr(0, 10));
  }
  core::NewRun run;
  PAWL_ASSIGN(run.project, project_name(options.project, repository));
  run.event_key = "manual:" + new_ulid(SystemClock().unix_ms());
  run.trigger = "manual";
  run.note = "pawl run";
  PAWL_ASSIGN(run.branch, branch_of_run(options, branch));
  if (run.branch != options.target && !trigger::shared_head_of_branch(repository, options.target)) {
    *notice += fmt::format("{}this repository has no branch '{}': there is nothing to compare with",
                           notice->empty() ? "" : "; ", sanitize_for_terminal(options.target));
  }
  run.target = options.target;
  run.sha = sha;
  run.subject = commit.subject;
  run.author = commit.author;
  PAWL_ASSIGN(std::string git_dir, repository.git_dir());
  run.source = {git_dir, {}};
  for (const auto& [name, path] : options.data) {
    PAWL_ASSIGN(run.source.data[name], absolute_path(path));
  }
  return run;
}

// The process's exit code, as documented, from the finished run.
Result<int> report_end(const Global& global, core::Engine& engine, const store::Run& run) {
  std::string report = engine.home().report(run.id);
  if (global.json) {
    PAWL_ASSIGN(Json full, core::full_run_json(engine.db(), run));
    full["report"] = report;
    print_json(full);
  } else {
    print(fmt::format("{}  {}\n", paint(*run.verdict, tone_of(engine.db(), run)),
                      sanitize_for_terminal(run.headline)));
    PAWL_ASSIGN(const std::string note, core::gate_note(engine.db(), run));
    if (!note.empty()) print(sanitize_for_terminal(note) + "\n");
    print(fmt::format("run {} took {}; `pawl show {}` has the details, {}/report.html the page\n", run.number,
                      format_duration(*run.finished_ms - run.started_ms.value_or(run.created_ms)), run.number,
                      report));
  }
  return static_cast<int>(run.exit_code.value_or(3));
}

// What is on record there, before the run; the files of earlier runs when the gate asks for them.
Result<void> take_over(core::Engine& engine, const std::shared_ptr<record::RecordStore>& store,
                       const core::NewRun& request, const RunOptions& options) {
  StopSignals::LetThrough signals_end_us;
  const trigger::Repository repository(options.path);
  auto pulled = core::pull_record(engine.db(), *store, request.project, &repository);
  if (!pulled.ok()) return std::move(pulled).error();
  engine.find_files_at(
      [store](const std::string& digest, const std::string& to) { return store->get_file(digest, to); });
  return {};
}

// The run is over and kept here; what fails now is only that nobody else has it yet.
Result<int> share(core::Engine& engine, record::RecordStore& store, const std::string& project,
                  const std::string& record, int exit_code) {
  StopSignals::LetThrough signals_end_us;
  auto pushed =
      core::push_record(engine.db(), store::Cas(engine.home().cas()), store, project, core::machine_name());
  if (!pushed.ok()) {
    return std::move(pushed).error().wrap(fmt::format(
        "the run is kept in {} and not in the record yet: `pawl record push --record {}` sends it",
        engine.home().root, shell_quote(record)));
  }
  print_left_out(*pushed);
  return exit_code;
}

// A mistyped name makes a record of its own, where the first run has nothing to be worse than.
Result<void> tell_of_empty_record(Db& db, const std::string& project) {
  store::RunFilter filter;
  filter.project = project;
  filter.limit = 1;
  PAWL_ASSIGN(const auto runs, store::list_runs(db, filter));
  if (runs.empty())
    std::fprintf(stderr, "pawl: nothing of project '%s' is on record yet: this is its first run\n",
                 project.c_str());
  return {};
}

Result<int> run_here(const Global& global, const RunOptions& options) {
  PAWL_ASSIGN(core::Home home, core::find_home(global.home));
  std::string notice;
  PAWL_ASSIGN(core::NewRun request, describe_run(options, &notice));
  if (!notice.empty()) std::fprintf(stderr, "pawl: %s\n", notice.c_str());
  std::shared_ptr<record::RecordStore> store;
  if (!options.record.empty()) {
    PAWL_ASSIGN(store, open_store(options.record, options.path));
  }
  PAWL_ASSIGN(auto local, LocalEngine::open(home, options.quiet || global.json));
  if (store) {
    PAWL_RETURN_IF_ERROR(take_over(local->engine(), store, request, options));
    PAWL_RETURN_IF_ERROR(tell_of_empty_record(local->engine().db(), request.project));
  }
  PAWL_ASSIGN(const store::Run run, local->run(request));
  PAWL_ASSIGN(int exit_code, report_end(global, local->engine(), run));
  if (!store) return exit_code;
  return share(local->engine(), *store, request.project, options.record, exit_code);
}

}  // namespace

int run(const Global& global, const RunOptions& options) {
  auto result = run_here(global, options);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
