#include "engine/gate/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/gate/proportion.h"

namespace pawl::gate {
namespace {

// Room for "-0" would mislead: a number that rounds to nothing is nothing.
std::string without_trailing_zeros(std::string text) {
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

std::string points(double fraction, int decimals) {
  const double value = 100 * fraction;
  // Avoids "-0.0".
  const double half = 0.5 * std::pow(10.0, -decimals);
  return fmt::format("{:+.{}f}", std::abs(value) < half ? 0.0 : value, decimals);
}

std::string_view words(Standing standing) {
  switch (standing) {
    case Standing::worse:
      return "surely worse than the margin of";
    case Standing::within:
      return "surely not worse than the margin of";
    case Standing::open:
      return "not surely worse than the margin of";
  }
  return "";
}

}  // namespace

std::string format_number(double value, int significant) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size >= 1e9 || size < 1e-5) return fmt::format("{:.{}g}", value, significant);
  const int before_point = static_cast<int>(std::floor(std::log10(size))) + 1;
  return without_trailing_zeros(fmt::format("{:.{}f}", value, std::max(0, significant - before_point)));
}

std::string describe_points(double fraction) {
  const std::string number = format_number(100 * fraction);
  return number + (number == "1" || number == "-1" ? " point" : " points");
}

std::pair<std::string, std::string> format_numbers(double a, double b) {
  for (int significant = 4;; ++significant) {
    std::pair texts{format_number(a, significant), format_number(b, significant)};
    if (texts.first != texts.second || a == b || significant == 17) return texts;
  }
}

std::string describe_change(std::string_view metric, double from, double to) {
  const auto [before, after] = format_numbers(from, to);
  if (from == to) return fmt::format("{} stayed at {}", metric, after);
  return fmt::format("{} {} from {} to {}", metric, to < from ? "fell" : "rose", before, after);
}

std::string describe(const BaselineRun& run) {
  // The first ten characters of a ULID are its millisecond.
  const std::string name = run.number > 0 ? fmt::format("{}", run.number) : run.id.substr(0, 10);
  return fmt::format("run {} of commit {} ({}{}{})", name, run.commit.substr(0, 7), run.branch,
                     run.note.empty() ? "" : ", ", run.note);
}

std::string describe(const Finding& finding) {
  std::string text = finding.rule;
  if (finding.step) text += fmt::format(" at step {}", *finding.step);
  if (finding.rank) text += fmt::format("{} rank {}", finding.step ? "," : " on", *finding.rank);
  if (!finding.tensor.empty()) text += fmt::format(", tensor {}", finding.tensor);
  return finding.message.empty() ? text : fmt::format("{}: {}", text, finding.message);
}

Standing standing_of(const Interval& interval, double margin) {
  if (interval.high < -margin) return Standing::worse;
  return interval.low > -margin ? Standing::within : Standing::open;
}

std::string describe_difference(double difference, const Interval& interval, double level, double margin,
                                Standing standing) {
  const int decimals = std::abs(difference) >= 0.01 ? 1 : 2;
  return fmt::format("{} points, {} % CI {} to {}, {} {}", points(difference, decimals),
                     format_number(100 * level), points(interval.low, decimals),
                     points(interval.high, decimals), words(standing), format_number(100 * margin));
}

std::string describe_plain_difference(double difference, const Interval& interval, double level,
                                      double margin, Standing standing) {
  const auto sign = [](double value) { return (value < 0 ? "" : "+") + format_number(value, 3); };
  return fmt::format("{}, {} % CI {} to {}, {} {}", sign(difference), format_number(100 * level),
                     sign(interval.low), sign(interval.high), words(standing), format_number(margin));
}

std::string with_doubt(std::string text, std::size_t tests, double p, double corrected) {
  constexpr std::string_view kSurely = "surely ";
  const std::string_view claim = words(Standing::worse);
  const std::string doubt = fmt::format(
      ", but this may be chance among {} tests: p = {:.2g}, {:.2g} corrected by Holm", tests, p, corrected);
  const std::size_t at = text.find(claim);
  if (at == std::string::npos) return text + doubt;
  text.insert(std::min(text.find_first_of(");", at + claim.size()), text.size()), doubt);
  return text.erase(at, kSurely.size());
}

std::string describe_share(std::int64_t right, std::int64_t examples, double alpha) {
  const Interval interval = wilson_interval(right, examples, alpha);
  return fmt::format(" ({:.4g} % CI {} to {}, {} examples)", 100 * (1 - 2 * alpha),
                     format_number(interval.low), format_number(interval.high), examples);
}

}  // namespace pawl::gate
