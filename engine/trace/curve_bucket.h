// A stretch of a curve: what the rows of `buckets` in trace.db hold (schema/trace_db.sql). Pure.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::trace {

// How many values a bucket takes, the finest first. A wider one is made of those of the width before it.
inline constexpr std::array<uint64_t, 4> kBucketWidths = {16, 256, 4096, 65536};
inline constexpr int64_t kThroughputSeries = -1;  // completed steps per second

// Of one step, over its ranks.
struct CurveValue {
  uint64_t step = 0;
  double value = 0;         // NaN: no rank has a finite one
  uint64_t non_finite = 0;  // on all ranks
  bool operator==(const CurveValue&) const = default;
};

// Values that follow each other. min, max, sum and last are over the finite ones, and not numbers without
// any.
struct Bucket {
  uint64_t first_step = 0;
  uint64_t last_step = 0;
  uint64_t count = 0;
  uint64_t finite = 0;
  double min = std::numeric_limits<double>::quiet_NaN();
  double max = std::numeric_limits<double>::quiet_NaN();
  double sum = std::numeric_limits<double>::quiet_NaN();
  double last = std::numeric_limits<double>::quiet_NaN();
  uint64_t non_finite = 0;

  void add(const Bucket& later) {
    if (count == 0) first_step = later.first_step;
    last_step = later.last_step;
    count += later.count;
    non_finite += later.non_finite;
    if (later.finite == 0) return;
    min = finite > 0 ? std::min(min, later.min) : later.min;
    max = finite > 0 ? std::max(max, later.max) : later.max;
    sum = finite > 0 ? sum + later.sum : later.sum;
    last = later.last;
    finite += later.finite;
  }
};

inline Bucket bucket_of(const CurveValue& v) {
  if (!std::isfinite(v.value)) {
    Bucket bucket;
    bucket.first_step = bucket.last_step = v.step;
    bucket.count = 1;
    bucket.non_finite = v.non_finite;
    return bucket;
  }
  return {v.step, v.step, 1, 1, v.value, v.value, v.value, v.value, v.non_finite};
}

inline Bucket bucket_of(std::span<const CurveValue> values) {
  Bucket bucket;
  for (const CurveValue& value : values) bucket.add(bucket_of(value));
  return bucket;
}

// The values themselves, ascending by step: for each the distance from the step before it (of the first 0)
// and the non-finite, both as LEB128, and between them the value as a little-endian double.
std::string pack_values(std::span<const CurveValue> values);
// What is left of the text when it is cut short or too long. `first_step`: of the first value.
std::vector<CurveValue> unpack_values(std::string_view bytes, uint64_t first_step);

}  // namespace pawl::trace
