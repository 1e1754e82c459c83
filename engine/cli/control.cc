// pawl cancel, rerun, baseline, artifacts: acting on runs. With a daemon running, it acts; without one, what
// needs no engine is done on the record itself, under its lock.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/base/clock.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/daemon_client.h"
#include "engine/cli/output.h"
#include "engine/cli/record.h"
#include "engine/cli/user_name.h"
#include "engine/core/pin.h"
#include "engine/core/run_json.h"
#include "engine/core/unpin.h"
#include "engine/store/cas.h"
#include "engine/store/database.h"
#include "engine/store/results.h"
#include "engine/store/verdicts.h"

namespace pawl::cli {
namespace {

// The id of the run a person named.
Result<store::Run> named_run(const Global& global, const std::string& name) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  return store::look_up_run(record.db, name);
}

Result<int> post_to_run(const Global& global, const std::string& name, std::string_view action) {
  PAWL_ASSIGN(store::Run run, named_run(global, name));
  PAWL_ASSIGN(core::Home home, core::find_home(global.home));
  PAWL_ASSIGN(DaemonClient daemon, DaemonClient::connect(home));
  PAWL_ASSIGN(Json answer,
              daemon.post(fmt::format("/api/v1/runs/{}/{}", run.id, action), {{"who", user_name()}}));
  if (global.json) {
    print_json(answer);
  } else if (action == "rerun") {
    print(fmt::format("run {} started\n", json_int(answer, "number")));
  } else {
    print(fmt::format("run {} is being cancelled\n", run.number));
  }
  return 0;
}

// How a baseline got there: "pin", "green", or "late" after a run of a later commit.
Cell cause_cell(const store::Baseline& b) {
  return {b.newer_run ? b.cause + ", late" : b.cause};
}

Result<int> list_baselines(const Global& global, const std::string& project) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(auto current, store::current_baselines(record.db, project));
  if (global.json) {
    Json out = Json::array();
    for (const auto& b : current) out.push_back(core::current_baseline_json(b));
    print_json({{"baselines", out}});
    return 0;
  }
  std::vector<std::vector<Cell>> rows;
  int64_t now = SystemClock().unix_ms();
  for (const auto& b : current) {
    rows.push_back({{b.project},
                    {b.branch},
                    {std::to_string(b.run_number)},
                    {b.commit.substr(0, 8)},
                    {b.verdict, verdict_tone(b.verdict)},
                    {b.is_pin() ? "pinned" : "", Tone::warn},
                    {age(b.created_ms, now), Tone::dim},
                    {b.why}});
  }
  print(rows.empty()
            ? "no baselines yet\n"
            : render_table({"project", "branch", "run", "commit", "verdict", "", "since", "why"}, rows));
  return 0;
}

Result<int> list_history(const Global& global, const std::string& project) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(auto history, store::baseline_history(record.db, project));
  if (global.json) {
    Json out = Json::array();
    for (const auto& b : history) out.push_back(core::baseline_event_json(b));
    print_json({{"baselines", out}});
    return 0;
  }
  std::vector<std::vector<Cell>> rows;
  int64_t now = SystemClock().unix_ms();
  for (const auto& b : history) {
    rows.push_back({{age(b.created_ms, now), Tone::dim},
                    {b.project},
                    {b.branch},
                    cause_cell(b),
                    {std::to_string(b.run_number)},
                    {b.commit.substr(0, 8)},
                    {b.verdict, verdict_tone(b.verdict)},
                    {b.who},
                    {b.why}});
  }
  print(rows.empty()
            ? "no baselines yet\n"
            : render_table({"when", "project", "branch", "cause", "run", "commit", "verdict", "who", "why"},
                           rows));
  return 0;
}

Result<store::Baseline> unpin_here(const core::Home& home, const core::Unpin& unpin) {
  PAWL_ASSIGN(FileLock lock, FileLock::try_acquire(home.lock()));
  PAWL_ASSIGN(Db db, store::open_record(home.database()));
  return core::unpin_baseline(db, unpin, SystemClock().unix_ms());
}

Result<int> unpin(const Global& global, const UnpinOptions& options) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  const core::Home& home = record.home;
  core::Unpin unpin{options.project, options.branch, user_name(), options.why};
  Json event;
  if (auto daemon = DaemonClient::connect(home); daemon.ok()) {
    PAWL_ASSIGN(event, daemon->post("/api/v1/baselines/unpin", {{"project", unpin.project},
                                                                {"branch", unpin.branch},
                                                                {"who", unpin.who},
                                                                {"why", unpin.why}}));
  } else {
    PAWL_ASSIGN(store::Baseline baseline, unpin_here(home, unpin));
    event = core::baseline_event_json(baseline);
  }
  if (global.json) {
    print_json(event);
  } else {
    print(fmt::format("run {} is no longer pinned as the baseline of {} in {}\n", json_int(event, "number"),
                      json_string(event, "branch"), json_string(event, "project")));
  }
  return 0;
}

// Without a daemon: the same row, written under the home's lock.
Result<store::Baseline> pin_here(const core::Home& home, const core::Pin& pin) {
  PAWL_ASSIGN(FileLock lock, FileLock::try_acquire(home.lock()));
  PAWL_ASSIGN(Db db, store::open_record(home.database()));
  return core::pin_baseline(db, pin, SystemClock().unix_ms());
}

