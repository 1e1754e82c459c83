#include "engine/http/api.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/ids.h"
#include "engine/base/text.h"
#include "engine/core/run_json.h"
#include "engine/http/access.h"
#include "engine/http/pages.h"
#include "engine/http/record_routes.h"
#include "engine/http/session.h"
#include "engine/store/cas.h"
#include "engine/store/database.h"
#include "engine/store/inbox.h"
#include "engine/store/results.h"
#include "engine/store/verdicts.h"

namespace pawl::http {
namespace {

constexpr int kReaderThreads = 2;
constexpr int64_t kMaxRows = 1000;
const std::string kHtml = "text/html; charset=utf-8";

// The same request under another name in its own list: {"runs": [...]}.
template <class Row>
Json list_of(const std::vector<Row>& rows, Json (*convert)(const Row&)) {
  Json out = Json::array();
  for (const Row& row : rows) out.push_back(convert(row));
  return out;
}

std::string query_text(const Request& request, std::string_view name) {
  const std::string* value = request.query_value(name);
  return value != nullptr ? *value : std::string();
}

Result<int64_t> query_number(const Request& request, std::string_view name, int64_t fallback) {
  const std::string* value = request.query_value(name);
  if (value == nullptr) return fallback;
  auto number = parse_int(*value);
  if (!number.ok() || *number < 0)
    return Error(ErrorCode::invalid, fmt::format("'{}' must be a whole number", name));
  return *number;
}

// Body of a command: a JSON object, or nothing.
Result<Json> command_body(const Request& request) {
  if (request.body.empty()) return Json(Json::object());
  PAWL_ASSIGN(Json body, parse_json(request.body, "request body"));
  if (!body.is_object()) return Error(ErrorCode::invalid, "the body must be a JSON object");
  return body;
}

// Who asks, for the record: what the client says, bounded. The token alone decides what is allowed.
std::string who(const Json& body) {
  return to_valid_utf8(json_string(body, "who", "the API"), 100);
}

Result<Response> send_file(const std::string& path, std::string content_type) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return errno_error("cannot open", path, errno);
  return file_response(std::move(fd), std::move(content_type));
}

// The page carries its own, stricter policy too.
Result<Response> report_file(const core::Home& home, const store::Run& run) {
  PAWL_ASSIGN(Response page, send_file(home.report(run.id) + "/report.html", kHtml));
  page.headers.add("Content-Security-Policy", std::string(kPagePolicy));
  return page;
}

Response html_response(int status, std::string html) {
  Response response = text_response(status, kHtml, std::move(html));
  response.headers.add("Content-Security-Policy", std::string(kPagePolicy));
  return response;
}

std::string posted_token(const Request& request) {
  const auto fields = parse_form(request.body, 8);
  if (!fields) return {};
  for (const auto& [name, value] : *fields) {
    if (name == "token") return std::string(trim(value));
  }
  return {};
}

// Nothing is ever published to other topics than these: who misspells one must not wait for ever.
Result<void> check_topics(const std::string& list) {
  for (std::string_view topic : split(list, ',')) {
    if (topic == "runs" || (topic.starts_with("run:") && is_ulid(topic.substr(4)))) continue;
    return Error(
        ErrorCode::invalid,
        fmt::format("'{}' is no topic: they are runs, and run:<id> with the 26 characters of a run's id",
                    to_valid_utf8(topic, 100)));
  }
  return {};
}

int64_t now_s() {
  return SystemClock().unix_ms() / 1000;
}

}  // namespace

struct Api::Waiting {
  core::Engine::Incoming incoming;
  Responder respond;
};

Api::Api(core::Engine& engine, EventLoop& engine_loop)
    : engine_(engine),
      loop_(engine_loop),
      home_(engine.home()),
      events_(new_ulid(SystemClock().unix_ms())),
      readers_("pawl-read", kReaderThreads) {
  config_changed();
  engine_.on_event([this](const core::Event& event) {
    if (event.topic == "run") events_.publish("runs", event.json);
    events_.publish("run:" + event.run_id, event.json);
  });
}

Api::~Api() = default;

void Api::config_changed() {
  Secrets secrets;
  for (const auto& [name, project] : engine_.config().projects) secrets[name] = project.secrets;
  *secrets_.lock() = std::move(secrets);
}

