// Which examples a step was given.
#pragma once

#include <ATen/core/Tensor.h>
#include <pawl/detail/record.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pawl {
namespace detail {

// Of all micro-batches of a step together.
class BatchFingerprint {
 public:
  // Skips inputs without plain memory (undefined, sparse). `labels` may be undefined. Counts the labels when
  // there is one integer for each example; negative ones are those that losses ignore.
  void add(const Record& record, const at::Tensor& inputs, const at::Tensor& labels) {
    if (!dtype_of(inputs)) return;
    const at::Tensor host = ordered_on_host(inputs);
    const auto examples = static_cast<uint64_t>(host.dim() == 0 ? 1 : host.size(0));
    digest_ = record.library().digest(host.data_ptr(), bytes_of(host), digest_);
    examples_ += examples;
    if (dtype_of(labels) && at::isIntegralType(labels.scalar_type(), /*includeBool=*/true) &&
        elements_of(labels) == examples)
      count(ordered_on_host(labels.detach().to(at::kLong)));
  }

  bool empty() const { return examples_ == 0; }

  // And forgets them.
  void write(Record& record) {
    record.batch("input", digest_, examples_, counts_);
    *this = {};
  }

 private:
  static constexpr int64_t kMaxClasses = 65536;

  void count(const at::Tensor& labels) {
    const auto* begin = labels.data_ptr<int64_t>();
    const auto* end = begin + labels.numel();
    const int64_t largest = begin == end ? -1 : *std::max_element(begin, end);
    if (largest < 0 || largest >= kMaxClasses) return;
    if (counts_.size() <= static_cast<uint64_t>(largest)) counts_.resize(static_cast<size_t>(largest) + 1);
    for (const auto* label = begin; label != end; ++label) {
      if (*label >= 0) ++counts_[static_cast<size_t>(*label)];
    }
  }

  uint64_t digest_ = 0, examples_ = 0;
  std::vector<uint64_t> counts_;
};

}  // namespace detail
}  // namespace pawl
