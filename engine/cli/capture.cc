// pawl capture: what the hooks of a stage could record, and changing what they record while it trains.

#include <fmt/format.h>
#include <re2/re2.h>

#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/record.h"
#include "engine/supervise/client.h"
#include "engine/supervise/intent.h"
#include "engine/trace/query.h"

namespace pawl::cli {
namespace {

// "gradient" -> "gradients", "bias" -> "biases"
std::string collection_of(trace::Kind kind) {
  std::string name(trace::to_string(kind));
  if (kind == trace::Kind::optimizer_state) return name;
  return name + (name.ends_with('s') || name.ends_with('h') ? "es" : "s");
}

// "every step", "every 10 steps from 100 to before 200, and in 3 and 5"
std::string steps_text(const pipeline::CaptureRule& rule) {
  std::string out = rule.every == 1 ? "every step" : fmt::format("every {} steps", rule.every);
  if (rule.from > 0) out += fmt::format(" from {}", rule.from);
  if (rule.to) out += fmt::format(" to before {}", *rule.to);
  if (!rule.at.empty()) out += fmt::format(", and {}", fmt::join(rule.at, ", "));
  return out;
}

std::string ranks_text(const pipeline::CaptureRule& rule) {
  if (rule.ranks.empty()) return "all";
  return fmt::format("{}", fmt::join(rule.ranks, ", "));
}

// "matching 'fc', up to 1 MiB, with values up to 64 KiB"
std::string tensors_text(const pipeline::CaptureRule& rule) {
  std::vector<std::string> parts;
  if (rule.modes) parts.push_back(fmt::format("in {}", pipeline::to_string(*rule.modes)));
  if (!rule.include.empty()) parts.push_back(fmt::format("matching '{}'", rule.include));
  if (rule.max_size) parts.push_back("up to " + format_bytes(static_cast<uint64_t>(*rule.max_size)));
  if (rule.raw != 0) parts.push_back("with values up to " + format_bytes(static_cast<uint64_t>(rule.raw)));
  if (rule.fine) parts.push_back("with fine histograms");
  return join(parts, ", ");
}

std::string request_table(const pipeline::Capture& capture) {
  std::vector<std::vector<Cell>> rows;
  for (const pipeline::CaptureRule& rule : capture.rules) {
    rows.push_back(
        {{rule.collection}, {ranks_text(rule)}, {rule.off ? "off" : steps_text(rule)}, {tensors_text(rule)}});
  }
  return render_table({"collection", "ranks", "steps", "tensors"}, rows);
}

Json request_json(const pipeline::Capture& capture) {
  Json out = Json::array();
  for (const pipeline::CaptureRule& rule : capture.rules) {
    Json entry = {{"collection", rule.collection},
                  {"off", rule.off},
                  {"every", rule.every},
                  {"from", rule.from},
                  {"at", rule.at},
                  {"raw", rule.raw},
                  {"fine", rule.fine},
                  {"include", rule.include},
                  {"ranks", rule.ranks.empty() ? Json("all") : Json(rule.ranks)}};
    entry["to"] = rule.to ? Json(*rule.to) : Json(nullptr);
    entry["modes"] = rule.modes ? Json(pipeline::to_string(*rule.modes)) : Json(nullptr);
    entry["max_size"] = rule.max_size ? Json(*rule.max_size) : Json(nullptr);
    out.push_back(std::move(entry));
  }
  return out;
}

Result<void> check(const pipeline::CaptureChange& change) {
  if (change.include) {
    RE2::Options quiet;
    quiet.set_log_errors(false);
    RE2 compiled(*change.include, quiet);
    if (!compiled.ok())
      return Error(ErrorCode::usage, "bad regular expression in --include: " + compiled.error());
  }
  if (change.says_something()) return {};
  return Error(ErrorCode::usage,
               "say what to change: --every, --include, --from, --to, --at, --modes, --max-size, "
               "--raw, --fine, --no-fine or --off");
}

Result<int> set(const Global& global, const CaptureSetOptions& options) {
  PAWL_RETURN_IF_ERROR(check(options.change));
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, options.run));
  PAWL_RETURN_IF_ERROR(check_made_here(run));
  PAWL_ASSIGN(AttemptPlace place, find_attempt(record, run, options.stage, 0));
  auto answer = supervise::change_capture(place.dir, options.change);
  const bool over = !answer.ok() && (answer.error().code() == ErrorCode::not_found ||
                                     answer.error().code() == ErrorCode::unavailable);
  if (over) {
    return Error(ErrorCode::conflict,
                 fmt::format("stage {} of run {} does not run", place.attempt.stage, run.number));
  }
  if (!answer.ok()) return Error(ErrorCode::usage, answer.error().message());
  PAWL_ASSIGN(pipeline::Capture capture, pipeline::parse_capture_request(answer->request));
  if (global.json) {
    print_json({{"run", run.id},
                {"stage", place.attempt.stage},
                {"generation", answer->generation},
                {"request", request_json(capture)}});
  } else {
    print(
        fmt::format("stage {} of run {} records from its next step on:\n", place.attempt.stage, run.number));
    print(request_table(capture));
  }
  return 0;
}

