// metrics.json: what a stage says its model is worth.
//
//   {"accuracy": 0.87, "loss": {"value": 0.31, "direction": "lower", "unit": "nats", "n": 10000}, "f1":
//   "NaN"}
//
// JSON has no NaN and no infinities, so these are the strings "NaN", "Infinity" and "-Infinity".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/policy.h"

namespace pawl::gate {

struct Metric {
  std::string name;  // 1 to 128 bytes of UTF-8 without control characters
  double value = 0;  // may be NaN or infinite
  std::optional<Direction> direction;
  std::string unit;
  std::optional<std::int64_t> n;  // examples the value was taken over

  bool operator==(const Metric&) const = default;
};

inline constexpr std::size_t kMaxMetricsBytes = 1 << 20;
inline constexpr std::size_t kMaxMetrics = 10'000;

// Text from outside. Refuses, naming `where` (the path): anything that is no JSON object of the form above, a
// key given twice, a name that breaks the rule above, more than the maxima. Order of the file is kept.
Result<std::vector<Metric>> parse_metrics(std::string_view text, std::string_view where);

// nullptr when there is none of that name.
const Metric* find_metric(const std::vector<Metric>& metrics, std::string_view name);

}  // namespace pawl::gate
