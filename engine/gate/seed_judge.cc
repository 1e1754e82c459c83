#include "engine/gate/seed_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/gate/paired_reason.h"
#include "engine/gate/rank_sum.h"
#include "engine/gate/seeds.h"
#include "engine/gate/wording.h"

namespace pawl::gate {
namespace {

constexpr std::uint64_t kResamplingSeed = 1;
constexpr double kPower = 0.8;

std::vector<double> values_of(const std::string& metric, const Evidence& evidence) {
  std::vector<double> out;
  for (const SeedValue& value : evidence.by_seed.at(metric)) out.push_back(*value.value);
  return out;
}

// "5 seeds, 0.861 to 0.878, mean 0.87"
std::string describe_values(const std::vector<double>& values, double mean) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return fmt::format("{} seeds, {} to {}, mean {}", values.size(), format_number(*low), format_number(*high),
                     format_number(mean));
}

std::string_view standing_text(Status status, const Interval& better, double allowed) {
  if (status == Status::fail && better.low > allowed) return "surely more than";
  if (status == Status::fail) return "surely more than half and perhaps more than";
  return better.high <= allowed ? "surely not more than" : "not surely more than";
}

std::string per_cent(double share) {
  return fmt::format("{:.0f} %", 100 * share);
}

double mean_of(const std::string& metric, const Evidence& evidence) {
  return find_metric(evidence.metrics, metric)->value;
}

Status status_of(const SeedsTest& test, const Outperformance& better, double p) {
  const bool worse = weigh(better.interval, test.probability) == SeedEvidence::meaningful && p <= test.alpha;
  if (worse) return Status::fail;
  if (test.mode == PairedTest::Mode::lenient || better.interval.high <= test.probability) return Status::pass;
  return Status::inconclusive;
}

}  // namespace

std::string why_no_mean(const std::string& metric, const Evidence& evidence) {
  const auto values = evidence.by_seed.find(metric);
  if (values == evidence.by_seed.end()) return {};
  for (const SeedValue& value : values->second) {
    if (!value.value) return fmt::format("{} is missing with seed {}", metric, value.seed);
    if (!std::isfinite(*value.value))
      return fmt::format("{} is {} with seed {}", metric, format_number(*value.value), value.seed);
  }
  return {};
}

std::string why_not_over_seeds(const MetricRule& rule, const Evidence& evidence) {
  const auto values = evidence.by_seed.find(rule.metric);
  const std::size_t seeds = values == evidence.by_seed.end() ? 0 : values->second.size();
  if (seeds > 0 && (rule.paired || !rule.slices.empty())) {
    return fmt::format("paired tests and slices look at one model, and the stage was run with {} seeds",
                       seeds);
  }
  if (rule.seeds && seeds < kMinSeeds) {
    return fmt::format("the test over seeds takes {} seeds, the stage was run with {}", kMinSeeds,
                       seeds == 0 ? 1 : seeds);
  }
  return {};
}

Reason judge_seeds(const MetricRule& rule, const Evidence& now, const Evidence& then,
                   const std::string& against) {
  const SeedsTest& test = *rule.seeds;
  std::vector<double> mine = values_of(rule.metric, now);
  std::vector<double> theirs = values_of(rule.metric, then);
  Reason reason = plain_reason(Check::seeds, Status::pass, rule.metric, "");
  reason.value = mean_of(rule.metric, now);
  reason.baseline = mean_of(rule.metric, then);
  const std::string change =
      fmt::format("{} ({}) against {} ({})", rule.metric, describe_values(mine, *reason.value), against,
                  describe_values(theirs, *reason.baseline));
  if (rule.direction == Direction::lower) {
    for (double& value : mine) value = -value;
    for (double& value : theirs) value = -value;
  }
  const auto better = unpaired_outperformance(theirs, mine, test.alpha, kResamplingSeed);
  PAWL_CHECK(better.ok());
  const double p = rank_sum_p_greater(theirs, mine);
  reason.status = status_of(test, *better, p);
  reason.test = "seeds";
  reason.level = 1 - 2 * test.alpha;
  reason.p_value = p;
  if (test.mode == PairedTest::Mode::lenient) reason.p_margin = p;
  reason.sentence = fmt::format(
      "{}: worse in {} of the pairs ({} CI {} to {}, rank sum test p = {:.2g} for no difference), {} the {} "
      "allowed",
      change, per_cent(better->probability), per_cent(*reason.level), per_cent(better->interval.low),
      per_cent(better->interval.high), p, standing_text(reason.status, better->interval, test.probability),
      per_cent(test.probability));
  if (reason.status == Status::inconclusive) {
    reason.sentence += fmt::format("; not shown to be within that: about {} seeds would be needed",
                                   seeds_needed(test.probability, test.alpha, kPower));
  }
  return reason;
}

}  // namespace pawl::gate