Router Api::router() {
  Router router;
  router.add("GET", "/healthz",
             [](const Request&, const Responder& respond) {
               respond(json_response(200, {{"ok", true}}));
             },
             {Access::open, 0});
  router.add(
      "POST", "/hooks/{project}",
      [this](Request request, Responder respond) { receive_webhook(std::move(request), std::move(respond)); },
      {Access::open, forge::kMaxWebhookBytes});
  add_reading_routes(router);
  add_acting_routes(router);
  add_pages(router);
  add_record_routes(router, engine_, loop_, readers_);
  return router;
}

// --- webhooks
// --------------------------------------------------------------------------------------------------------

// Verified here, stored by the engine thread, answered after the commit and not before.
void Api::receive_webhook(Request request, Responder respond) {
  std::string project = request.param("project");
  std::vector<std::string> secrets;
  {
    auto all = secrets_.lock();
    // An unknown project is refused like a wrong signature, so that names cannot be guessed.
    if (auto it = all->find(project); it != all->end()) secrets = it->second;
  }
  auto delivery = forge::accept_webhook({std::move(request.headers), std::move(request.body)}, secrets);
  if (!delivery.ok()) return respond(error_response(delivery.error()));
  bool first;
  {
    auto waiting = waiting_.lock();
    first = waiting->empty();
    waiting->push_back({{std::move(project), std::move(*delivery)}, std::move(respond)});
  }
  if (first) loop_.post([this] { store_waiting(); });
}

// Everything that came while the last commit was under way goes into the next one.
void Api::store_waiting() {
  std::vector<Waiting> batch;
  batch.swap(*waiting_.lock());
  std::vector<core::Engine::Incoming> incoming;
  for (Waiting& waiting : batch) incoming.push_back(std::move(waiting.incoming));
  std::vector<Result<bool>> stored = engine_.accept_deliveries(incoming);
  for (size_t i = 0; i < batch.size(); ++i) {
    if (!stored[i].ok()) {
      batch[i].respond(error_response(stored[i].error()));
    } else {
      batch[i].respond(json_response(*stored[i] ? 202 : 200,
                                     {{"delivery", incoming[i].delivery.id}, {"new", *stored[i]}}));
    }
  }
}

// --- reading
// ---------------------------------------------------------------------------------------------------------

Handler Api::reading(Query query) {
  return [this, query = std::move(query)](Request request, const Responder& respond) {
    readers_.submit([this, query, request = std::move(request), respond] {
      auto db = store::open_record_for_reading(home_.database());
      if (!db.ok()) return respond(error_response(db.error()));
      auto response = query(*db, request);
      respond(response.ok() ? std::move(*response) : error_response(response.error()));
    });
  };
}

