#include "engine/gate/paired_reason.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/gate/wording.h"

namespace pawl::gate {
namespace {

constexpr double kRounding = 1e-9;

Status paired_status(PairedTest::Mode mode, const Comparison& comparison) {
  if (comparison.alike) return Status::pass;
  if (mode == PairedTest::Mode::lenient) return comparison.surely_worse ? Status::fail : Status::pass;
  if (comparison.surely_worse) return Status::fail;
  return comparison.surely_not_worse ? Status::pass : Status::inconclusive;
}

Standing standing_of(const Comparison& comparison) {
  if (comparison.surely_worse) return Standing::worse;
  return comparison.surely_not_worse ? Standing::within : Standing::open;
}

std::string examples_advice(const Comparison& comparison) {
  if (!comparison.examples_needed) return "; not shown to be within the margin";
  return fmt::format("; not shown to be within the margin: about {} examples would be needed, there are {}",
                     *comparison.examples_needed, comparison.n);
}

// A sign-flip test of four values excludes nothing.
bool is_bounded(const Interval& interval) {
  return std::isfinite(interval.low) && std::isfinite(interval.high);
}

std::string sentence_of(const PairedTest& test, const Comparison& comparison, double margin,
                        std::string_view change, std::string_view compared, std::string_view against) {
  if (comparison.alike) {
    const std::string_view how =
        comparison.counts ? "right on the same examples" : "the same on every example";
    return fmt::format("{} ({}) against {}", change, how, against);
  }
  if (!is_bounded(comparison.interval))
    return fmt::format("{} ({} examples show nothing) against {}", change, comparison.n, against);
  const double level = 1 - 2 * test.alpha;
  const auto describe_it = comparison.counts ? describe_difference : describe_plain_difference;
  return fmt::format(
      "{} ({}{}{}) against {}", change, compared, compared.empty() ? "" : " ",
      describe_it(comparison.difference(), comparison.interval, level, margin, standing_of(comparison)),
      against);
}

}  // namespace

Reason plain_reason(Check check, Status status, std::string subject, std::string sentence) {
  Reason reason;
  reason.check = check;
  reason.status = status;
  reason.subject = std::move(subject);
  reason.sentence = std::move(sentence);
  return reason;
}

const EvaluationVector* find_vector(const Evidence& evidence, const std::string& file) {
  const auto it = evidence.vectors.find(file);
  return it == evidence.vectors.end() ? nullptr : &it->second;
}

std::string why_no_vector(const Evidence& evidence, const std::string& file) {
  const auto why = evidence.unreadable.find(file);
  return why == evidence.unreadable.end() ? "left no " + file : "left what cannot be read: " + why->second;
}

std::string what_is_compared(const PairedTest& test) {
  switch (test.of) {
    case PairedTest::Of::accuracy:
      return "right answers";
    case PairedTest::Of::mean:
      return fmt::format("mean of column {}", test.column);
    case PairedTest::Of::auc:
      return "AUC";
    case PairedTest::Of::average_precision:
      return "average precision";
    case PairedTest::Of::macro_f1:
      return "macro F1";
  }
  return "";
}

Reason paired_reason(const PairedTest& test, std::string subject, const Comparison& comparison, double margin,
                     std::string_view change, std::string_view compared, std::string_view against) {
  Reason reason = plain_reason(Check::paired, paired_status(test.mode, comparison), std::move(subject),
                               sentence_of(test, comparison, margin, change, compared, against));
  if (reason.status == Status::inconclusive) reason.sentence += examples_advice(comparison);
  reason.test = comparison.test;
  reason.limit = -margin;
  reason.counts = comparison.counts;
  if (is_bounded(comparison.interval)) reason.interval = comparison.interval;
  reason.level = 1 - 2 * test.alpha;
  reason.p_value = comparison.p_worse;
  if (test.mode == PairedTest::Mode::lenient && !comparison.alike) reason.p_margin = comparison.p_margin;
  return reason;
}

Drop drop_of(Direction direction, double value, double baseline, double max_drop, bool relative) {
  const double allowed = max_drop * (relative ? std::abs(baseline) : 1);
  const double drop = direction == Direction::higher ? baseline - value : value - baseline;
  // 0.87 - 0.85 is more than 0.02 in binary.
  const double slack = kRounding * std::max(std::abs(baseline), std::abs(value));
  return {direction == Direction::higher ? baseline - allowed : baseline + allowed, drop <= allowed + slack};
}

}  // namespace pawl::gate