Result<int> pin(const Global& global, const PinOptions& options) {
  PAWL_ASSIGN(store::Run run, named_run(global, options.run));
  PAWL_ASSIGN(core::Home home, core::find_home(global.home));
  core::Pin pin{run.id, user_name(), options.why, options.red};
  Json answer;
  if (auto daemon = DaemonClient::connect(home); daemon.ok()) {
    PAWL_ASSIGN(answer,
                daemon->post("/api/v1/baselines",
                             {{"run", pin.run_id}, {"who", pin.who}, {"why", pin.why}, {"red", pin.red}}));
  } else {
    PAWL_ASSIGN(store::Baseline baseline, pin_here(home, pin));
    answer = core::baseline_json(baseline);
  }
  if (global.json) {
    print_json(answer);
  } else {
    print(fmt::format("run {} ({}) is now the baseline of {} in {}\n", run.number,
                      run.commit_sha.substr(0, 8), run.target, run.project));
  }
  return 0;
}

Result<int> list_artifacts(const Global& global, const std::string& name) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, name));
  PAWL_ASSIGN(auto artifacts, store::artifacts_of(record.db, run.id));
  if (global.json) {
    Json out = Json::array();
    for (const auto& a : artifacts) out.push_back(core::artifact_json(a));
    print_json({{"artifacts", out}});
    return 0;
  }
  std::vector<std::vector<Cell>> rows;
  for (const auto& a : artifacts) {
    rows.push_back(
        {{a.stage + "/" + a.path}, {format_bytes(static_cast<uint64_t>(a.bytes))}, {a.digest.substr(0, 19)}});
  }
  print(rows.empty() ? "no artifacts\n" : render_table({"artifact", "size", "digest"}, rows));
  return 0;
}

// "-" is standard output.
Result<UniqueFd> open_output(const std::string& path, bool force) {
  const int existing = force ? O_TRUNC : O_EXCL;
  UniqueFd fd(path == "-" ? dup(STDOUT_FILENO)
                          : open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | existing, 0644));
  if (!fd && errno == EEXIST)
    return Error(ErrorCode::conflict, "is there already: --force overwrites it", path);
  if (!fd) return errno_error("cannot create", path, errno);
  return fd;
}

Result<int> get_artifact(const Global& global, const ArtifactOptions& options) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, options.run));
  PAWL_ASSIGN(auto artifacts, store::artifacts_of(record.db, run.id));
  std::vector<store::Artifact> found;
  for (const auto& a : artifacts) {
    if (a.path == options.path || a.stage + "/" + a.path == options.path) found.push_back(a);
  }
  if (found.empty()) {
    return Error(ErrorCode::not_found,
                 fmt::format("run {} has no artifact '{}': see `pawl artifacts list {}`", run.number,
                             sanitize_for_terminal(options.path), run.number));
  }
  if (found.size() > 1) {
    return Error(ErrorCode::usage, fmt::format("several stages have '{}': write {}/{}", options.path,
                                               found[0].stage, options.path));
  }
  const store::Cas cas(record.home.cas());
  if (!run.made_here() && !cas.has(found[0].digest)) {
    return Error(ErrorCode::not_found,
                 fmt::format("run {} was made elsewhere ({}): this file of it is not here", run.number,
                             sanitize_for_terminal(run.origin)));
  }
  PAWL_ASSIGN(std::string from, cas.path_of(found[0].digest));
  UniqueFd source(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) return errno_error("cannot open", from, errno);
  std::string output =
      options.output.empty() ? found[0].path.substr(found[0].path.find_last_of('/') + 1) : options.output;
  PAWL_ASSIGN(UniqueFd target, open_output(output, options.force));
  std::string buffer(1 << 18, '\0');
  while (true) {
    ssize_t n = read(source.get(), buffer.data(), buffer.size());
    if (n < 0) return errno_error("cannot read", from, errno);
    if (n == 0) break;
    PAWL_RETURN_IF_ERROR(write_all(target.get(), std::string_view(buffer).substr(0, static_cast<size_t>(n))));
  }
  if (output != "-" && !global.json)
    print(fmt::format("{} ({})\n", output, format_bytes(static_cast<uint64_t>(found[0].bytes))));
  if (output != "-" && global.json) print_json(core::artifact_json(found[0]));
  return 0;
}

int finish(Result<int> result) {
  return result.ok() ? *result : fail(result.error());
}

}  // namespace

int rerun(const Global& global, const std::string& run) {
  return finish(post_to_run(global, run, "rerun"));
}
int cancel(const Global& global, const std::string& run) {
  return finish(post_to_run(global, run, "cancel"));
}
int baseline_list(const Global& global, const std::string& project) {
  return finish(list_baselines(global, project));
}
int baseline_history(const Global& global, const std::string& project) {
  return finish(list_history(global, project));
}
int baseline_unpin(const Global& global, const UnpinOptions& options) {
  return finish(unpin(global, options));
}
int baseline_pin(const Global& global, const PinOptions& options) {
  return finish(pin(global, options));
}
int artifacts_list(const Global& global, const std::string& run) {
  return finish(list_artifacts(global, run));
}
int artifacts_get(const Global& global, const ArtifactOptions& options) {
  return finish(get_artifact(global, options));
}

}  // namespace pawl::cli