void Api::add_reading_routes(Router& router) {
  router.add("GET", "/api/v1/runs", reading([](Db& db, const Request& request) -> Result<Response> {
               store::RunFilter filter;
               filter.project = query_text(request, "project");
               filter.branch = query_text(request, "branch");
               filter.verdict = query_text(request, "verdict");
               PAWL_ASSIGN(filter.limit, query_number(request, "limit", filter.limit));
               filter.limit = std::min(filter.limit, kMaxRows);
               PAWL_ASSIGN(filter.before_number, query_number(request, "before", filter.before_number));
               PAWL_ASSIGN(auto runs, store::list_runs(db, filter));
               return json_response(200, {{"runs", list_of(runs, core::run_json)}});
             }));
  router.add("GET", "/api/v1/runs/{run}", reading([](Db& db, const Request& request) -> Result<Response> {
               PAWL_ASSIGN(store::Run run, store::look_up_run(db, request.param("run")));
               PAWL_ASSIGN(Json full, core::full_run_json(db, run));
               return json_response(200, full);
             }));
  router.add("GET", "/api/v1/runs/{run}/attempts",
             reading([](Db& db, const Request& request) -> Result<Response> {
               PAWL_ASSIGN(store::Run run, store::look_up_run(db, request.param("run")));
               PAWL_ASSIGN(auto rows, store::attempts_of(db, run.id));
               return json_response(200, {{"attempts", list_of(rows, core::attempt_json)}});
             }));
  router.add("GET", "/api/v1/runs/{run}/metrics",
             reading([](Db& db, const Request& request) -> Result<Response> {
               PAWL_ASSIGN(store::Run run, store::look_up_run(db, request.param("run")));
               PAWL_ASSIGN(auto rows, store::metrics_of(db, run.id));
               return json_response(200, {{"metrics", list_of(rows, core::metric_json)}});
             }));
  router.add("GET", "/api/v1/runs/{run}/findings",
             reading([](Db& db, const Request& request) -> Result<Response> {
               PAWL_ASSIGN(store::Run run, store::look_up_run(db, request.param("run")));
               PAWL_ASSIGN(auto rows, store::findings_of(db, run.id));
               return json_response(200, {{"findings", list_of(rows, core::finding_json)}});
             }));
  router.add("GET", "/api/v1/runs/{run}/logs/{stage}/{attempt}",
             reading([this](Db& db, const Request& request) -> Result<Response> {
               PAWL_ASSIGN(store::Run run, store::look_up_run(db, request.param("run")));
               PAWL_ASSIGN(auto attempts, store::attempts_of(db, run.id));
               for (const store::Attempt& attempt : attempts) {
                 if (attempt.stage != request.param("stage") ||
                     std::to_string(attempt.number) != request.param("attempt"))
                   continue;
                 return send_file(home_.attempt(run.id, attempt.stage, attempt.number) + "/log",
                                  "text/plain; charset=utf-8");
               }
               return Error(ErrorCode::not_found, "there is no such stage or attempt");
             }));
  router.add("GET", "/api/v1/runs/{run}/report",
             reading([this](Db& db, const Request& request) -> Result<Response> {
               PAWL_ASSIGN(store::Run run, store::look_up_run(db, request.param("run")));
               return report_file(home_, run);
             }));
  router.add("GET", "/api/v1/runs/{run}/artifacts/{stage}/{path...}",
             reading([this](Db& db, const Request& request) -> Result<Response> {
               PAWL_ASSIGN(store::Run run, store::look_up_run(db, request.param("run")));
               PAWL_ASSIGN(auto artifacts, store::artifacts_of(db, run.id));
               for (const store::Artifact& artifact : artifacts) {
                 if (artifact.stage != request.param("stage") || artifact.path != request.param("path"))
                   continue;
                 PAWL_ASSIGN(std::string path, store::Cas(home_.cas()).path_of(artifact.digest));
                 PAWL_ASSIGN(Response file, send_file(path, "application/octet-stream"));
                 file.headers.add("Content-Disposition",
                                  attachment(artifact.path.substr(artifact.path.find_last_of('/') + 1)));
                 return file;
               }
               return Error(ErrorCode::not_found, "there is no such artifact");
             }));
  router.add("GET", "/api/v1/baselines", reading([](Db& db, const Request& request) -> Result<Response> {
               PAWL_ASSIGN(auto rows, store::baseline_history(db, query_text(request, "project")));
               return json_response(200, {{"baselines", list_of(rows, core::baseline_event_json)}});
             }));
  router.add("GET", "/api/v1/baselines/current",
             reading([](Db& db, const Request& request) -> Result<Response> {
               PAWL_ASSIGN(auto rows, store::current_baselines(db, query_text(request, "project")));
               return json_response(200, {{"baselines", list_of(rows, core::current_baseline_json)}});
             }));
  router.add("GET", "/api/v1/waivers", reading([](Db& db, const Request& request) -> Result<Response> {
               PAWL_ASSIGN(int64_t all, query_number(request, "all", 0));
               PAWL_ASSIGN(Json list, core::waivers_json(db, query_text(request, "project"), all != 0,
                                                         SystemClock().unix_ms()));
               return json_response(200, list);
             }));
  router.add("GET", "/api/v1/deliveries", reading([](Db& db, const Request& request) -> Result<Response> {
               PAWL_ASSIGN(auto rows, store::list_deliveries(db, query_text(request, "project"), 100));
               Json out = Json::array();
               for (const store::Delivery& d : rows) {
                 out.push_back({{"project", d.project},
                                {"delivery", d.delivery_id},
                                {"forge", d.forge},
                                {"event", d.event},
                                {"received", format_utc(d.received_ms)},
                                {"state", d.state},
                                {"tries", d.tries},
                                {"note", d.note}});
               }
               return json_response(200, {{"deliveries", out}});
             }));
  router.add("GET", "/api/v1/events", [this](const Request& request, const Responder& respond) {
    auto known = check_topics(query_text(request, "topics"));
    respond(known.ok() ? event_response(events_, request) : error_response(known.error()));
  });
}

// --- acting
// ----------------------------------------------------------------------------------------------------------

Handler Api::on_engine(std::function<void(const Request&, const Responder&)> action) {
  return [this, action = std::move(action)](Request request, const Responder& respond) {
    loop_.post([action, request = std::move(request), respond] { action(request, respond); });
  };
}

