// pawl status: what goes on now, why a run waits, and following one to its end.

#include <fmt/format.h>
#include <poll.h>

#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/daemon_client.h"
#include "engine/cli/follow_run.h"
#include "engine/cli/output.h"
#include "engine/cli/progress_line.h"
#include "engine/cli/record.h"
#include "engine/core/run_json.h"
#include "engine/core/whose_gate.h"
#include "engine/supervise/client.h"

namespace pawl::cli {
namespace {

// A supervisor tells its state right after the connection is made.
bool readable_soon(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return poll(&waiting, 1, 1000) > 0;
}

// What the supervisors of a run say right now, one state per running attempt.
Json live_states(Record& record, const store::Run& run) {
  Json out = Json::array();
  auto attempts = store::attempts_of(record.db, run.id);
  if (!attempts.ok()) return out;
  for (const store::Attempt& attempt : *attempts) {
    if (attempt.state == "finished") continue;
    std::string dir = record.home.attempt(run.id, attempt.stage, attempt.number);
    auto live = supervise::LiveConnection::connect(dir);
    if (!live.ok() || !readable_soon(live->fd())) continue;
    auto messages = live->read();
    if (!messages.ok()) continue;
    for (const supervise::LiveMessage& message : *messages) {
      if (!std::holds_alternative<supervise::LiveState>(message)) continue;
      Json state = parse_json(supervise::live_line(message), "live state").value_or(Json::object());
      state["stage"] = attempt.stage;
      out.push_back(std::move(state));
    }
  }
  return out;
}

// From the daemon, which knows why a run waits; else the open runs of the record.
Result<Json> overview(Record& record) {
  if (auto daemon = DaemonClient::connect(record.home); daemon.ok()) return daemon->get("/api/v1/status");
  PAWL_ASSIGN(auto open, store::open_runs(record.db));
  Json runs = Json::array();
  for (const store::Run& run : open) runs.push_back(core::run_json(run));
  return Json{{"runs", runs}};
}

Result<int> show_now(const Global& global) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(Json now, overview(record));
  std::string text;
  for (Json& entry : now["runs"]) {
    PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, json_string(entry, "id")));
    entry["live"] = live_states(record, run);
    text += fmt::format("run {}  {}  {} at {} ({})\n", run.number, run.state, run.project,
                        run.commit_sha.substr(0, 8), sanitize_for_terminal(run.branch));
    for (const Json& state : entry["live"]) text += "  " + progress_text(state) + "\n";
    std::string waiting = json_string(entry, "waiting");
    if (!waiting.empty()) text += fmt::format("  waiting: {}\n", sanitize_for_terminal(waiting));
  }
  if (global.json) {
    print_json(now);
  } else {
    print(text.empty() ? "nothing runs\n" : text);
  }
  return 0;
}

Result<int> show_one(const Global& global, const std::string& name) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, name));
  Json out = core::run_json(run);
  std::string text = fmt::format("run {}  {}  {}\n", run.number, run.verdict.value_or(run.state),
                                 sanitize_for_terminal(run.headline));
  if (!run.finished()) {
    out["live"] = live_states(record, run);
    for (const Json& state : out["live"]) text += "  " + progress_text(state) + "\n";
    PAWL_ASSIGN(Json now, overview(record));
    for (const Json& entry : now["runs"]) {
      if (json_string(entry, "id") != run.id) continue;
      out["waiting"] = json_string(entry, "waiting");
      if (!json_string(entry, "waiting").empty()) {
        text += fmt::format("  waiting: {}\n", sanitize_for_terminal(json_string(entry, "waiting")));
      }
    }
  }
  if (global.json) {
    print_json(out);
  } else {
    print(text);
  }
  return 0;
}

Result<int> follow(const Global& global, const std::string& name) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, name));
  if (!run.finished()) {
    PAWL_RETURN_IF_ERROR(follow_run(record, run.id, global.json));
    PAWL_ASSIGN(auto now, store::find_run(record.db, run.id));
    run = *now;
  }
  if (global.json) {
    PAWL_ASSIGN(Json full, core::full_run_json(record.db, run));
    print_json(full);
  } else {
    print(fmt::format("{}  {}\n", paint(run.verdict.value_or(""), tone_of(record.db, run)),
                      sanitize_for_terminal(run.headline)));
    PAWL_ASSIGN(const std::string note, core::gate_note(record.db, run));
    if (!note.empty()) print(sanitize_for_terminal(note) + "\n");
  }
  return static_cast<int>(run.exit_code.value_or(3));
}

}  // namespace

int status(const Global& global, const StatusOptions& options) {
  auto result = options.follow        ? follow(global, options.run.empty() ? "last" : options.run)
                : options.run.empty() ? show_now(global)
                                      : show_one(global, options.run);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
