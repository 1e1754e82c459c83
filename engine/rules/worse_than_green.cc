#include <fmt/format.h>

#include <cmath>

#include "engine/rules/rule.h"

namespace pawl::rules {
namespace {

constexpr int kInARow = 3;  // stretches
constexpr size_t kRunsNamed = 3;

// Follows the curve through the stretches of the band. A stretch is judged when its last step is over.
class WorseThanGreen final : public Rule {
 public:
  WorseThanGreen(const GreenBand& band, Selector selector) : Rule(std::move(selector)), band_(band) {}

  void on_step(const Input& input, Firings& out) override {
    if (!band_.missing.empty()) return;
    while (next_ < band_.stretches.size() && input.step > band_.stretches[next_].last) close(out);
    if (next_ == band_.stretches.size()) return;
    const Stretch& stretch = band_.stretches[next_];
    const auto value = measure(input);
    if (value && std::isfinite(*value) && input.step >= stretch.first) {
      sum_ += *value;
      ++count_;
    }
    if (input.step == stretch.last) close(out);
  }

  std::string not_evaluated() const override {
    if (!band_.missing.empty()) return band_.missing;
    if (evaluated_) return "";
    return fmt::format("'{}' was not recorded in any of the steps in which the green runs have it",
                       band_.curve);
  }

 private:
  // The mean over the ranks, as the record has it of the green runs.
  std::optional<double> measure(const Input& input) {
    if (band_.curve == kThroughputCurve) return throughput(input);
    auto mean = mean_of(input.losses);
    kind_ = mean ? "loss" : "scalar";
    return mean ? mean : mean_of(input.scalars);
  }

  template <class Sample>
  std::optional<double> mean_of(const std::vector<Sample>& samples) const {
    double sum = 0;
    int count = 0;
    for (const Sample& sample : samples) {
      if (sample.name != band_.curve) continue;
      sum += sample.value;
      ++count;
    }
    return count > 0 ? std::optional(sum / count) : std::nullopt;
  }

  std::optional<double> throughput(const Input& input) {
    kind_ = "scalar";
    if (input.ranks.empty()) return std::nullopt;
    const auto before = std::exchange(ended_, std::pair(input.step, input.ranks.front().end_s));
    if (!before || input.ranks.front().end_s <= before->second) return std::nullopt;
    return static_cast<double>(input.step - before->first) / (input.ranks.front().end_s - before->second);
  }

  void close(Firings& out) {
    const Stretch& stretch = band_.stretches[next_++];
    const double mean = sum_ / count_;
    const bool measured = count_ > 0;
    sum_ = count_ = 0;
    if (!measured) return;
    evaluated_ = true;
    const double sign = band_.higher_is_better ? -1 : 1;
    const double limit = stretch.mean + sign * (stretch.allowance + stretch.margin);
    in_a_row_ = sign * mean > sign * limit ? in_a_row_ + 1 : 0;
    if (in_a_row_ < kInARow) return;
    out.add(0, 0, band_.curve, kind_, mean, limit, [&] { return message(stretch, mean, limit); });
  }

  std::string message(const Stretch& stretch, double mean, double limit) const {
    return fmt::format(
        "{} was {:.4g} on average from step {} to {}; green runs {} had {:.4g} there ({:.4g} to {:.4g}), and "
        "with {:.4g} for their spread and a margin of {:.4g} it may be {:.4g}; {} stretches in a row were "
        "worse than that",
        band_.curve, mean, stretch.first, stretch.last, names(), stretch.mean, stretch.low, stretch.high,
        stretch.allowance, stretch.margin, limit, kInARow);
  }

  std::string names() const {
    std::string out;
    const size_t named = std::min(band_.runs.size(), kRunsNamed);
    for (size_t i = 0; i < named; ++i) {
      const bool last = i + 1 == band_.runs.size();
      out += fmt::format("{}{}", i == 0 ? "" : last ? " and " : ", ", band_.runs[i]);
    }
    if (band_.runs.size() > named) out += fmt::format(" and {} more", band_.runs.size() - named);
    return out;
  }

  GreenBand band_;
  size_t next_ = 0;  // the stretch that is under way or comes next
  double sum_ = 0;
  double count_ = 0;
  int in_a_row_ = 0;
  bool evaluated_ = false;
  const char* kind_ = "scalar";
  std::optional<std::pair<uint64_t, double>> ended_;  // the step before, and when
};

}  // namespace

std::unique_ptr<Rule> make_worse_than_green(const GreenBand& band) {
  return std::make_unique<WorseThanGreen>(band, Selector::create("").value());
}

}  // namespace pawl::rules
