// Mean and standard deviation that keep their precision for 10^8 values and for a spread far smaller than the
// mean: compensated sums (Neumaier, ZAMM 54:39, 1974) in two passes. Values whose squared distances overflow
// give infinities or NaN, for the caller to see.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace pawl::gate {

class Sum {
 public:
  void add(double x) {
    const double next = sum_ + x;
    lost_ += std::abs(sum_) >= std::abs(x) ? (sum_ - next) + x : (x - next) + sum_;
    sum_ = next;
  }
  double value() const { return sum_ + lost_; }

 private:
  double sum_ = 0;
  double lost_ = 0;
};

struct Moments {
  std::size_t n = 0;
  double mean = 0;
  double deviation = 0;  // of a sample: squares divided by n - 1; 0 for a single value
};

// Of value(0) ... value(n - 1), n > 0. Equal values have exactly their mean and a deviation of exactly zero.
template <class Value>
Moments moments_of(std::size_t n, Value value) {
  Sum sum;
  double least = value(0);
  double most = least;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = value(i);
    sum.add(x);
    least = std::min(least, x);
    most = std::max(most, x);
  }
  Moments moments{n, sum.value() / static_cast<double>(n), 0};
  // Rounding may leave the mean of equal values a bit beside them.
  if (moments.mean < least) moments.mean = least;
  if (moments.mean > most) moments.mean = most;
  if (n < 2) return moments;
  Sum squares;
  for (std::size_t i = 0; i < n; ++i) {
    const double distance = value(i) - moments.mean;
    squares.add(distance * distance);
  }
  moments.deviation = std::sqrt(squares.value() / static_cast<double>(n - 1));
  return moments;
}

}  // namespace pawl::gate
