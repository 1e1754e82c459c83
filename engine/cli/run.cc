// pawl run: one run of a commit here and now, with the engine a daemon has, and the same verdict and exit
// code.

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/clock.h"
#include "engine/base/ids.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/engine_options.h"
#include "engine/cli/output.h"
#include "engine/cli/progress_line.h"
#include "engine/cli/record.h"
#include "engine/core/engine.h"
#include "engine/core/push_events.h"
#include "engine/core/run_json.h"
#include "engine/trigger/git.h"
#include "pipelines/parse.h"

namespace pawl::cli {
namespace {

Result<std::string> project_name(const RunOptions& options, const trigger::Repository& repository) {
  if (!options.project.empty()) {
    if (core::valid_project_name(options.project)) return options.project;
    return Error(ErrorCode::usage, fmt::format("'{}' cannot be a project's name", options.project));
  }
  PAWL_ASSIGN(std::string origin, repository.origin_url());
  PAWL_ASSIGN(std::string folder, repository.work_dir());
  return core::project_name_from_url(origin.empty() ? folder : origin);
}

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
  PAWL_ASSIGN(run.project, project_name(options, repository));
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

// Shows what happens: stage output as it comes, each line behind the stage's name (so that no line of a
// training can pass for a command to the CI system around us), and the progress line.
class Screen {
 public:
  Screen(const core::Home& home, bool quiet, const Clock& clock)
      : home_(home), quiet_(quiet), clock_(clock) {}

  void on_event(const core::Event& event) {
    auto body = parse_json(event.json, "event");
    if (!body.ok()) return;
    if (event.topic == "run") return on_run(*body);
    std::string type = json_string(*body, "type");
    if (type == "finding") return on_finding(*body);
    if (type != "state") return;
    print_log(json_string(*body, "run"), json_string(*body, "stage"), json_int(*body, "attempt"));
    line_.update(*body, clock_.monotonic_ms());
  }
  void clear() { line_.clear(); }

 private:
  // A stage may end before its supervisor was heard at all: what it printed is shown when its state changes.
  void on_run(const Json& body) {
    for (const Json& stage : body.value("stages", Json::array())) {
      int64_t attempt = json_int(stage, "attempt");
      if (attempt > 0) print_log(json_string(body, "run"), json_string(stage, "name"), attempt);
    }
    if (json_string(body, "state") == "finished") flush();
  }

  void on_finding(const Json& body) {
    line_.clear();
    std::fprintf(stderr, "%s\n", finding_text(body).c_str());
  }

  void print_log(const std::string& run, const std::string& stage, int64_t attempt) {
    if (quiet_) return;
    std::string path = home_.attempt(run, stage, attempt) + "/log";
    Shown& shown = shown_[path];
    shown.stage = stage;
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return;
    char buffer[65536];
    for (ssize_t n; (n = pread(fd.get(), buffer, sizeof buffer, static_cast<off_t>(shown.offset))) > 0;) {
      shown.offset += static_cast<uint64_t>(n);
      shown.rest.append(buffer, static_cast<size_t>(n));
    }
    size_t end = shown.rest.find_last_of('\n');
    if (end == std::string::npos) return;
    print_lines(stage, std::string_view(shown.rest).substr(0, end));
    shown.rest.erase(0, end + 1);
  }

  // Last lines that have no newline.
  void flush() {
    for (auto& [path, shown] : shown_) {
      if (!shown.rest.empty()) print_lines(shown.stage, shown.rest);
      shown.rest.clear();
    }
  }

  void print_lines(const std::string& stage, std::string_view lines) {
    line_.clear();
    for (std::string_view text : split(lines, '\n')) {
      std::fprintf(stderr, "%s %s\n", paint(stage + " |", Tone::dim).c_str(),
                   sanitize_for_terminal(text).c_str());
    }
  }

  struct Shown {
    std::string stage;
    uint64_t offset = 0;
    std::string rest;
  };

  const core::Home& home_;
  bool quiet_;
  const Clock& clock_;
  ProgressLine line_;
  std::map<std::string, Shown> shown_;  // by path of the log
};

// The process's exit code, as documented, from the finished run.
Result<int> report_end(const Global& global, core::Engine& engine, const std::string& run_id) {
  PAWL_ASSIGN(auto run, store::find_run(engine.db(), run_id));
  PAWL_CHECK(run && run->finished());
  std::string report = engine.home().report(run_id);
  if (global.json) {
    PAWL_ASSIGN(Json full, core::full_run_json(engine.db(), *run));
    full["report"] = report;
    print_json(full);
  } else {
    print(fmt::format("{}  {}\n", paint(*run->verdict, tone_of(engine.db(), *run)),
                      sanitize_for_terminal(run->headline)));
    print(fmt::format(
        "run {} took {}; `pawl show {}` has the details, {}/report.html the page\n", run->number,
        format_duration(*run->finished_ms - run->started_ms.value_or(run->created_ms)), run->number, report));
  }
  return static_cast<int>(run->exit_code.value_or(3));
}

Result<int> run_here(const Global& global, const RunOptions& options) {
  PAWL_ASSIGN(core::Home home, core::find_home(global.home));
  std::string notice;
  PAWL_ASSIGN(core::NewRun request, describe_run(options, &notice));
  if (!notice.empty()) std::fprintf(stderr, "pawl: %s\n", notice.c_str());

  set_log_level(LogLevel::warning);
  SystemClock clock;
  EventLoop loop;
  StopSignals signals;  // before any thread is made, so that all inherit the mask
  PAWL_ASSIGN(core::Install install, core::find_install());
  auto engine = core::Engine::open(home, install, this_machine(), loop, clock);
  if (!engine.ok()) {
    if (engine.error().code() != ErrorCode::conflict) return std::move(engine).error();
    return Error(
        ErrorCode::conflict,
        fmt::format(
            "another pawl works in {}: wait for it, push to its daemon, or give this run a home of its own"
            " with --home",
            home.root));
  }
  core::Engine& e = **engine;
  Screen screen(e.home(), options.quiet || global.json, clock);
  std::string run_id;
  e.on_event([&](const core::Event& event) {
    screen.on_event(event);
    if (event.topic != "run" || event.run_id != run_id) return;
    auto body = parse_json(event.json, "event");
    if (body.ok() && json_string(*body, "state") == "finished") loop.stop();
  });
  int interrupts = 0;
  loop.watch_readable(signals.fd(), [&] {
    signals.take();
    screen.clear();
    if (++interrupts > 1) _exit(130);
    std::fputs("pawl: stopping; once more ends pawl at once\n", stderr);
    if (auto cancelled = e.cancel(run_id, "interrupt"); !cancelled.ok()) loop.stop();
  });
  e.abandon_open_runs();
  PAWL_ASSIGN(store::Run run, e.create_run(request));
  run_id = run.id;
  loop.run();
  screen.clear();
  return report_end(global, e, run_id);
}

}  // namespace

int run(const Global& global, const RunOptions& options) {
  auto result = run_here(global, options);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
