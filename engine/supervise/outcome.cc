#include "engine/supervise/outcome.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>

#include "engine/base/text.h"

namespace pawl::supervise {
namespace {

constexpr int64_t kSameInstantMs = 20;

// The usual meaning of a signal in training.
std::string_view signal_hint(int signal) {
  switch (signal) {
    case SIGKILL:
      return "often the kernel, out of memory";
    case SIGSEGV:
      return "a memory fault in native code";
    case SIGABRT:
      return "a failed assertion, an uncaught C++ exception or a CUDA or NCCL abort";
    case SIGBUS:
      return "often a full /dev/shm";
    case SIGILL:
      return "an instruction this CPU does not have";
    case SIGFPE:
      return "an integer division by zero";
    default:
      return "";
  }
}

std::string with_hint(std::string text, std::string_view hint) {
  return hint.empty() ? text : fmt::format("{}: {}", text, hint);
}

bool fails_stage(const rules::Finding& finding) {
  return finding.severity == rules::Severity::fail;
}

const rules::Finding* worst_finding(const rules::Summary& summary) {
  auto it = std::ranges::find_if(summary.findings, fails_stage);
  return it == summary.findings.end() ? nullptr : &*it;
}

const rules::RuleOutcome* missing_rule(const rules::Summary& summary) {
  auto it = std::ranges::find_if(summary.rules, [](const rules::RuleOutcome& rule) {
    return rule.required && rule.outcome == rules::Outcome::not_evaluated;
  });
  return it == summary.rules.end() ? nullptr : &*it;
}

Conclusion conclude_failed_rank(const Story& story, const ObservedExit& failure) {
  const RankExit& exit = failure.exit;
  std::string reason = fmt::format("rank {} ended with {}", exit.rank, describe_exit(exit.status));
  if (const rules::Finding* finding = worst_finding(story.rules)) reason += "; " + describe_finding(*finding);
  return {Outcome::failed, reason, exit.rank};
}

Conclusion conclude_ended(const Story& story) {
  if (auto failure = first_failure(story.exits)) return conclude_failed_rank(story, *failure);
  if (const rules::Finding* finding = worst_finding(story.rules)) {
    return {Outcome::failed, describe_finding(*finding), std::nullopt};
  }
  bool no_trace = story.capture_asked && !story.trace_seen;
  if (const rules::RuleOutcome* rule = missing_rule(story.rules)) {
    std::string why = no_trace ? "the stage recorded no trace" : rule->reason;
    return {Outcome::failed, fmt::format("required rule {} was not evaluated: {}", rule->rule, why),
            std::nullopt};
  }
  if (no_trace)
    return {Outcome::succeeded, "succeeded; it recorded no trace, so no rule was evaluated", std::nullopt};
  return {Outcome::succeeded, "succeeded", std::nullopt};
}

Conclusion conclude_by_cause(const Story& story) {
  switch (story.cause) {
    case StopCause::rule:
      return {Outcome::stopped_by_rule, story.stop_reason, std::nullopt};
    case StopCause::timeout:
      return {Outcome::timed_out, story.stop_reason, std::nullopt};
    case StopCause::cancelled:
      return {Outcome::cancelled, story.stop_reason, std::nullopt};
    case StopCause::rank_failed:
    case StopCause::none:
      break;
  }
  return conclude_ended(story);
}

}  // namespace

Conclusion conclude(const Story& story) {
  Conclusion conclusion = conclude_by_cause(story);
  if (story.survivors.empty()) return conclusion;
  conclusion.reason =
      fmt::format("processes could not be ended: {} ({})", join(story.survivors, ", "), conclusion.reason);
  conclusion.outcome = Outcome::error;
  return conclusion;
}

std::optional<ObservedExit> first_failure(const std::vector<ObservedExit>& exits) {
  std::vector<ObservedExit> failures;
  for (const ObservedExit& observed : exits) {
    if (!observed.exit.status.success() && !observed.after_stop) failures.push_back(observed);
  }
  if (failures.empty()) return std::nullopt;
  int64_t until_ms = failures.front().at_ms + kSameInstantMs;
  std::erase_if(failures, [&](const ObservedExit& observed) { return observed.at_ms > until_ms; });
  auto crashed = [](const ObservedExit& observed) { return observed.exit.status.signaled(); };
  auto it = std::ranges::find_if(failures, crashed);
  return it == failures.end() ? failures.front() : *it;
}

std::string describe_exit(const ExitStatus& status) {
  if (status.signaled()) return with_hint(status.to_string(), signal_hint(status.signal()));
  switch (status.code()) {
    case 126:
      return "exit code 126: the command is not executable";
    case 127:
      return "exit code 127: command not found";
    default:
      break;
  }
  // What a shell reports for a command that was ended by a signal.
  int signal = status.code() - 128;
  if (signal <= 0 || signal >= NSIG || signal_hint(signal).empty()) return status.to_string();
  return with_hint(fmt::format("{}, {}", status.to_string(), ExitStatus::killed(signal).to_string()),
                   signal_hint(signal));
}

std::string describe_finding(const rules::Finding& finding) {
  // The series of losses are called loss, loss.1, ...: their names say their kind.
  bool names_itself = finding.kind == "loss";
  std::string series = names_itself ? finding.tensor : fmt::format("{} {}", finding.kind, finding.tensor);
  std::string tensor = finding.tensor.empty() ? "" : ", " + series;
  return fmt::format("rule {} fired at step {} on rank {}{}: {}", finding.rule, finding.first_step,
                     finding.rank, tensor, finding.message);
}

}  // namespace pawl::supervise