void Api::add_acting_routes(Router& router) {
  router.add("GET", "/api/v1/status", on_engine([this](const Request&, const Responder& respond) {
               auto open = store::open_runs(engine_.db());
               if (!open.ok()) return respond(error_response(open.error()));
               Json runs = Json::array();
               for (const store::Run& run : *open) {
                 Json entry = core::run_json(run);
                 entry["waiting"] = engine_.why_waiting(run.id);
                 runs.push_back(std::move(entry));
               }
               const schedule::Slots& slots = engine_.slots();
               respond(json_response(200, {{"runs", runs},
                                           {"cpus", slots.machine().cpus},
                                           {"free_cpus", slots.free_cpus()},
                                           {"gpus", slots.machine().gpus},
                                           {"gpu_description", slots.machine().gpu_description}}));
             }));
  auto on_run = [this](std::function<Result<Json>(const store::Run&, const Json&)> action) {
    return on_engine([this, action = std::move(action)](const Request& request, const Responder& respond) {
      auto answer = [&]() -> Result<Json> {
        PAWL_ASSIGN(Json body, command_body(request));
        PAWL_ASSIGN(store::Run run, store::look_up_run(engine_.db(), request.param("run")));
        return action(run, body);
      }();
      respond(answer.ok() ? json_response(202, *answer) : error_response(answer.error()));
    });
  };
  router.add("POST", "/api/v1/runs/{run}/cancel",
             on_run([this](const store::Run& run, const Json& body) -> Result<Json> {
               PAWL_RETURN_IF_ERROR(engine_.cancel(run.id, who(body)));
               return Json{{"id", run.id}, {"number", run.number}};
             }));
  router.add("POST", "/api/v1/runs/{run}/rerun",
             on_run([this](const store::Run& run, const Json& body) -> Result<Json> {
               PAWL_ASSIGN(store::Run again, engine_.rerun(run.id, who(body)));
               return core::run_json(again);
             }));
  router.add("POST", "/api/v1/baselines", on_engine([this](const Request& request, const Responder& respond) {
               auto answer = [&]() -> Result<Json> {
                 PAWL_ASSIGN(Json body, command_body(request));
                 PAWL_ASSIGN(store::Run run, store::look_up_run(engine_.db(), json_string(body, "run")));
                 core::Pin pin{run.id, who(body), to_valid_utf8(json_string(body, "why"), 1000),
                               json_bool(body, "red")};
                 PAWL_ASSIGN(store::Baseline baseline, engine_.pin_baseline(pin));
                 return core::baseline_json(baseline);
               }();
               respond(answer.ok() ? json_response(201, *answer) : error_response(answer.error()));
             }));
  router.add("POST", "/api/v1/baselines/unpin",
             on_engine([this](const Request& request, const Responder& respond) {
               auto answer = [&]() -> Result<Json> {
                 PAWL_ASSIGN(Json body, command_body(request));
                 core::Unpin unpin{json_string(body, "project"), json_string(body, "branch"), who(body),
                                   to_valid_utf8(json_string(body, "why"), 1000)};
                 PAWL_ASSIGN(store::Baseline event, engine_.unpin_baseline(unpin));
                 return core::baseline_event_json(event);
               }();
               respond(answer.ok() ? json_response(201, *answer) : error_response(answer.error()));
             }));
  auto on_waiver = [this](std::function<Result<store::Waiver>(const Request&, const Json&)> action) {
    return on_engine([action = std::move(action)](const Request& request, const Responder& respond) {
      auto answer = [&]() -> Result<Json> {
        PAWL_ASSIGN(Json body, command_body(request));
        PAWL_ASSIGN(store::Waiver waiver, action(request, body));
        return core::waiver_json(waiver, SystemClock().unix_ms());
      }();
      respond(answer.ok() ? json_response(201, *answer) : error_response(answer.error()));
    });
  };
  router.add("POST", "/api/v1/waivers", on_waiver([this](const Request&, const Json& body) {
               return engine_.add_waiver({.project = json_string(body, "project"),
                                          .branch = json_string(body, "branch"),
                                          .commit = json_string(body, "commit"),
                                          .metric = json_string(body, "metric"),
                                          .check = json_string(body, "check"),
                                          .slice = json_string(body, "slice"),
                                          .rule = json_string(body, "rule"),
                                          .why = json_string(body, "why"),
                                          .who = who(body),
                                          .expires = json_string(body, "expires")});
             }));
  router.add("POST", "/api/v1/waivers/{id}/revoke",
             on_waiver([this](const Request& request, const Json& body) -> Result<store::Waiver> {
               auto id = parse_int(request.param("id"));
               if (!id.ok()) return Error(ErrorCode::not_found, "a waiver is named by its number");
               return engine_.revoke_waiver(*id, who(body), json_string(body, "why"));
             }));
  router.add("POST", "/api/v1/projects/{project}/trials",
             on_engine([this](const Request& request, const Responder& respond) {
               auto body = command_body(request);
               if (!body.ok()) return respond(error_response(body.error()));
               core::Trial trial;
               trial.project = request.param("project");
               trial.commit = json_string(*body, "commit");
               trial.asked_by = to_valid_utf8(json_string(*body, "asked_by", "api"), 20);
               trial.note = to_valid_utf8(json_string(*body, "note"), 500);
               auto read = [&](const char* key, std::map<std::string, std::string>& out) {
                 const Json object = body->value(key, Json::object());
                 if (!object.is_object()) return;
                 for (const auto& [name, value] : object.items()) {
                   if (value.is_string()) out[name] = value.get<std::string>();
                 }
               };
               read("data", trial.data);
               read("versions", trial.versions);
               engine_.start_trial(std::move(trial),
                                   [respond](const Result<core::Engine::StartedTrial>& started) {
                                     if (!started.ok()) return respond(error_response(started.error()));
                                     Json run = core::run_json(started->run);
                                     run["was_there"] = started->was_there;
                                     respond(json_response(started->was_there ? 200 : 201, run));
                                   });
             }));
  router.add("POST", "/api/v1/projects/{project}/runs",
             on_engine([this](const Request& request, const Responder& respond) {
               auto body = command_body(request);
               if (!body.ok()) return respond(error_response(body.error()));
               engine_.run_branch(request.param("project"), json_string(*body, "branch"), who(*body),
                                  [respond](const Result<store::Run>& run) {
                                    respond(run.ok() ? json_response(201, core::run_json(*run))
                                                     : error_response(run.error()));
                                  });
             }));
}

