// pawl log: numbers of a training that no hook is in, into the trace of its rank.

#include <errno.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/trace/log_line.h"
#include "engine/trace/segment_writer.h"

namespace pawl::cli {
namespace {

constexpr const char* kProducer = "pawl log";
constexpr size_t kMaxLine = 1u << 20;
constexpr int kToldLines = 10;
// Other calls hold the lock for less than a millisecond, a training that records for as long as it lives.
constexpr auto kLockPatience = std::chrono::seconds(1);
constexpr auto kLockRetry = std::chrono::milliseconds(5);

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// Why nothing can be recorded here; empty when it can.
std::string why_nowhere() {
  if (variable("PAWL_TRACE_DIR").empty()) return "this is no stage of a run";
  if (variable("PAWL_CAPTURE") == "off") return "'debug: off'";
  return "";
}

Result<uint32_t> number_of(const char* name, uint32_t fallback) {
  const std::string text = variable(name);
  if (text.empty()) return fallback;
  const auto number = parse_int(text);
  if (!number.ok() || *number < 0 || *number > UINT32_MAX)
    return Error(ErrorCode::usage, fmt::format("{} is no number: '{}'", name, text));
  return static_cast<uint32_t>(*number);
}

bool is_due(const pipeline::CaptureRule& rule, uint64_t step, bool eval) {
  if (rule.off || rule.modes == (eval ? pipeline::Modes::train : pipeline::Modes::eval)) return false;
  const auto number = static_cast<int64_t>(step);
  const bool within = number >= rule.from && (!rule.to || number < *rule.to);
  if (eval) return within;
  return (within && number % rule.every == 0) || std::ranges::find(rule.at, number) != rule.at.end();
}

Error beyond_last_step() {
  return Error(ErrorCode::usage, fmt::format("there is no step beyond {}", trace::kMaxLogStep));
}

// Gives lines their steps, and records of them what the stage asks for.
class Recording {
 public:
  static Result<Recording> open() {
    PAWL_ASSIGN(const uint32_t rank, number_of("RANK", 0));
    PAWL_ASSIGN(const uint32_t world_size, number_of("WORLD_SIZE", 1));
    if (rank >= world_size)
      return Error(ErrorCode::usage, fmt::format("RANK is {} and WORLD_SIZE {}", rank, world_size));
    PAWL_ASSIGN(trace::SegmentWriter writer, take_rank(rank, world_size));
    Recording recording(std::move(writer), rank);
    PAWL_ASSIGN(recording.last_, recording.writer_.last_training_step());
    // What an older or newer program cannot read asks for everything.
    auto request = pipeline::parse_capture_request(variable("PAWL_CAPTURE"));
    if (request.ok() && !request->rules.empty()) recording.request_ = std::move(*request);
    return recording;
  }

  Result<void> add(const trace::LogLine& line, bool eval_by_default) {
    trace::LoggedStep step;
    step.eval = line.eval.value_or(eval_by_default);
    if (last_.value_or(0) > trace::kMaxLogStep) return beyond_last_step();
    const uint64_t next = last_ ? *last_ + (step.eval ? 0 : 1) : 0;
    step.step = line.step.value_or(next);
    if (step.step > trace::kMaxLogStep) return beyond_last_step();
    if (!step.eval) {
      // The same step once more is more of it; an earlier one is where training has gone back to.
      step.unordered = !last_ || step.step >= *last_;
      last_ = step.step;
    }
    std::ranges::copy_if(line.values, std::back_inserter(step.values), [&](const trace::LoggedValue& value) {
      return is_asked_for(value, step.step, step.eval);
    });
    return writer_.add(step);
  }
  Result<void> flush() { return writer_.flush(); }
  Result<void> close() { return writer_.close(); }

 private:
  Recording(trace::SegmentWriter writer, uint32_t rank) : writer_(std::move(writer)), rank_(rank) {}

  static Result<trace::SegmentWriter> take_rank(uint32_t rank, uint32_t world_size) {
    const auto give_up = std::chrono::steady_clock::now() + kLockPatience;
    for (;;) {
      auto writer = trace::SegmentWriter::open(variable("PAWL_TRACE_DIR"), rank, world_size, kProducer);
      const bool is_taken = !writer.ok() && writer.error().code() == ErrorCode::conflict;
      if (is_taken && std::chrono::steady_clock::now() < give_up) {
        std::this_thread::sleep_for(kLockRetry);
        continue;
      }
      if (is_taken) {
        return Error(
            ErrorCode::conflict,
            fmt::format("another process records rank {}: the training itself, or a `pawl log -` that "
                        "still runs",
                        rank));
      }
      return writer;
    }
  }

  bool is_asked_for(const trace::LoggedValue& value, uint64_t step, bool eval) const {
    const char* collection = value.kind == trace::Kind::loss ? "losses" : "scalars";
    const auto* rule = request_.rule_for(collection, static_cast<int>(rank_));
    return rule != nullptr && is_due(*rule, step, eval);
  }

