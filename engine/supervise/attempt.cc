#include "engine/supervise/attempt.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/log.h"
#include "engine/base/text.h"
#include "runners/environment.h"

namespace pawl::supervise {
namespace {

constexpr uint64_t kMaxLogBytes = 1ull << 30;
constexpr int64_t kRuleGraceMs = 500;  // the ranks are gone within a second of the step that fired
constexpr int64_t kFailFastMs = 1000;  // for the other ranks to log what they saw of a failure
constexpr int64_t kPublishEveryMs = 200;
constexpr int64_t kGoodbyeMs = 500;  // for clients to take the last messages

}  // namespace

Result<void> Attempt::run() {
  started_unix_ms_ = clock_.unix_ms();
  started_ms_ = ended_ms_ = clock_.monotonic_ms();
  if (auto started = start(); !started.ok()) {
    AttemptResult result;
    result.fence = intent_.fence;
    result.outcome = Outcome::error;
    result.reason = started.error().to_string();
    result.started_unix_ms = started_unix_ms_;
    result.ended_unix_ms = clock_.unix_ms();
    return publish_result(result);
  }
  loop_.run();
  return publish_result(conclude_attempt());
}

Result<void> Attempt::start() {
  PAWL_RETURN_IF_ERROR(make_folders());
  PAWL_ASSIGN(control_, ControlFile::create(intent_.attempt_dir + "/control", intent_.capture));
  PAWL_ASSIGN(log_, LogWriter::open(intent_.attempt_dir, kMaxLogBytes));
  PAWL_ASSIGN(trace_, TraceFollower::create(loop_, intent_,
                                            {[this](const rules::Finding& finding) { on_finding(finding); },
                                             [this] { publish_soon(); }}));
  if (!intent_.event_files.empty()) event_files_ = std::make_unique<EventFiles>(loop_, intent_);
  PAWL_ASSIGN(server_, LineServer::listen(loop_, intent_.attempt_dir,
                                          {[this] { return greeting(); },
                                           [this](std::string_view line) { return on_line(line); }}));
  PAWL_ASSIGN(port_, runners::PortReservation::create());
  PAWL_RETURN_IF_ERROR(launch());
  phase_ = Phase::running;
  if (intent_.timeout_s > 0) {
    loop_.call_after(intent_.timeout_s * 1000, [this] {
      std::string limit = format_duration(intent_.timeout_s * 1000);
      stop(StopCause::timeout, "ran longer than its timeout of " + limit, intent_.grace_s * 1000);
    });
  }
  return {};
}

// What an earlier start of the attempt left did not happen: half a trace would be judged as this
// one's.
Result<void> Attempt::make_folders() {
  for (const char* name : {"/trace.db", "/trace.db-wal", "/trace.db-shm"}) {
    PAWL_RETURN_IF_ERROR(remove_tree(intent_.attempt_dir + name));
  }
  for (const char* name : {"/out", "/trace"}) {
    PAWL_RETURN_IF_ERROR(remove_tree(intent_.attempt_dir + name));
    PAWL_RETURN_IF_ERROR(make_dirs(intent_.attempt_dir + name));
  }
  if (intent_.checkpoint_dir.empty()) return {};
  return make_dirs(intent_.checkpoint_dir);
}

Result<void> Attempt::launch() {
  runners::Environment base = runners::inherited_environment(current_environment());
  std::vector<runners::RankSpec> ranks;
  for (int rank = 0; rank < intent_.ranks; ++rank) {
    ranks.push_back({rank, runners::rank_command(intent_),
                     runners::rank_environment(intent_, base, rank, port_->port()), intent_.source_dir});
  }
  runners::RunnerEvents events;
  events.output = [this](int rank, runners::Stream stream, std::string_view bytes) {
    on_output(rank, stream, bytes);
  };
  events.output_end = [this](int rank, runners::Stream stream) {
    log_->finish(rank, static_cast<int>(stream), clock_.unix_ms());
  };
  events.exit = [this](int rank, ExitStatus status) { on_exit(rank, status); };
  events.ended = [this](runners::Ending ending) {
    ending_ = std::move(ending);
    ended_ms_ = clock_.monotonic_ms();
    loop_.stop();
  };
  runner_ = std::make_unique<runners::LocalRunner>(loop_, intent_.cookie, std::move(events));
  return runner_->launch(ranks);
}

void Attempt::on_output(int rank, runners::Stream stream, std::string_view bytes) {
  log_->append(rank, static_cast<int>(stream), bytes, clock_.unix_ms());
  trace_->output_seen();
  publish_soon();
}

void Attempt::on_exit(int rank, ExitStatus status) {
  exits_.push_back({{rank, status}, clock_.monotonic_ms(), terminating_});
  if (event_files_ != nullptr) event_files_->read_all();
  trace_->rank_exited(rank);
  if (status.success() || cause_ != StopCause::none || all_exited()) return;
  cause_ = StopCause::rank_failed;
  stop_reason_ = fmt::format("rank {} ended with {}", rank, describe_exit(status));
  phase_ = Phase::stopping;
  publish_now();
  loop_.call_after(kFailFastMs, [this] {
    if (!all_exited()) terminate(intent_.grace_s * 1000);
  });
}

void Attempt::on_finding(const rules::Finding& finding) {
  findings_.push_back(finding);
  log_info("{}", describe_finding(finding));
  if (finding.action == rules::Action::stop) stop(StopCause::rule, describe_finding(finding), kRuleGraceMs);
  server_->broadcast(live_line(finding));
  publish_soon();
}

std::string Attempt::on_line(std::string_view line) {
  auto command = parse_command(line);
  if (!command.ok()) return error_line(command.error().message());
  if (const auto* stop = std::get_if<StopCommand>(&*command)) {
    cancel(stop->reason);
    return "";
  }
  auto answer = change_capture(std::get<pipeline::CaptureChange>(*command));
  return answer.ok() ? capture_line(*answer) : error_line(answer.error().message());
}

Result<CaptureAnswer> Attempt::change_capture(const pipeline::CaptureChange& change) {
  PAWL_ASSIGN(pipeline::Capture capture, pipeline::parse_capture_request(capture_));
  if (!capture.enabled)
    return Error(ErrorCode::invalid, "the stage runs with 'debug: off': no hook is there to ask");
  for (int rank : change.ranks) {
    if (rank >= intent_.ranks)
      return Error(ErrorCode::invalid,
                   fmt::format("there is no rank {}: the stage has {}", rank, intent_.ranks));
  }
  capture = pipeline::changed(std::move(capture), change);
  for (const pipeline::CaptureRule& rule : capture.rules) {
    if (rule.to && *rule.to <= rule.from)
      return Error(ErrorCode::invalid, fmt::format("no step is from {} to before {}", rule.from, *rule.to));
  }
  std::string request = pipeline::capture_request(capture);
  PAWL_RETURN_IF_ERROR(control_->set_request(request));
  capture_ = std::move(request);
  log_info("capture request {}: {}", control_->generation(), replace_all(capture_, "\n", "; "));
  return CaptureAnswer{control_->generation(), capture_};
}

void Attempt::cancel(std::string reason) {
  stop(StopCause::cancelled, std::move(reason), intent_.grace_s * 1000);
}

// The first cause stands; a later one can only hasten the end.
void Attempt::stop(StopCause cause, std::string reason, int64_t grace_ms) {
  if (all_exited()) return;
  if (cause_ == StopCause::none) {
    cause_ = cause;
    stop_reason_ = std::move(reason);
  }
  terminate(grace_ms);
  publish_now();
}

void Attempt::terminate(int64_t grace_ms) {
  terminating_ = true;
  phase_ = Phase::stopping;
  if (auto asked = control_->request_stop(); !asked.ok()) log_warning("{}", asked.error().to_string());
  runner_->terminate(grace_ms);
}

AttemptResult Attempt::conclude_attempt() {
  bool completed = cause_ == StopCause::none &&
                   std::ranges::all_of(exits_, [](const auto& seen) { return seen.exit.status.success(); });
  if (event_files_ != nullptr) event_files_->read_all();
  Story story;
  story.rules = trace_->finish(completed);
  story.cause = cause_;
  story.stop_reason = stop_reason_;
  story.exits = exits_;
  story.capture_asked = intent_.capture != "off";
  story.trace_seen = trace_->seen();
  story.survivors = ending_.survivors;
  Conclusion conclusion = conclude(story);
  log_->sync();

  AttemptResult result;
  result.fence = intent_.fence;
  result.outcome = conclusion.outcome;
  result.reason = conclusion.reason;
  result.first_failing_rank = conclusion.first_failing_rank;
  for (const ObservedExit& seen : exits_) result.exits.push_back(seen.exit);
  std::ranges::sort(result.exits, {}, &RankExit::rank);
  result.findings = story.rules.findings;
  result.rules = story.rules.rules;
  result.steps = trace_->progress().steps();
  result.last_step = trace_->progress().last_step();
  result.seconds = static_cast<double>(ended_ms_ - started_ms_) / 1000.0;
  result.steps_per_s = trace_->progress().mean_steps_per_s();
  result.last_loss = trace_->last_loss();
  result.trace_anomalies = trace_->anomalies();
  result.log_bytes = log_->size();
  result.log_lost_bytes = log_->lost_bytes();
  result.notes = notes();
  result.started_unix_ms = started_unix_ms_;
  result.ended_unix_ms = clock_.unix_ms();
  return result;
}

std::vector<std::string> Attempt::notes() const {
  std::vector<std::string> out = trace_->notes();
  if (event_files_ != nullptr) std::ranges::move(event_files_->notes(), std::back_inserter(out));
  if (!ending_.leftovers.empty()) {
    std::vector<std::string> names(ending_.leftovers.begin(), ending_.leftovers.end());
    out.push_back("ended processes that the stage left running: " + join(names, ", "));
  }
  if (!log_->first_error().empty()) out.push_back("the log is incomplete: " + log_->first_error());
  if (log_->lost_bytes() > 0) {
    out.push_back(fmt::format("{} of output are not in the log, which holds at most {}",
                              format_bytes(log_->lost_bytes()), format_bytes(kMaxLogBytes)));
  }
  for (std::string& note : out) note = sanitize_for_terminal(note);
  return out;
}

Result<void> Attempt::publish_result(const AttemptResult& result) {
  PAWL_RETURN_IF_ERROR(write_result(intent_.attempt_dir, result));
  log_info("{} attempt {} of stage {}: {}", intent_.run_id, intent_.attempt, intent_.stage, result.reason);
  phase_ = Phase::finished;
  if (server_ == nullptr) return {};
  publish_now();
  server_->broadcast(live_line(result));
  server_->drain(kGoodbyeMs);
  return {};
}

LiveState Attempt::live_state() const {
  int64_t now_ms = phase_ == Phase::finished ? ended_ms_ : clock_.monotonic_ms();
  int64_t unix_now_ms = started_unix_ms_ + (now_ms - started_ms_);
  const Progress& progress = trace_->progress();
  LiveState state;
  state.phase = phase_;
  state.reason = stop_reason_;
  state.step = progress.last_step();
  state.steps_total = progress.total();
  state.steps_per_s = progress.steps_per_s(unix_now_ms);
  state.loss = trace_->last_loss();
  state.elapsed_s = static_cast<double>(now_ms - started_ms_) / 1000.0;
  state.eta_s = progress.eta_s(unix_now_ms);
  state.log_bytes = log_->size();
  state.findings = findings_.size();
  return state;
}

std::string Attempt::greeting() const {
  std::string lines = live_line(live_state());
  for (const rules::Finding& finding : findings_) lines += live_line(finding);
  return lines;
}

void Attempt::publish_soon() {
  if (publish_pending_) return;
  publish_pending_ = true;
  loop_.call_after(kPublishEveryMs, [this] {
    publish_pending_ = false;
    publish_now();
  });
}

void Attempt::publish_now() {
  server_->broadcast(live_line(live_state()));
}

}  // namespace pawl::supervise
