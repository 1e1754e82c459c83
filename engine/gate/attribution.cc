#include "engine/gate/attribution.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <vector>

#include "engine/gate/comparison.h"
#include "engine/gate/metric_judge.h"
#include "engine/gate/normal.h"
#include "engine/gate/paired_reason.h"
#include "engine/gate/wording.h"

namespace pawl::gate {
namespace {

using Of = PairedTest::Of;
using Weights = std::array<std::array<double, 2>, 2>;  // by [code][data]

constexpr Weights kTotal = {{{-1, 0}, {0, 1}}};
constexpr Weights kCode = {{{-0.5, -0.5}, {0.5, 0.5}}};
constexpr Weights kData = {{{-0.5, 0.5}, {-0.5, 0.5}}};
constexpr Weights kInteraction = {{{1, -1}, {-1, 1}}};

std::string name_of(int code, int data) {
  return fmt::format("the {} code with the {} data", code == 0 ? "old" : "new", data == 0 ? "old" : "new");
}

double combine(const Weights& weights, const Weights& values) {
  double sum = 0;
  for (int code = 0; code < 2; ++code) {
    for (int data = 0; data < 2; ++data) sum += weights[code][data] * values[code][data];
  }
  return sum;
}

// What the test compares of each example; empty when it is no mean over examples, or a column is missing.
std::vector<double> values_of(const PairedTest& test, const EvaluationVector& vector) {
  std::vector<double> out;
  if (test.of == Of::accuracy) {
    for (std::int64_t i = 0; i < vector.n; ++i) out.push_back(vector.is_right(static_cast<std::size_t>(i)));
  } else if (test.of == Of::mean) {
    if (const auto column = vector.numbers.find(test.column); column != vector.numbers.end())
      out = column->second;
  }
  return out;
}

struct Moments {
  double mean = 0;
  double variance = 0;  // of the mean
};

Moments moments_of(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  Moments out;
  for (const double value : values) out.mean += value / n;
  for (const double value : values) out.variance += (value - out.mean) * (value - out.mean);
  out.variance /= n * std::max(n - 1, 1.0);
  return out;
}

class Attributor {
 public:
  Attributor(const MetricRule& rule, const FourTrainings& trainings, double alpha)
      : rule_(rule), trainings_(trainings), alpha_(alpha) {}

  Result<Attribution> run() {
    out_.metric = rule_.metric;
    out_.direction = rule_.direction;
    PAWL_RETURN_IF_ERROR(read_values());
    out_.total.change = combine(kTotal, out_.values);
    out_.code.change = combine(kCode, out_.values);
    out_.data.change = combine(kData, out_.values);
    out_.interaction.change = combine(kInteraction, out_.values);
    out_.no_interval = find_intervals();
    return std::move(out_);
  }

 private:
  Result<void> read_values() {
    for (int code = 0; code < 2; ++code) {
      for (int data = 0; data < 2; ++data) {
        const Metric* metric = find_metric(trainings_[code][data]->metrics, rule_.metric);
        if (metric == nullptr || !std::isfinite(metric->value)) {
          return Error(ErrorCode::invalid, fmt::format("{} of {} {}", rule_.metric, name_of(code, data),
                                                       metric == nullptr ? "is missing" : "is no number"));
        }
        out_.values[code][data] = metric->value;
      }
    }
    return {};
  }

  std::string find_intervals() {
    if (!rule_.paired) return "the gate has no paired test of it";
    for (int code = 0; code < 2; ++code) {
      for (int data = 0; data < 2; ++data) {
        vectors_[code][data] = find_vector(*trainings_[code][data], rule_.paired->predictions);
        if (vectors_[code][data] == nullptr)
          return fmt::format("{} {}", name_of(code, data),
                             why_no_vector(*trainings_[code][data], rule_.paired->predictions));
      }
    }
    return rule_.paired->of == Of::accuracy || rule_.paired->of == Of::mean ? by_example() : by_difference();
  }