  trace::SegmentWriter writer_;
  uint32_t rank_;
  pipeline::Capture request_ = pipeline::Capture::standard();
  std::optional<uint64_t> last_;  // training step
};

// Standard input as lines, as they come.
class Lines {
 public:
  explicit Lines(bool eval, const trace::LossNames& losses) : eval_(eval), losses_(losses) {}

  // Reads to the end, whatever is wrong: who writes into the pipe is never stopped by us.
  void run(Recording* recording) {
    std::string rest;
    std::string chunk(64u << 10, '\0');
    for (;;) {
      const ssize_t size = ::read(STDIN_FILENO, chunk.data(), chunk.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) break;
      rest.append(chunk, 0, static_cast<size_t>(size));
      size_t from = 0;
      for (size_t end; (end = rest.find('\n', from)) != std::string::npos; from = end + 1) {
        see(std::string_view(rest).substr(from, end - from), recording);
      }
      rest.erase(0, from);
      if (rest.size() > kMaxLine) shorten(rest);
      if (recording != nullptr) check(recording->flush());
    }
    if (!rest.empty()) see(rest, recording);
    if (recording != nullptr) check(recording->close());
  }

  int exit_code() const {
    if (wrong_ > kToldLines)
      std::fprintf(stderr, "pawl log: %lld lines in all were not understood\n",
                   static_cast<long long>(wrong_));
    if (error_) return fail(*error_);
    return wrong_ > 0 ? 2 : 0;
  }

 private:
  // Nobody writes such a line on purpose: its start is kept, which makes it a wrong one.
  static void shorten(std::string& rest) { rest.resize(kMaxLine); }

  void see(std::string_view text, Recording* recording) {
    ++number_;
    if (trim(text).empty()) return;
    auto line = text.size() < kMaxLine
                    ? trace::parse_log_line(text, losses_)
                    : Error(ErrorCode::invalid, "is longer than " + format_bytes(kMaxLine));
    if (!line.ok()) {
      tell(line.error());
    } else if (recording != nullptr && (line->step || !line->values.empty())) {
      check(recording->add(*line, eval_));
    }
  }

  void tell(const Error& error) {
    if (++wrong_ > kToldLines) return;
    const std::string text = sanitize_for_terminal(error.message());
    std::fprintf(stderr, "pawl log: line %lld: %s\n", static_cast<long long>(number_), text.c_str());
  }

  void check(Result<void> done) {
    if (!done.ok() && !error_) error_ = done.error();
  }

  bool eval_;
  const trace::LossNames& losses_;
  int64_t number_ = 0;  // of the line
  int64_t wrong_ = 0;
  std::optional<Error> error_;  // the first
};

Result<trace::LogLine> line_of(const LogOptions& options, const trace::LossNames& losses) {
  if (options.step.value_or(0) > trace::kMaxLogStep) return beyond_last_step();
  trace::LogLine line;
  line.step = options.step;
  for (const std::string& text : options.values) {
    auto value = trace::parse_log_value(text, losses);
    if (!value.ok()) return Error(ErrorCode::usage, value.error().message());
    line.values.push_back(std::move(*value));
  }
  return line;
}

Result<int> log_values(const LogOptions& options, const trace::LossNames& losses, bool records) {
  PAWL_ASSIGN(trace::LogLine line, line_of(options, losses));
  if (!records) return 0;
  PAWL_ASSIGN(Recording recording, Recording::open());
  PAWL_RETURN_IF_ERROR(recording.add(line, options.mode == "eval"));
  PAWL_RETURN_IF_ERROR(recording.close());
  return 0;
}

Result<int> log_lines(const LogOptions& options, const trace::LossNames& losses, bool records) {
  if (options.step) return Error(ErrorCode::usage, "with -, each line says its \"step\"");
  // When the stage is stopped, the program before the pipe may have something left to say, or a checkpoint to
  // write, and would fall over a pipe that nobody reads. It ends, and so do we.
  ::signal(SIGTERM, SIG_IGN);
  Lines lines(options.mode == "eval", losses);
  if (!records) {
    lines.run(nullptr);
    return lines.exit_code();
  }
  PAWL_ASSIGN(Recording recording, Recording::open());
  lines.run(&recording);
  return lines.exit_code();
}

}  // namespace

int log(const LogOptions& options) {
  trace::LossNames losses(options.losses.begin(), options.losses.end());
  losses.insert("loss");
  const std::string nowhere = why_nowhere();
  if (!nowhere.empty()) std::fprintf(stderr, "pawl log: nothing is recorded: %s\n", nowhere.c_str());
  const bool from_input = options.values == std::vector<std::string>{"-"};
  auto result =
      from_input ? log_lines(options, losses, nowhere.empty()) : log_values(options, losses, nowhere.empty());
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
