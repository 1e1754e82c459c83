#include "engine/gate/slice_comparison.h"

#include <cmath>

#include "engine/gate/comparison_parts.h"
#include "engine/gate/paired_slices.h"

namespace pawl::gate {
namespace {

using Of = PairedTest::Of;

class SliceComparisons {
 public:
  SliceComparisons(const PairedTest& test, Direction direction, const EvaluationVector& candidate,
                   const EvaluationVector& baseline, const Slicing& slicing, const ParallelFor& parallel_for)
      : test_(test),
        direction_(direction),
        candidate_(candidate),
        baseline_(baseline),
        slicing_(slicing),
        parallel_for_(parallel_for) {}

  std::vector<Result<Comparison>> make() {
    switch (test_.of) {
      case Of::accuracy:
        return of_answers();
      case Of::mean: {
        auto compared = of_values();
        return compared ? *std::move(compared) : Comparisons(slicing_.names.size(), compared.error());
      }
      case Of::auc:
      case Of::average_precision:
      case Of::macro_f1:
        break;
    }
    Comparisons out;
    for (const std::vector<std::uint32_t>& examples : examples_by_slice(slicing_)) {
      out.push_back(by_itself(examples));
    }
    return out;
  }

 private:
  using Comparisons = std::vector<Result<Comparison>>;

  Result<Comparison> by_itself(std::span<const std::uint32_t> examples) const {
    return compare_models(test_, direction_, candidate_, baseline_, examples, parallel_for_);
  }

  Result<Comparison> decided(Comparison comparison) const {
    decide(test_, direction_, comparison);
    return comparison;
  }

  Comparisons of_answers() const {
    Comparisons out;
    for (const PairedAnswers& answers :
         paired_answers_by_slice(slicing_.slice_of, slicing_.names.size(), candidate_, baseline_)) {
      out.push_back(answers.counts.n > 0 ? decided(compare_answers(test_, answers)) : by_itself({}));
    }
    return out;
  }

  Result<Comparisons> of_values() {
    PAWL_ASSIGN(const auto now, column_of(candidate_, test_.column));
    PAWL_ASSIGN(const auto then, column_of(baseline_, test_.column));
    PAWL_ASSIGN(const auto moments,
                paired_moments_by_slice(slicing_.slice_of, slicing_.names.size(), now, then));
    std::vector<std::vector<std::uint32_t>> examples;
    Comparisons out;
    for (std::size_t i = 0; i < moments.size(); ++i) {
      if (moments[i].n >= kMinExamplesForT) {
        out.push_back(of_moments(moments[i]));
        continue;
      }
      if (examples.empty()) examples = examples_by_slice(slicing_);
      out.push_back(by_itself(examples[i]));
    }
    return out;
  }

  Result<Comparison> of_moments(const PairedMoments& moments) const {
    const double deviation = std::sqrt(moments.m2 / static_cast<double>(moments.n - 1));
    const PairedMean gain{moments.n, direction_ == Direction::higher ? moments.mean : -moments.mean,
                          deviation};
    if (!std::isfinite(gain.gain) || !std::isfinite(deviation))
      return Error(ErrorCode::invalid, "the values are too large to average");
    Comparison out = compare_gains(test_, direction_, gain, decide_by_t(gain, test_.margin, test_.alpha),
                                   decide_by_t(gain, 0, test_.alpha));
    out.candidate = moments.candidate;
    out.baseline = moments.baseline;
    out.alike = moments.alike;
    return decided(std::move(out));
  }

  const PairedTest& test_;
  const Direction direction_;
  const EvaluationVector& candidate_;
  const EvaluationVector& baseline_;
  const Slicing& slicing_;
  const ParallelFor& parallel_for_;
};

}  // namespace

std::vector<Result<Comparison>> compare_slices(const PairedTest& test, Direction direction,
                                               const EvaluationVector& candidate,
                                               const EvaluationVector& baseline, const Slicing& slicing,
                                               const ParallelFor& parallel_for) {
  PAWL_CHECK(compare(candidate, baseline).ok());
  return SliceComparisons(test, direction, candidate, baseline, slicing, parallel_for).make();
}

std::vector<Result<double>> values_of_slices(const PairedTest& test, const EvaluationVector& vector,
                                             const Slicing& slicing) {
  std::vector<Result<double>> out;
  for (const std::vector<std::uint32_t>& examples : examples_by_slice(slicing)) {
    out.push_back(value_of(test, vector, examples));
  }
  return out;
}

}  // namespace pawl::gate
