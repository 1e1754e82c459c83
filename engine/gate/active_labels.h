// Active labelling (ease.ml/ci, Renggli et al., MLSys 2019, section 4.1.2): a condition about n - o and d is
// decided by the examples on which the two models differ. All others are answered alike and add nothing to
// n - o, so they need no label, ever. A test set may therefore start without any, and be labelled where two
// models are first found to differ.
//
// Such a test set is known by its ids alone (EvaluationVector::by_ids): while labels are filled in it stays
// the same, and so does the ledger that was opened when some were missing. A label that both files have and
// that is another one is no filling in.
//
// Pure functions of any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/gate/evaluation.h"
#include "engine/gate/policy.h"

namespace pawl::gate {

// Whether the labels of that file may be empty: the policy's condition on it is about differences alone, and
// no metric is judged by it.
bool may_lack_labels(const Policy& policy, std::string_view file);

// Of two models on one test set, their classes wanted.
struct Differences {
  std::int64_t n = 0;                 // examples
  std::int64_t different = 0;         // predictions
  std::int64_t won = 0;               // of these: only the candidate is right
  std::int64_t lost = 0;              // only the baseline is
  std::vector<std::string> to_label;  // ids of these of which neither file has the label, in order
};

// A label that one file lacks is taken from the other.
Differences differences(const EvaluationVector& candidate, const EvaluationVector& baseline);

// How many examples have a label in both files, and not the same. 0 when the classes of a file were not
// wanted.
std::int64_t changed_labels(const EvaluationVector& candidate, const EvaluationVector& baseline);

// Examples that a verdict waits for.
struct ToLabel {
  std::string predictions;       // the file that lacks their labels
  std::string file;              // in which the list is given out
  std::vector<std::string> ids;  // one or more, in order

  bool operator==(const ToLabel&) const = default;
};

// The list as CSV: a header `id`, one id a line.
std::string to_csv(const ToLabel& list);

}  // namespace pawl::gate
