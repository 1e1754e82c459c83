// What `pawl log` is told: `loss=0.31` on its command line, or lines of JSON, {"step": 12, "loss": 0.31}.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/trace/segment_writer.h"

namespace pawl::trace {

// The names that are losses; everything else is a scalar.
using LossNames = std::set<std::string, std::less<>>;

inline constexpr uint64_t kMaxLogStep = 1'000'000'000'000;

struct LogLine {
  std::optional<uint64_t> step;
  std::optional<bool> eval;
  std::vector<LoggedValue> values;
};

// An object with numbers, `step` (at most kMaxLogStep) and `mode`. Numbers that are not finite are "NaN",
// "Infinity" and
// "-Infinity", with quotes or, as Python's json writes them, without. Error invalid says what is wrong.
Result<LogLine> parse_log_line(std::string_view text, const LossNames& losses);

// NAME=VALUE. What is behind the last `=` is a number, also `nan`, `inf` or `-inf` in any case.
Result<LoggedValue> parse_log_value(std::string_view text, const LossNames& losses);

// "train" or "eval": whether it is the latter.
Result<bool> parse_log_mode(std::string_view text);

}  // namespace pawl::trace
