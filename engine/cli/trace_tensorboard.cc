// pawl trace --tensorboard: event files for TensorBoard, once or for as long as the run trains.

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/base/clock.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/record.h"
#include "engine/cli/trace_attempt.h"
#include "engine/trace/tensorboard.h"

namespace pawl::cli {
namespace {

constexpr int64_t kPollMs = 500;     // the supervisor makes steps visible as often
constexpr int64_t kBusyShare = 10;   // looking takes at most a tenth of the time, however large the trace
constexpr int64_t kGoneMs = 10'000;  // a supervisor that is started takes its lock within this

class Follower {
 public:
  Follower(std::string attempt_dir, trace::TensorBoardExport& out)
      : dir_(std::move(attempt_dir)), out_(out) {}

  // What is there now.
  Result<void> update() {
    const std::string path = dir_ + "/trace.db";
    if (!path_exists(path)) return {};  // no step yet
    // Opened anew each time: a reader that stays keeps the supervisor from leaving a single file.
    PAWL_ASSIGN(trace::TraceReader reader, trace::TraceReader::open(path));
    return out_.update(reader, static_cast<double>(clock_.unix_ms()) / 1000);
  }

  Result<void> run() {
    while (true) {
      PAWL_ASSIGN(bool ended, has_ended());  // the last rows are written before the end shows
      const int64_t start_ms = clock_.monotonic_ms();
      auto updated = update();
      if (!updated.ok() && (ended || !may_pass(updated.error()))) return updated;
      if (ended) return {};
      const int64_t spent_ms = clock_.monotonic_ms() - start_ms;
      std::this_thread::sleep_for(std::chrono::milliseconds(std::max(kPollMs, kBusyShare * spent_ms)));
    }
  }

 private:
  // trace.db is just being made, or closed.
  static bool may_pass(const Error& error) {
    const ErrorCode code = error.code();
    return code == ErrorCode::invalid || code == ErrorCode::unavailable || code == ErrorCode::not_found;
  }

  Result<bool> has_ended() {
    if (path_exists(dir_ + "/result.json")) return true;
    PAWL_ASSIGN(bool alive, FileLock::is_held(dir_ + "/lock"));
    const int64_t now_ms = clock_.monotonic_ms();
    if (alive || alive_ms_ == 0) alive_ms_ = now_ms;
    return now_ms - alive_ms_ > kGoneMs;
  }

  std::string dir_;
  trace::TensorBoardExport& out_;
  SystemClock clock_;
  int64_t alive_ms_ = 0;  // when a supervisor was last seen
};

Result<int> export_trace(const Global& global, const TraceOptions& options) {
  re2::RE2 pattern(options.series, re2::RE2::Quiet);
  if (!pattern.ok()) return Error(ErrorCode::usage, "--series is no regular expression: " + pattern.error());
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, options.run));
  PAWL_ASSIGN(
      AttemptPlace place, find_traced_attempt(record, run, options.stage, [&](const AttemptPlace& known) {
        return path_exists(known.dir + "/trace.db") || (options.follow && known.attempt.state != "finished");
      }));
  const std::string source = fmt::format("{}.{}.{}", run.id, place.attempt.stage, place.attempt.number);
  trace::TensorBoardExport out(options.tensorboard, source,
                               [&](std::string_view name) { return re2::RE2::PartialMatch(name, pattern); });
  Follower follower(place.dir, out);
  PAWL_RETURN_IF_ERROR(options.follow ? follower.run() : follower.update());
  if (out.steps() == 0) {
    return Error(ErrorCode::not_found,
                 options.series.empty()
                     ? fmt::format("stage {} of run {} recorded nothing", place.attempt.stage, run.number)
                     : fmt::format("no series matches '{}'", options.series));
  }
  if (global.json) {
    print_json({{"tensorboard", options.tensorboard},
                {"stage", place.attempt.stage},
                {"attempt", place.attempt.number},
                {"folders", out.folders()},
                {"steps", out.steps()}});
  } else {
    print(fmt::format("{} steps in {} folders: tensorboard --logdir {}\n", out.steps(), out.folders(),
                      sanitize_for_terminal(options.tensorboard)));
  }
  return 0;
}

}  // namespace

int trace_tensorboard(const Global& global, const TraceOptions& options) {
  auto result = export_trace(global, options);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