struct Captured {
  pipeline::Capture request;  // what holds for the ranks: the last change, else what they were started with
  std::optional<std::vector<trace::AvailableSeries>> series;  // nothing: no rank has recorded anything yet
};

Result<Captured> look_at(const std::string& attempt_dir) {
  Captured out;
  std::optional<std::string> changed;
  if (path_exists(attempt_dir + "/trace.db")) {
    PAWL_ASSIGN(trace::TraceReader reader, trace::TraceReader::open(attempt_dir + "/trace.db"));
    PAWL_ASSIGN(changed, reader.last_request());
    PAWL_ASSIGN(out.series, reader.available());
  }
  PAWL_ASSIGN(supervise::Intent intent, supervise::read_intent(attempt_dir));
  PAWL_ASSIGN(out.request, pipeline::parse_capture_request(changed.value_or(intent.capture)));
  return out;
}

void print_available(const std::vector<trace::AvailableSeries>& series) {
  std::vector<std::vector<Cell>> rows;
  for (const trace::AvailableSeries& s : series) {
    rows.push_back(
        {{collection_of(s.kind)},
         {s.name},
         {s.last_step ? std::to_string(*s.last_step) : "never", s.last_step ? Tone::plain : Tone::dim}});
  }
  print(render_table({"collection", "series", "last recorded in step"}, rows));
}

Result<int> list(const Global& global, const CaptureListOptions& options) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, options.run));
  PAWL_RETURN_IF_ERROR(check_made_here(run));
  PAWL_ASSIGN(AttemptPlace place, find_attempt(record, run, options.stage, 0));
  PAWL_ASSIGN(Captured captured, look_at(place.dir));
  const pipeline::Capture& capture = captured.request;
  auto series = captured.series.value_or(std::vector<trace::AvailableSeries>());
  if (!options.collection.empty())
    std::erase_if(series, [&](const auto& s) { return collection_of(s.kind) != options.collection; });
  if (global.json) {
    Json out = Json::array();
    for (const trace::AvailableSeries& s : series) {
      out.push_back({{"collection", collection_of(s.kind)},
                     {"name", s.name},
                     {"last_step", s.last_step ? Json(*s.last_step) : Json(nullptr)}});
    }
    print_json({{"run", run.id},
                {"stage", place.attempt.stage},
                {"request", request_json(capture)},
                {"series", out}});
    return 0;
  }
  print(fmt::format("stage {} of run {} records:\n", place.attempt.stage, run.number));
  print(capture.enabled ? request_table(capture) : "nothing: 'debug: off'\n");
  if (!captured.series) {
    print("\nNo rank has recorded anything yet: what could be recorded is not known.\n");
    return 0;
  }
  print(fmt::format("\n{} series could be recorded:\n", series.size()));
  print_available(series);
  return 0;
}

}  // namespace

int capture_set(const Global& global, const CaptureSetOptions& options) {
  auto result = set(global, options);
  return result.ok() ? *result : fail(result.error());
}

int capture_list(const Global& global, const CaptureListOptions& options) {
  auto result = list(global, options);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
