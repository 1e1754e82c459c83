#include "engine/cli/local_engine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/cli/output.h"
#include "engine/cli/progress_line.h"
#include "engine/core/run_json.h"

namespace pawl::cli {

// Shows what happens: stage output as it comes, each line behind the stage's name (so that no line of a
// training can pass for a command to the CI system around us), and the progress line; when quiet, only the
// rules that fire.
class LocalEngine::Screen {
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
    if (quiet_) return;
    print_log(json_string(*body, "run"), json_string(*body, "stage"), json_int(*body, "attempt"));
    line_.update(*body, clock_.monotonic_ms());
  }
  void clear() { line_.clear(); }

 private:
  // A stage may end before its supervisor was heard at all: what it printed is shown when its state changes.
  void on_run(const Json& body) {
    if (quiet_) return;
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
    std::string path = home_.attempt(run, stage, attempt) + "/log";
    Shown& shown = shown_[path];
    shown.stage = stage;
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
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

LocalEngine::LocalEngine() = default;
LocalEngine::~LocalEngine() = default;

core::Engine& LocalEngine::engine() {
  return *engine_;
}

Result<std::unique_ptr<LocalEngine>> LocalEngine::open(const core::Home& home, bool quiet) {
  set_log_level(LogLevel::warning);
  std::unique_ptr<LocalEngine> local(new LocalEngine());
  PAWL_ASSIGN(core::Install install, core::find_install());
  auto engine = core::Engine::open(home, install, this_machine(), local->loop_, local->clock_);
  if (!engine.ok()) {
    if (engine.error().code() != ErrorCode::conflict) return std::move(engine).error();
    return Error(
        ErrorCode::conflict,
        fmt::format(
            "another pawl works in {}: wait for it, push to its daemon, or give this run a home of its own"
            " with --home",
            home.root));
  }
  local->engine_ = std::move(*engine);
  local->screen_ = std::make_unique<Screen>(local->engine_->home(), quiet, local->clock_);
  local->engine_->on_event([self = local.get()](const core::Event& event) { self->on_event(event); });
  local->loop_.watch_readable(local->signals_.fd(), [self = local.get()] { self->on_signal(); });
  local->engine_->abandon_open_runs();
  return local;
}

void LocalEngine::on_event(const core::Event& event) {
  screen_->on_event(event);
  if (event.topic != "run" || event.run_id != run_id_) return;
  auto body = parse_json(event.json, "event");
  if (body.ok() && json_string(*body, "state") == "finished") loop_.stop();
}

void LocalEngine::on_signal() {
  signals_.take();
  screen_->clear();
  if (++interrupts_ > 1) _exit(130);
  std::fputs("pawl: stopping; once more ends pawl at once\n", stderr);
  if (auto cancelled = engine_->cancel(run_id_, "interrupt"); !cancelled.ok()) loop_.stop();
}

Result<store::Run> LocalEngine::run(const core::NewRun& request) {
  if (interrupts_ > 0) return Error(ErrorCode::cancelled, "interrupted");
  PAWL_ASSIGN(store::Run run, engine_->create_run(request));
  run_id_ = run.id;
  loop_.run();
  screen_->clear();
  PAWL_ASSIGN(auto finished, store::find_run(engine_->db(), run_id_));
  PAWL_CHECK(finished && finished->finished());
  return *finished;
}

}  // namespace pawl::cli
