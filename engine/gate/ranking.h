// Quality of a ranking: how well scores put what is relevant before what is not. Only the order of the scores
// matters; equal scores are ties, and no metric here depends on the order of the examples.
//
// Error `invalid`: no examples, a score that is no finite number (so no infinities), and what is stated
// below. Pure functions of any thread. Spans that describe the same examples have the same size (checked).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/classification.h"

namespace pawl::gate {

// Examples of two kinds in ascending order of their scores, the positive ones first in a run of ties. Sorting
// is most of the work of AUC and average precision, and resampling does not change the order: sort once,
// count often.
class RankedScores {
 public:
  static constexpr std::size_t kMaxExamples = 1u << 29;

  struct Entry {
    std::uint32_t example : 30;   // index into the spans given
    std::uint32_t positive : 1;   // is it relevant
    std::uint32_t last_tied : 1;  // the next entry has a higher score, or there is none
  };

  // `positive`: 0 for an example of the negative class, anything else for the positive class. Error `invalid`
  // also: one of the two classes has no example, more than kMaxExamples.
  static Result<RankedScores> create(std::span<const std::uint8_t> positive, std::span<const double> scores);

  std::span<const Entry> entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

// The probability that a random positive example scores higher than a random negative one, a tie counting
// half (the area under the ROC curve).
double auc(const RankedScores& ranked);

// The mean over all classes of the AUC of one class against the rest, by its own column of scores. Error
// `invalid` also: a class without examples.
Result<double> macro_auc(std::span<const std::uint32_t> labels, const ScoreTable& scores);

// sum over the distinct scores s, highest first, of (recall(s) - recall(before)) * precision(s), of the
// examples that score s or higher: ties enter together, nothing is interpolated (scikit-learn's definition).
double average_precision(const RankedScores& ranked);

struct GroupNdcg {
  std::uint64_t group = 0;
  double ndcg = 0;  // 0 to 1

  bool operator==(const GroupNdcg&) const = default;
};

// NDCG of the first k by score in each group (a group holds the documents of one query), in ascending order
// of the groups' codes; the metric is the mean of it, and the query is what to resample. The gain is the
// relevance itself (not 2^relevance - 1), the discount 1 / log2(1 + rank). Tied documents share the mean of
// their gains, as if averaged over all their orders (McSherry & Najork, ECIR 2008). A group without a
// relevant document ranks nothing and is left out: which groups those are is the test set's doing and the
// same for every model. 1 <= k. Error `invalid` also: a negative relevance; no group with a relevant
// document.
Result<std::vector<GroupNdcg>> ndcg_by_group(std::span<const std::uint64_t> groups,
                                             std::span<const double> relevance,
                                             std::span<const double> scores, std::size_t k);

}  // namespace pawl::gate