// --- pages for people
// --------------------------------------------------------------------------------------------------

// Where a commit status leads: a browser has no bearer token, so it signs in once.
void Api::add_pages(Router& router) {
  const std::vector<std::string> tokens = {engine_.config().token};
  Handler show = reading([this](Db& db, const Request& request) { return run_page(db, request); });
  router.add("GET", "/runs/{run}",
             [tokens, show](Request request, const Responder& respond) {
               if (!has_session(tokens, request.headers, now_s()))
                 return respond(html_response(401, sign_in_page("")));
               show(std::move(request), respond);
             },
             {Access::open, 0});
  router.add("POST", "/runs/{run}",
             [tokens](const Request& request, const Responder& respond) {
               const std::string token = posted_token(request);
               if (!check_token({tokens, {}}, {{"Authorization", "Bearer " + token}}).ok())
                 return respond(html_response(401, sign_in_page("This is not the token.")));
               // Browsers say where a form came from, hence whether over TLS (a proxy's, it may be).
               const std::string* origin = request.headers.find("Origin");
               const bool secure = origin != nullptr && origin->starts_with("https://");
               Response response = text_response(303, "text/plain; charset=utf-8", "");
               response.headers.add("Location", "/runs/" + percent_encode(request.param("run")));
               response.headers.add("Set-Cookie", session_cookie(token, now_s(), secure));
               respond(std::move(response));
             },
             {Access::open, 4096});
}

Result<Response> Api::run_page(Db& db, const Request& request) const {
  auto run = store::look_up_run(db, request.param("run"));
  if (!run.ok()) return html_response(404, plain_page("No such run", run.error().message()));
  const std::string title = fmt::format("Run {} of {}", run->number, run->project);
  if (!run->finished()) {
    return html_response(200, waiting_page(title, fmt::format("{}: {}. The report is shown here when the run "
                                                              "has ended.",
                                                              run->commit_sha.substr(0, 12), run->state)));
  }
  auto report = report_file(home_, *run);
  if (report.ok() || report.error().code() != ErrorCode::not_found) return report;
  return html_response(200, plain_page(title, fmt::format("{}: {}. Its report is not here any more.",
                                                          *run->verdict, run->headline)));
}

}  // namespace pawl::http
