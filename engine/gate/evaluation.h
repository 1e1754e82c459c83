// The evaluation vector: per-example outcomes of one model on one test set, the input of every paired test.
//
// It is kept in a canonical form, sorted by id: the test set is identified by a digest over its (id, label)
// pairs, and one bit per example says whether the model was right. Two vectors of the same digest align bit
// by bit, and ten thousand examples take 1.3 kB in the record.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/gate/paired.h"

namespace pawl::gate {

struct EvaluationVector {
  std::string testset;  // SHA-256 in hex: the same ids with the same labels, whatever their order in the file
  std::int64_t n = 0;
  std::string
      correct;  // (n + 7) / 8 bytes; bit i % 8 (1 = lowest) of byte i / 8 is example i in order of ids

  std::int64_t right() const;
  double accuracy() const { return static_cast<double>(right()) / static_cast<double>(n); }
  bool operator==(const EvaluationVector&) const = default;
};

// Collects examples in any order. One thread at a time.
class EvaluationBuilder {
 public:
  static constexpr std::size_t kMaxExamples = 20'000'000;

  // `where` names the file in errors, `unit` what `place` counts ("line", "row").
  EvaluationBuilder(std::string where, std::string unit);

  // Surrounding space is not part of a field. A prediction is right when it is spelled like the label or is
  // the same finite number ("3" and "3.0"); "nan" is never right. Refuses an empty id, label or prediction.
  Result<void> add(std::string_view id, std::string_view label, std::string_view prediction,
                   std::uint64_t place);

  // Refuses no examples at all and an id given twice. The builder is used up.
  Result<EvaluationVector> finish();

 private:
  struct Example {
    std::uint64_t text;  // offset of the id in text_, the label follows it
    std::uint64_t place;
    std::uint32_t id_size;
    std::uint32_t label_size;
    bool right;
  };

  std::string_view id_of(const Example& example) const;
  std::string_view label_of(const Example& example) const;
  std::string testset_digest() const;
  Error error(std::string message, std::uint64_t place) const;

  std::string where_;
  std::string unit_;
  std::string text_;
  std::vector<Example> examples_;
};

// Counts of the paired tests. Error `conflict`: the test sets differ, the message says so. Error `invalid`: a
// vector whose fields do not fit together (from a damaged record).
Result<PairedCounts> compare(const EvaluationVector& candidate, const EvaluationVector& baseline);

}  // namespace pawl::gate
