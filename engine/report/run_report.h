// All that a report of one finished run shows, as values: whoever knows the record fills it, the writers of
// HTML, Markdown and JUnit XML turn it into text. Every string may come from outside (a commit subject, a
// metric's name, a log) and needs no cleaning before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/gate/verdict.h"

namespace pawl::report {

struct DataVersion {
  std::string name;
  std::string digest;  // "sha256:<hex>"
};

struct Attempt {
  std::int64_t number = 1;
  std::string outcome;  // one word or two: "succeeded", "failed", "stopped", "timed out", "lost"
  std::string detail;   // "exit code 1", "a rule fired"
  bool succeeded = false;
  double seconds = 0;
};

struct Stage {
  std::string name;
  std::vector<Attempt> attempts;  // none: the stage was not started; the last one gives the stage's outcome
};

struct Finding {
  std::string rule;
  bool fails_build = true;  // false: a warning
  std::string stage;
  std::int64_t step = 0;   // where it was first seen
  std::int64_t count = 1;  // steps in which it fired
  std::optional<std::int64_t> rank;
  std::string tensor;  // empty when none is concerned
  std::string kind;    // of the tensor: "gradient", "loss", ...
  double value = 0;    // what was measured; may be NaN or infinite
  double limit = 0;    // what it was compared with
  std::string message;
  std::string advice;  // what to look at; may be empty
};

struct Metric {
  std::string name;
  std::string unit;
  double value = 0;
  std::optional<double> baseline;
  // (seed, value) when the stage was run with several; `value` is their mean.
  std::vector<std::pair<std::int64_t, double>> by_seed = {};
};

using Points = std::vector<std::pair<std::int64_t, double>>;  // (step, value), steps ascending

// What the last green runs had at the same steps, and what the run was held to while it trained.
struct GreenBand {
  std::vector<std::string> runs = {};  // "12 (3f2a91c)"
  Points low = {};                     // of each stretch of steps, by its middle
  Points high = {};
  Points limit = {};
};

struct Curve {
  std::string stage;
  std::string name;  // "loss"
  Points points;     // values may be NaN or infinite
  Points baseline;   // of the run compared with; may be empty
  GreenBand green = {};
};

// What the offending tensor looked like around the step in which a rule fired.
struct TensorStep {
  std::int64_t step = 0;
  std::int64_t nan = 0;
  std::int64_t inf = 0;
  double min = 0;
  double max = 0;
  double mean = 0;
  double norm = 0;  // square root of the sum of squares
};

struct TensorHistory {
  std::string stage;
  std::string tensor;
  std::string kind;
  std::int64_t rank = 0;
  std::int64_t fired_step = 0;
  std::vector<TensorStep> steps;
};

struct LogTail {
  std::string title;   // "train, attempt 1"
  std::string text;    // the last bytes of the log, as they were written
  bool whole = false;  // nothing was left out before
};

struct RunReport {
  std::string project;
  std::string run_id;
  std::int64_t number = 0;  // 0: it has none
  std::string branch;
  std::string commit;
  std::string subject;
  std::string author;
  std::string trigger;       // "push", "data", ...
  std::string trigger_note;  // "fashion-mnist changed"
  std::vector<DataVersion> data;
  std::int64_t started_unix_ms = 0;
  double seconds = 0;
  gate::Verdict verdict;
  bool cancelled = false;  // then there was no judgement, and verdict.headline says who cancelled
  std::vector<Stage> stages;
  std::vector<Finding> findings;  // in the order in which they fired
  std::vector<Metric> metrics;
  std::vector<Curve> curves;
  std::vector<TensorHistory> tensors;
  std::vector<LogTail> logs;
  std::string url;        // of the run; may be empty
  std::string gate_note;  // whose gate judged, when it is not the commit's own; empty: nothing to say
};

// "PASS", "FAIL", ..., "CANCELLED".
std::string_view verdict_name(const RunReport& report);
inline bool is_green(const RunReport& report) {
  return !report.cancelled && report.verdict.kind == gate::VerdictKind::pass;
}

}  // namespace pawl::report
