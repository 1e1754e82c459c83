// pawl run: one run of a commit here and now, with the engine a daemon has, and the same verdict and exit
// code.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/ids.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/local_engine.h"
#include "engine/cli/output.h"
#include "engine/cli/project_name.h"
#include "engine/cli/record.h"
#include "engine/core/push_events.h"
#include "engine/core/run_json.h"
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
  const bool known_target = repository.resolve("refs/heads/" + options.target).ok() ||
                            repository.resolve("refs/remotes/origin/" + options.target).ok();
  if (!known_target && branch != options.target) {
    *notice += fmt::format(
        "{}this clone has no branch '{}', neither its own nor origin's: there is nothing to compare with",
        notice->empty() ? "" : "; ", sanitize_for_terminal(options.target));
  }
  core::NewRun run;
  PAWL_ASSIGN(run.project, project_name(options.project, repository));
  run.event_key = "manual:" + new_ulid(SystemClock().unix_ms());
  run.trigger = "manual";
  run.note = "pawl run";
  run.branch = !options.branch.empty() ? options.branch : !branch.empty() ? branch : "HEAD";
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
    print(fmt::format("run {} took {}; `pawl show {}` has the details, {}/report.html the page\n", run.number,
                      format_duration(*run.finished_ms - run.started_ms.value_or(run.created_ms)), run.number,
                      report));
  }
  return static_cast<int>(run.exit_code.value_or(3));
}

Result<int> run_here(const Global& global, const RunOptions& options) {
  PAWL_ASSIGN(core::Home home, core::find_home(global.home));
  std::string notice;
  PAWL_ASSIGN(core::NewRun request, describe_run(options, &notice));
  if (!notice.empty()) std::fprintf(stderr, "pawl: %s\n", notice.c_str());
  PAWL_ASSIGN(auto local, LocalEngine::open(home, options.quiet || global.json));
  PAWL_ASSIGN(const store::Run run, local->run(request));
  return report_end(global, local->engine(), run);
}

}  // namespace

int run(const Global& global, const RunOptions& options) {
  auto result = run_here(global, options);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
