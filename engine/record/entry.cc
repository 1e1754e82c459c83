#include "engine/record/entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/digest.h"
#include "engine/base/ids.h"
#include "engine/base/text.h"
#include "engine/record/fields.h"

namespace pawl::record {
namespace {

constexpr std::string_view kHeader = "pawl-record-1 sha256:";
constexpr std::size_t kHexDigits = 64;
constexpr std::size_t kNameDigits = 32;
constexpr int64_t kMaxPosition = int64_t{1} << 40;

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_commit(std::string_view text) {
  return is_hex(text) && (text.size() == 40 || text.size() == 64);
}

// As pipelines have them: they become names of folders.
bool is_name(std::string_view text) {
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto rest = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  return !text.empty() && text.size() <= 63 && letter(text[0]) && std::all_of(text.begin(), text.end(), rest);
}

// With what the engine adds to a name of the file: "train@3" (pipelines/seeds.h), "evaluate@baseline"
// (engine/core/rescoring.h).
bool is_stage(std::string_view text) {
  if (text.size() > 128) return false;
  const auto parts = split(text, '@');
  return is_name(parts[0]) && std::all_of(parts.begin() + 1, parts.end(), [](std::string_view part) {
           return !part.empty() &&
                  part.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == part.npos;
         });
}

bool is_relative_path(std::string_view text) {
  if (text.empty() || text.size() > 4096) return false;
  const auto parts = split(text, '/');
  return std::none_of(parts.begin(), parts.end(),
                      [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
}

bool is_something(std::string_view text) {
  return !text.empty();
}

// --- writing

// For people, as Fields::text() takes it.
std::string clean(std::string_view text) {
  return to_valid_utf8(sanitize_for_terminal(text), kMaxText);
}

template <class T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// What the record keeps as a text of JSON; null when it has none.
Json embedded(const std::string& text) {
  return text.empty() ? Json(nullptr) : parse_json(text, "").value_or(nullptr);
}

template <class Row, class Convert>
Json list_of(const std::vector<Row>& rows, Convert convert) {
  Json out = Json::array();
  for (const Row& row : rows) out.push_back(convert(row));
  return out;
}

Json attempt_json(const store::Attempt& a) {
  return {{"stage", a.stage},
          {"number", a.number},
          {"fence", a.fence},
          {"cpus", a.cpus},
          {"gpus", embedded(a.gpus)},
          {"outcome", clean(a.outcome.value_or(""))},
          {"reason", clean(a.reason)},
          {"steps", optional_json(a.steps)},
          {"steps_per_s", a.steps_per_s ? number_to_json(*a.steps_per_s) : Json(nullptr)},
          {"last_loss", a.last_loss ? number_to_json(*a.last_loss) : Json(nullptr)},
          {"started_ms", a.started_ms},
          {"finished_ms", optional_json(a.finished_ms)},
          {"result", embedded(a.result)}};
}

Json finding_json(const store::Finding& f) {
  return {{"stage", f.stage},
          {"attempt", f.attempt},
          {"rule", clean(f.rule)},
          {"severity", f.severity},
          {"action", f.action},
          {"first_step", f.first_step},
          {"last_step", f.last_step},
          {"count", f.count},
          {"rank", f.rank},
          {"tensor", clean(f.tensor)},
          {"value", number_to_json(f.value)},
          {"limit", number_to_json(f.limit)},
          {"message", clean(f.message)}};
}

Json curve_json(const store::Curve& curve) {
  Json points = Json::array();
  for (const auto& [step, value] : curve.points) points.push_back(Json::array({step, number_to_json(value)}));
  return {{"stage", curve.stage}, {"name", clean(curve.name)}, {"points", std::move(points)}};
}

Json verdict_json(const store::Verdict& v) {
  Json reasons = list_of(v.reasons, [](const store::VerdictReason& r) {
    return Json{{"metric", clean(r.metric)},
                {"rule", clean(r.rule)},
                {"status", clean(r.status)},
                {"sentence", clean(r.sentence)}};
  });
  return {{"baseline_run", optional_json(v.baseline_run)},
          {"body", embedded(v.body)},
          {"reasons", std::move(reasons)},
          {"created_ms", v.created_ms}};
}

Json event_json(const store::Baseline& b) {
  return {{"branch", b.branch},  {"cause", b.cause},           {"who", clean(b.who)},
          {"why", clean(b.why)}, {"created_ms", b.created_ms}, {"position", b.position}};
}

Json use_json(const std::pair<store::TestBudget, store::TestUse>& pair) {
  const auto& [budget, use] = pair;
  return {{"testset", budget.testset}, {"adaptivity", budget.adaptivity},
          {"steps", budget.steps},     {"opened_ms", budget.opened_ms},
          {"number", use.number},      {"asked", clean(use.asked)},
          {"model", clean(use.model)}, {"baseline", clean(use.baseline)},
          {"passed", use.passed},      {"revealed", use.revealed},
          {"at_ms", use.at_ms}};
}

Json evaluation_json(const store::Evaluation& e) {
  Json testsets = Json::object();
  for (const auto& [file, testset] : e.testsets) testsets[file] = testset;
  return {
      {"stage", e.stage}, {"model", e.model}, {"evaluator", e.evaluator}, {"testsets", std::move(testsets)}};
}

Json to_json(const RunEntry& entry) {
  const store::Run& run = entry.run;
  Json green = nullptr;
  if (entry.green) {
    green = event_json(*entry.green);
    green["testsets"] = embedded(entry.green->testsets);
  }
  Json out = {{"kind", "run"},
              {"id", run.id},
              {"project", run.project},
              {"trigger", run.trigger},
              {"trigger_note", clean(run.trigger_note)},
              {"branch", run.branch},
              {"target", run.target},
              {"commit", run.commit_sha},
              {"subject", clean(run.subject)},
              {"author", clean(run.author)},
              {"cancel", clean(run.cancel)},
              {"plan", embedded(run.plan)},
              {"verdict", run.verdict.value_or("ERROR")},
              {"headline", clean(run.headline)},
              {"exit_code", run.exit_code.value_or(3)},
              {"created_ms", run.created_ms},
              {"started_ms", optional_json(run.started_ms)},
              {"finished_ms", run.finished_ms.value_or(run.created_ms)},
              {"origin", clean(run.origin)},
              {"green", std::move(green)},
              {"judged", entry.verdict ? verdict_json(*entry.verdict) : Json(nullptr)}};
  out["data"] = list_of(entry.data, [](const store::RunData& d) {
    return Json{{"dataset", d.dataset}, {"digest", d.digest}, {"path", clean(d.path)}};
  });
  out["stages"] = list_of(entry.stages, [](const store::Stage& s) {
    return Json{{"name", s.name}, {"state", s.state}};
  });
  out["attempts"] = list_of(entry.attempts, attempt_json);
  out["metrics"] = list_of(entry.metrics, [](const store::Metric& m) {
    return Json{{"stage", m.stage},
                {"name", clean(m.name)},
                {"value", number_to_json(m.value)},
                {"unit", clean(m.unit)},
                {"n", optional_json(m.n)}};
  });
  out["artifacts"] = Json::array();
  for (const store::Artifact& a : entry.artifacts) {
    if (!is_relative_path(a.path) || clean(a.path) != a.path) continue;  // a name that no reader would take
    out["artifacts"].push_back(
        {{"stage", a.stage}, {"path", a.path}, {"digest", a.digest}, {"bytes", a.bytes}});
  }
  out["findings"] = list_of(entry.findings, finding_json);
  out["traces"] = list_of(entry.traces, [](const store::TraceSummary& t) {
    return Json{{"stage", t.stage},   {"attempt", t.attempt},       {"ranks", t.ranks},
                {"series", t.series}, {"first_step", t.first_step}, {"last_step", t.last_step},
                {"rows", t.rows},     {"anomalies", t.anomalies}};
  });
  out["curves"] = list_of(entry.curves, curve_json);
  out["evaluations"] = list_of(entry.evaluations, evaluation_json);
  out["uses"] = list_of(entry.uses, use_json);
  return out;
}

Json to_json(const PinEntry& entry) {
  Json out = event_json(entry.event);
  out["kind"] = "pin";
  out["project"] = entry.event.project;
  out["run"] = entry.event.run_id;
  return out;
}

Json to_json(const WaiverEntry& entry) {
  const store::Waiver& w = entry.waiver;
  return {{"kind", "waiver"},           {"project", w.project},        {"branch", clean(w.branch)},
          {"commit", w.commit_sha},     {"subject", clean(w.subject)}, {"slice", clean(w.slice)},
          {"check", w.check},           {"reason", clean(w.reason)},   {"approver", clean(w.approver)},
          {"created_ms", w.created_ms}, {"expires_ms", w.expires_ms}};
}

Json to_json(const RevocationEntry& entry) {
  return {{"kind", "revocation"},    {"project", entry.project}, {"waiver", entry.waiver},
          {"who", clean(entry.who)}, {"why", clean(entry.why)},  {"at_ms", entry.at_ms}};
}

std::string body_of(const Entry& entry) {
  return std::visit([](const auto& e) { return dump_json(to_json(e)); }, entry) + "\n";
}

std::string name_from(Kind kind, std::string_view body) {
  return fmt::format("{}-{}", to_string(kind), sha256_hex(body).substr(0, kNameDigits));
}

// --- reading

store::Attempt read_attempt(Fields& in, const std::string& run_id) {
  store::Attempt a;
  a.run_id = run_id;
  a.stage = in.text_that("stage", is_stage, "is not a stage's name");
  a.number = in.integer("number", 1, 1'000'000);
  a.fence = in.integer("fence", 1, 1'000'000);
  a.state = "finished";
  a.cpus = in.integer("cpus");
  a.gpus = in.array_text("gpus");
  a.outcome = in.text("outcome");
  if (a.outcome->empty()) a.outcome.reset();
  a.reason = in.text("reason");
  a.steps = in.optional_integer("steps");
  a.steps_per_s = in.optional_number("steps_per_s");
  a.last_loss = in.optional_number("last_loss");
  a.started_ms = in.time("started_ms");
  a.finished_ms = in.optional_time("finished_ms");
  a.result = in.object_text("result");
  return a;
}

store::Finding read_finding(Fields& in, const std::string& run_id) {
  store::Finding f;
  f.run_id = run_id;
  f.stage = in.text_that("stage", is_stage, "is not a stage's name");
  f.attempt = in.integer("attempt", 1, 1'000'000);
  f.rule = in.text("rule");
  f.severity = in.word("severity", {"fail", "warn"});
  f.action = in.word("action", {"fail", "stop", "warn"});
  f.first_step = in.integer("first_step", std::numeric_limits<int64_t>::min());
  f.last_step = in.integer("last_step", std::numeric_limits<int64_t>::min());
  f.count = in.integer("count");
  f.rank = in.integer("rank", -1);
  f.tensor = in.text("tensor");
  f.value = in.number("value");
  f.limit = in.number("limit");
  f.message = in.text("message");
  return f;
}

store::Curve read_curve(Fields& in, const std::string& run_id) {
  store::Curve curve;
  curve.run_id = run_id;
  curve.stage = in.text_that("stage", is_stage, "is not a stage's name");
  curve.name = in.text("name");
  const Json& points = in.raw("points");
  if (!points.is_array()) in.refuse("points", "must be an array");
  for (const Json& point : points) {
    const bool pair = point.is_array() && point.size() == 2 && point[0].is_number_integer();
    const auto value = pair ? number_from_json(point[1]) : std::nullopt;
    if (!value) {
      in.refuse("points", "must be pairs of a step and a number");
      break;
    }
    curve.points.emplace_back(point[0].get<int64_t>(), *value);
  }
  return curve;
}

store::Baseline read_event(Fields& in, const std::string& project) {
  store::Baseline event;
  event.project = project;
  event.branch = in.text_that("branch", is_something, "must not be empty");
  event.who = in.text("who");
  event.why = in.text("why");
  event.created_ms = in.time("created_ms");
  event.position = in.integer("position", 1, kMaxPosition);
  return event;
}

std::pair<store::TestBudget, store::TestUse> read_use(Fields& in, const store::Run& run) {
  store::TestBudget budget{run.project, in.text_that("testset", is_something, "must not be empty"),
                           in.word("adaptivity", {"none", "full", "first-change"}), in.integer("steps", 1),
                           in.time("opened_ms")};
  store::TestUse use{in.integer("number", 1, kMaxPosition),
                     run.id,
                     in.text("asked"),
                     in.text("model"),
                     in.text("baseline"),
                     in.boolean("passed"),
                     in.word("revealed", {"nothing", "bit", "score"}),
                     in.time("at_ms")};
  return {std::move(budget), std::move(use)};
}

store::Evaluation read_evaluation(Fields& in, const store::Run& run) {
  store::Evaluation out{run.id, in.text_that("stage", is_stage, "is not a stage's name"), run.project,
                        in.text("model"), in.text("evaluator")};
  const Json& testsets = in.raw("testsets");
  if (!testsets.is_object()) in.refuse("testsets", "must be an object");
  for (const auto& [file, testset] : testsets.items()) {
    if (!testset.is_string() || file.size() > kMaxText) in.refuse("testsets", "must be digests by file");
    if (testset.is_string()) out.testsets[file] = testset.get<std::string>();
  }
  return out;
}

void read_run(Fields& in, store::Run& run) {
  run.id = in.text_that("id", is_ulid, "is not the id of a run");
  run.project = in.text_that("project", is_project, "cannot be a project's name");
  run.trigger = in.word("trigger", {"push", "pull_request", "data", "schedule", "manual", "rerun"});
  run.trigger_note = in.text("trigger_note");
  run.branch = in.text_that("branch", is_something, "must not be empty");
  // A trial (engine/core/trial.h) stays one.
  run.event_key = (run.branch.starts_with("trial:") ? "trial:" : "record:") + run.id;
  run.target = in.text_that("target", is_something, "must not be empty");
  run.commit_sha = in.text_that("commit", is_commit, "is not the id of a commit");
  run.subject = in.text("subject");
  run.author = in.text("author");
  run.cancel = in.text("cancel");
  run.plan = in.object_text("plan");
  run.state = "finished";
  run.verdict = in.word("verdict", {"PASS", "FAIL", "INCONCLUSIVE", "ERROR", "NO_BASELINE", "CANCELLED"});
  run.headline = in.text("headline");
  run.exit_code = in.integer("exit_code", 0, 255);
  run.created_ms = in.time("created_ms");
  run.started_ms = in.optional_time("started_ms");
  run.finished_ms = in.time("finished_ms");
  run.origin = in.text_that("origin", is_something, "must not be empty");
}

store::Verdict read_verdict(Fields& in, const store::Run& run) {
  store::Verdict verdict;
  verdict.run_id = run.id;
  verdict.kind = *run.verdict;
  verdict.headline = run.headline;
  if (in.has("baseline_run"))
    verdict.baseline_run = in.text_that("baseline_run", is_ulid, "is not the id of a run");
  verdict.body = in.object_text("body");
  if (verdict.body.empty()) in.refuse("body", "must be an object");
  in.each("reasons", [&](Fields& reason, std::size_t) {
    verdict.reasons.push_back(
        {reason.text("metric"), reason.text("rule"), reason.text("status"), reason.text("sentence")});
  });
  verdict.created_ms = in.time("created_ms");
  return verdict;
}

store::Baseline read_green(Fields& in, const store::Run& run) {
  store::Baseline green = read_event(in, run.project);
  green.run_id = run.id;
  green.cause = in.word("cause", {"green", "bootstrap"});
  green.testsets = in.object_text("testsets");
  if (green.testsets.empty()) in.refuse("testsets", "must be an object");
  if (run.verdict != "PASS") in.refuse("cause", "only a run that passed becomes a baseline by itself");
  if (green.branch != run.target) in.refuse("branch", "must be the run's target");
  return green;
}

void read_stages(Fields& in, RunEntry& out) {
  const std::string& id = out.run.id;
  in.each("stages", [&](Fields& stage, std::size_t index) {
    out.stages.push_back(
        {id, stage.text_that("name", is_stage, "is not a stage's name"), static_cast<int64_t>(index),
         stage.word("state", {"waiting", "running", "succeeded", "failed", "skipped", "cancelled"})});
  });
  in.each("attempts", [&](Fields& a, std::size_t) { out.attempts.push_back(read_attempt(a, id)); });
  in.each("findings", [&](Fields& f, std::size_t) { out.findings.push_back(read_finding(f, id)); });
  in.each("traces", [&](Fields& t, std::size_t) {
    out.traces.push_back({id, t.text_that("stage", is_stage, "is not a stage's name"),
                          t.integer("attempt", 1, 1'000'000), t.integer("ranks"), t.integer("series"),
                          t.integer("first_step", std::numeric_limits<int64_t>::min()),
                          t.integer("last_step", std::numeric_limits<int64_t>::min()), t.integer("rows"),
                          t.integer("anomalies")});
  });
}

void read_outputs(Fields& in, RunEntry& out) {
  const std::string& id = out.run.id;
  in.each("metrics", [&](Fields& m, std::size_t) {
    out.metrics.push_back({id, m.text_that("stage", is_stage, "is not a stage's name"),
                           m.text_that("name", is_something, "must not be empty"), m.number("value"),
                           m.text("unit"), m.optional_integer("n")});
  });
  in.each("artifacts", [&](Fields& a, std::size_t) {
    out.artifacts.push_back({id, a.text_that("stage", is_stage, "is not a stage's name"),
                             a.text_that("path", is_relative_path, "is not the path of an artifact"),
                             a.digest("digest"), a.integer("bytes")});
  });
  in.each("curves", [&](Fields& c, std::size_t) { out.curves.push_back(read_curve(c, id)); });
}

RunEntry read_run_entry(Fields& in) {
  RunEntry out;
  read_run(in, out.run);
  in.each("data", [&](Fields& d, std::size_t) {
    out.data.push_back({out.run.id, d.text_that("dataset", is_name, "is not a dataset's name"),
                        d.digest("digest"), d.text("path")});
  });
  read_stages(in, out);
  read_outputs(in, out);
  if (in.has("judged"))
    in.object("judged", [&](Fields& judged) { out.verdict = read_verdict(judged, out.run); });
  if (in.has("green")) in.object("green", [&](Fields& green) { out.green = read_green(green, out.run); });
  in.each("evaluations",
          [&](Fields& e, std::size_t) { out.evaluations.push_back(read_evaluation(e, out.run)); });
  in.each("uses", [&](Fields& use, std::size_t) { out.uses.push_back(read_use(use, out.run)); });
  return out;
}

PinEntry read_pin(Fields& in) {
  const std::string project = in.text_that("project", is_project, "cannot be a project's name");
  PinEntry out{read_event(in, project)};
  out.event.run_id = in.text_that("run", is_ulid, "is not the id of a run");
  out.event.cause = in.word("cause", {"pin", "unpin"});
  return out;
}

WaiverEntry read_waiver(Fields& in) {
  store::Waiver w;
  w.project = in.text_that("project", is_project, "cannot be a project's name");
  w.branch = in.text("branch");
  w.commit_sha = in.text_that(
      "commit",
      [](std::string_view text) {
        return text.empty() || (is_hex(text) && text.size() >= 7 && text.size() <= 64);
      },
      "is not the beginning of a commit's id");
  w.subject = in.text_that("subject", is_something, "must not be empty");
  w.slice = in.text("slice");
  w.check = in.word("check", {"", "floor", "ceiling", "max_drop", "paired", "seeds", "sustained", "finding"});
  w.reason = in.text_that("reason", is_something, "must not be empty");
  w.approver = in.text_that("approver", is_something, "must not be empty");
  w.created_ms = in.time("created_ms");
  w.expires_ms = in.time("expires_ms");
  if (w.expires_ms <= w.created_ms) in.refuse("expires_ms", "must be after created_ms");
  return {std::move(w)};
}

RevocationEntry read_revocation(Fields& in) {
  RevocationEntry out;
  out.project = in.text_that("project", is_project, "cannot be a project's name");
  out.waiver = in.text_that(
      "waiver", [](std::string_view text) { return kind_of(text) == Kind::waiver; },
      "is not the name of a waiver");
  out.who = in.text_that("who", is_something, "must not be empty");
  out.why = in.text("why");
  out.at_ms = in.time("at_ms");
  return out;
}

Entry read_kind(Kind kind, Fields& in) {
  switch (kind) {
    case Kind::run:
      return read_run_entry(in);
    case Kind::pin:
      return read_pin(in);
    case Kind::waiver:
      return read_waiver(in);
    case Kind::revocation:
      return read_revocation(in);
  }
  PAWL_CHECK(false);
}

// What follows the line with the digest, when that is the digest.
Result<std::string_view> checked_body(std::string_view text) {
  const std::size_t end = text.find('\n');
  if (!text.starts_with(kHeader)) {
    return Error(ErrorCode::invalid, text.starts_with("pawl-record-")
                                         ? "was written by a newer Pawl, this program cannot read it"
                                         : "is not an entry of a record");
  }
  const std::string_view line = text.substr(0, end);
  const std::string_view body = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  if (line.size() == kHeader.size() + kHexDigits && line.substr(kHeader.size()) == sha256_hex(body))
    return body;
  return Error(ErrorCode::invalid, "is damaged: its content has another digest");
}

Result<Entry> read_body(std::string_view name, std::string_view text) {
  const auto kind = kind_of(name);
  if (!kind) return Error(ErrorCode::invalid, "is not the name of an entry");
  if (text.size() > kMaxEntryBytes)
    return Error(ErrorCode::invalid, fmt::format("is larger than {}", format_bytes(kMaxEntryBytes)));
  PAWL_ASSIGN(std::string_view body, checked_body(text));
  PAWL_ASSIGN(Json json, parse_json(body, "its content"));
  std::optional<Error> problem;
  Fields fields(json, "", problem);
  const std::string said = fields.text("kind");
  if (!problem && said != to_string(*kind)) fields.refuse("kind", "is another than the entry's name says");
  if (problem) return std::move(*problem);
  Entry entry = read_kind(*kind, fields);
  if (problem) return std::move(*problem);
  const bool same = *kind == Kind::run ? name_of(entry) == name : name_from(*kind, body) == name;
  if (!same) return Error(ErrorCode::invalid, "is another entry than its name says");
  return entry;
}

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::run:
      return "run";
    case Kind::pin:
      return "pin";
    case Kind::waiver:
      return "waiver";
    case Kind::revocation:
      return "revocation";
  }
  PAWL_CHECK(false);
}

std::string name_of_run(std::string_view run_id) {
  return fmt::format("run-{}", run_id);
}

std::string name_of(const Entry& entry) {
  const Kind kind = static_cast<Kind>(entry.index());
  if (const auto* run = std::get_if<RunEntry>(&entry)) return name_of_run(run->run.id);
  return name_from(kind, body_of(entry));
}

std::optional<Kind> kind_of(std::string_view name) {
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view id = name.substr(dash + 1);
  for (const Kind kind : {Kind::run, Kind::pin, Kind::waiver, Kind::revocation}) {
    if (name.substr(0, dash) != to_string(kind)) continue;
    const bool fits = kind == Kind::run ? is_ulid(id) : id.size() == kNameDigits && is_hex(id);
    if (fits) return kind;
  }
  return std::nullopt;
}

const std::string& project_of(const Entry& entry) {
  if (const auto* run = std::get_if<RunEntry>(&entry)) return run->run.project;
  if (const auto* pin = std::get_if<PinEntry>(&entry)) return pin->event.project;
  if (const auto* waiver = std::get_if<WaiverEntry>(&entry)) return waiver->waiver.project;
  return std::get<RevocationEntry>(entry).project;
}

bool is_project(std::string_view name) {
  if (name.empty() || name.size() > 100 || name[0] == '.' || name[0] == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

std::string write_entry(const Entry& entry) {
  const std::string body = body_of(entry);
  return fmt::format("{}{}\n{}", kHeader, sha256_hex(body), body);
}

Result<Entry> read_entry(std::string_view name, std::string_view text) {
  auto entry = read_body(name, text);
  if (entry.ok()) return entry;
  const Error& error = entry.error();
  const std::string shown = to_valid_utf8(name, 80);
  return Error(error.code(), error.message(),
               error.where().empty() ? shown : fmt::format("{}: {}", shown, error.where()));
}

}  // namespace pawl::record
