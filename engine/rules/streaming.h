// Statistics of a stream in bounded memory. None of them accepts a non-finite sample: one NaN in a window
// would blind a rule for as long as the window is long. Callers check std::isfinite() first (PAWL_CHECKed).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace pawl::rules {

// Exponential moving average without the bias of a start value: the weights of the samples seen so far are
// normalised to sum to 1 (as in Adam, Kingma & Ba 2015, section 3).
class Ema {
 public:
  explicit Ema(double decay) : decay_(decay) {}
  void add(double sample);
  bool empty() const { return weight_ == 0; }
  double value() const;  // NaN when empty

 private:
  double decay_;
  double sum_ = 0;
  double weight_ = 0;
};

// Median of the last `capacity` samples (the lower one of two), and of the first kReference ones.
class MedianWindow {
 public:
  static constexpr size_t kReference = 10;
  explicit MedianWindow(size_t capacity) : capacity_(capacity) {}
  void add(double sample);
  uint64_t seen() const { return seen_; }
  double median() const;     // 0 when empty
  double reference() const;  // median of the first kReference samples; 0 while there are fewer

 private:
  size_t capacity_;
  uint64_t seen_ = 0;
  double reference_ = 0;
  std::vector<double> ring_;
};

// A quantile of durations from a histogram with logarithmic buckets of 5 %, 1 us to about 11 days; an answer
// is the upper edge of its bucket, so at most 5 % too large and never too small.
class DurationQuantile {
 public:
  void add(double seconds);
  uint64_t count() const { return count_; }
  double quantile(double q) const;  // seconds; 0 when empty

 private:
  static constexpr double kFirst = 1e-6;
  static constexpr double kRatio = 1.05;
  std::array<uint64_t, 568> buckets_{};
  uint64_t count_ = 0;
};

// A loss as several rules follow it: moving average, its best value, and where it began.
class LossTrend {
 public:
  explicit LossTrend(double decay);

  void add(double loss);
  uint64_t count() const { return count_; }
  bool started() const { return count_ >= kStart; }     // start() is known
  double start() const { return start_sum_ / kStart; }  // mean of the first ten
  double ema() const { return ema_.value(); }
  // The smallest moving average, counted from where it spans as many losses as its decay says.
  bool has_best() const { return count_ >= mature_; }
  double best() const { return best_; }  // infinity while !has_best()

 private:
  static constexpr uint64_t kStart = 10;
  Ema ema_;
  uint64_t mature_;
  uint64_t count_ = 0;
  double start_sum_ = 0;
  double best_ = std::numeric_limits<double>::infinity();
};

}  // namespace pawl::rules