  std::string by_example() {
    std::array<std::array<std::vector<double>, 2>, 2> examples;
    for (int code = 0; code < 2; ++code) {
      for (int data = 0; data < 2; ++data) {
        examples[code][data] = values_of(*rule_.paired, *vectors_[code][data]);
        if (examples[code][data].empty())
          return fmt::format("the predictions of {} have no column '{}'", name_of(code, data),
                             rule_.paired->column);
      }
    }
    const double z = normal_quantile(1 - alpha_);
    const auto set = [&](Effect& effect, const Weights& weights) {
      // Per test set the combination of each example.
      std::map<std::string, std::vector<double>> combined;
      for (int code = 0; code < 2; ++code) {
        for (int data = 0; data < 2; ++data) {
          std::vector<double>& sum = combined[vectors_[code][data]->testset];
          sum.resize(examples[code][data].size());
          for (std::size_t i = 0; i < sum.size(); ++i)
            sum[i] += weights[code][data] * examples[code][data][i];
        }
      }
      Moments all;
      for (const auto& [testset, values] : combined) {
        const Moments part = moments_of(values);
        all.mean += part.mean;
        all.variance += part.variance;
      }
      effect.change = all.mean;
      const double half = z * std::sqrt(all.variance);
      effect.interval = Interval{all.mean - half, all.mean + half};
    };
    set(out_.total, kTotal);
    set(out_.code, kCode);
    set(out_.data, kData);
    set(out_.interaction, kInteraction);
    return {};
  }

  Result<Interval> difference(int new_code, int new_data, int old_code, int old_data, double alpha) const {
    PairedTest test = *rule_.paired;
    test.alpha = alpha;
    PAWL_ASSIGN(
        const Comparison comparison,
        compare_models(test, rule_.direction, *vectors_[new_code][new_data], *vectors_[old_code][old_data]));
    return comparison.interval;
  }

  static Interval mean_of(const Interval& a, const Interval& b) {
    return {(a.low + b.low) / 2, (a.high + b.high) / 2};
  }

  std::string by_difference() {
    const auto total = difference(1, 1, 0, 0, alpha_);
    const auto code_old = difference(1, 0, 0, 0, alpha_ / 2);
    const auto code_new = difference(1, 1, 0, 1, alpha_ / 2);
    const auto data_old = difference(0, 1, 0, 0, alpha_ / 2);
    const auto data_new = difference(1, 1, 1, 0, alpha_ / 2);
    for (const auto* found : {&total, &code_old, &code_new, &data_old, &data_new}) {
      if (!found->ok()) return found->error().to_string();
    }
    out_.total.interval = *total;
    out_.code.interval = mean_of(*code_old, *code_new);
    out_.data.interval = mean_of(*data_old, *data_new);
    return {};
  }

  const MetricRule& rule_;
  const FourTrainings& trainings_;
  const double alpha_;
  std::array<std::array<const EvaluationVector*, 2>, 2> vectors_{};
  Attribution out_;
};

// Fractions as percentage points, like the verdict's sentences.
bool is_fraction(const Attribution& attribution) {
  for (const auto& row : attribution.values) {
    for (const double value : row) {
      if (value < 0 || value > 1) return false;
    }
  }
  return true;
}

std::string describe(const Effect& effect, bool fraction, double alpha) {
  const double scale = fraction ? 100 : 1;
  const auto number = [&](double value) {
    return fraction ? fmt::format("{:+.1f}", scale * value) : (value < 0 ? "" : "+") + format_number(value);
  };
  std::string out = number(effect.change) + (fraction ? " points" : "");
  if (effect.interval) {
    out += fmt::format(" ({:.3g} % CI {} to {})", 100 * (1 - 2 * alpha), number(effect.interval->low),
                       number(effect.interval->high));
  }
  return out;
}

bool is_chance(const Effect& effect) {
  return effect.interval && effect.interval->low <= 0 && effect.interval->high >= 0;
}

}  // namespace

Result<Attribution> attribute(const MetricRule& rule, const FourTrainings& trainings, double alpha) {
  return Attributor(rule, trainings, alpha).run();
}

std::string describe(const Attribution& attribution, double alpha) {
  const bool fraction = is_fraction(attribution);
  const bool code_first = std::abs(attribution.code.change) > std::abs(attribution.data.change);
  const Effect& first = code_first ? attribution.code : attribution.data;
  const Effect& second = code_first ? attribution.data : attribution.code;
  std::string out = fmt::format("the {} changed {} by {}, the {} by {}", code_first ? "code" : "data",
                                attribution.metric, describe(first, fraction, alpha),
                                code_first ? "data" : "code", describe(second, fraction, alpha));
  if (is_chance(first) && is_chance(second)) {
    out += "; both may be chance";
  } else if (is_chance(second)) {
    out += ", which may be chance";
  }
  if (attribution.interaction.interval && !is_chance(attribution.interaction)) {
    out += fmt::format("; they act on each other, which is {} of it",
                       describe(attribution.interaction, fraction, alpha));
  }
  return out;
}

}  // namespace pawl::gate
