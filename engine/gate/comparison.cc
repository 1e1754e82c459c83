#include "engine/gate/comparison.h"

#include <fmt/format.h>

#include <algorithm>

namespace pawl::gate {
namespace {

using Of = PairedTest::Of;
using Subset = std::optional<std::span<const std::uint32_t>>;

constexpr double kPower = 0.8;

PairedCounts counts_in(const EvaluationVector& candidate, const EvaluationVector& baseline,
                       std::span<const std::uint32_t> subset) {
  PairedCounts counts{.n = static_cast<std::int64_t>(subset.size()), .b = 0, .c = 0};
  for (const std::uint32_t i : subset) {
    counts.b += candidate.is_right(i) && !baseline.is_right(i) ? 1 : 0;
    counts.c += !candidate.is_right(i) && baseline.is_right(i) ? 1 : 0;
  }
  return counts;
}

std::int64_t right_in(const EvaluationVector& vector, std::span<const std::uint32_t> subset) {
  return std::count_if(subset.begin(), subset.end(), [&](std::uint32_t i) { return vector.is_right(i); });
}

Comparison compare_accuracy(const PairedTest& test, const EvaluationVector& candidate,
                            const EvaluationVector& baseline, PairedCounts counts, const Subset& subset) {
  Comparison out;
  out.test = "Tango's score test";
  out.n = counts.n;
  const auto n = static_cast<double>(counts.n);
  out.candidate = static_cast<double>(subset ? right_in(candidate, *subset) : candidate.right()) / n;
  out.baseline = static_cast<double>(subset ? right_in(baseline, *subset) : baseline.right()) / n;
  out.counts = counts;
  out.interval = tango_interval(counts, test.alpha);
  out.p_worse = mcnemar_mid_p_worse(counts.b, counts.c);
  out.p_margin = normal_cdf(tango_z(counts, -test.margin));
  out.alike = counts.b + counts.c == 0;
  out.surely_worse = out.interval.high < -test.margin;
  out.surely_not_worse = out.interval.low > -test.margin;
  const double room = test.margin + counts.difference();
  if (room > 0) {
    out.examples_needed = examples_needed(static_cast<double>(counts.b + counts.c) / n, std::min(room, 1.0),
                                          test.alpha, kPower);
  }
  return out;
}

}  // namespace

void want_columns(const PairedTest& test, WantedColumns& wanted) {
  switch (test.of) {
    case Of::accuracy:
      return;
    case Of::macro_f1:
      wanted.classes = true;
      return;
    case Of::auc:
    case Of::average_precision:
      wanted.classes = true;
      [[fallthrough]];
    case Of::mean:
      wanted.numbers.insert(test.column);
  }
}

bool lower_is_better(const PairedTest& test, Direction direction) {
  return test.of == Of::mean && direction == Direction::lower;
}

Result<Comparison> compare_models(const PairedTest& test, Direction direction,
                                  const EvaluationVector& candidate, const EvaluationVector& baseline,
                                  Subset subset) {
  PAWL_ASSIGN(const PairedCounts whole, compare(candidate, baseline));
  const PairedCounts counts = subset ? counts_in(candidate, baseline, *subset) : whole;
  if (counts.n == 0) return Error(ErrorCode::invalid, "there are no examples to compare");
  (void)direction;
  return compare_accuracy(test, candidate, baseline, counts, subset);
}

Result<double> value_of(const PairedTest&, const EvaluationVector& vector,
                        std::span<const std::uint32_t> subset) {
  if (subset.empty()) return Error(ErrorCode::invalid, "there are no examples");
  return static_cast<double>(right_in(vector, subset)) / static_cast<double>(subset.size());
}

}  // namespace pawl::gate
