// Statistics of the activations of one step or one evaluation. What is seen several times under a name
// (micro-batches, a layer used twice) is one set of statistics.
#pragma once

#include <ATen/core/Tensor.h>
#include <pawl/detail/record.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace pawl {
namespace detail {

inline void merge(pawl_stats& into, const pawl_stats& other) {
  const auto has_finite = [](const pawl_stats& of) { return of.count > of.nan + of.inf; };
  if (has_finite(other)) {
    into.min = has_finite(into) ? std::min(into.min, other.min) : other.min;
    into.max = has_finite(into) ? std::max(into.max, other.max) : other.max;
  }
  into.count += other.count;
  into.nan += other.nan;
  into.inf += other.inf;
  into.zero += other.zero;
  into.sum += other.sum;
  into.abs_sum += other.abs_sum;
  into.square_sum += other.square_sum;
  for (size_t i = 0; i < std::size(into.magnitude); ++i) into.magnitude[i] += other.magnitude[i];
}

class Activations {
 public:
  void add(const Record& record, const std::string& name, const at::Tensor& tensor, const Rule& rule) {
    const auto dtype = dtype_of(tensor);
    if (!dtype || bytes_of(tensor) > rule.max_bytes || !rule.include->matches(name)) return;
    const at::Tensor host = dense_on_host(tensor);
    pawl_stats stats{};
    stats.struct_size = sizeof stats;
    if (record.library().compute_stats(host.data_ptr(), *dtype, elements_of(host), &stats) != PAWL_OK)
      throw std::runtime_error("no statistics of " + name);
    const auto [seen, is_new] = seen_.try_emplace(name, Seen{*dtype, tensor.sizes().vec(), stats, {}, {}});
    if (!is_new) {
      merge(seen->second.stats, stats);
      return;
    }
    if (rule.fine) seen->second.fine = record.fine_histogram_of(host, *dtype);
    if (rule.wants_values(bytes_of(tensor))) seen->second.values = host.clone();
  }

  bool empty() const { return seen_.empty(); }

  // And forgets them.
  void write(Record& record) {
    for (const auto& [name, seen] : seen_) {
      const uint32_t series = record.series(name, PAWL_ACTIVATION, seen.dtype, seen.shape);
      record.stats(series, seen.stats);
      if (seen.fine) record.fine(series, *seen.fine);
      if (seen.values.defined()) record.values(series, seen.values, seen.dtype);
    }
    seen_.clear();
  }

 private:
  struct Seen {
    pawl_dtype dtype;
    std::vector<int64_t> shape;
    pawl_stats stats;
    std::optional<pawl_fine_histogram> fine;  // of what was seen first, as are the values
    at::Tensor values;
  };
  std::map<std::string, Seen> seen_;
};

}  // namespace detail
}  // namespace pawl
