// The vector kernel, written once over a vector type `V` and compiled once per instruction set
// (stats_avx2.cc, stats_avx512.cc, stats_neon.cc), which brings a `V` of floats and one of doubles. `V::load`
// converts what is read. Everything is in an unnamed namespace: code built for a newer machine must not be
// shared with the rest of the program by the linker.
//
// The histogram is a positional population count. The exponents of four vectors of floats, or eight of
// doubles, are packed into one vector of bytes (their order does not matter), those of doubles clamped to the
// range of the floats', mapped to a bucket 0..15, and by two table look-ups to a byte with one bit set:
// buckets 0-7 in one vector, 8-15 in another. Counting how often each bit position is set is done with
// carry-save adders as by Harley and Seal (Mula, Kurz, Lemire, "Faster Population Counts Using AVX2
// Instructions", 2018; Klarqvist, Mula, Lemire, "Efficient Computation of Positional Population Counts Using
// SIMD Instructions", 2019): full adders on whole vectors hold the ones, twos, fours and eights, and only
// each sixteenth input is really counted.
#pragma once

#include <type_traits>

#include "hooks/capture/stats.h"
#include "hooks/capture/stats_element.h"

namespace pawl::capture {
namespace {

// Positional population count of a stream of byte vectors: counts[b] = number of bytes with bit b set.
template <class V>
struct BitCounter {
  typename V::Bytes ones = V::zero_bytes(), twos = ones, fours = ones, eights = ones;
  uint64_t counts[8] = {};

  // carry, sum of three bit vectors.
  static void add3(typename V::Bytes& carry, typename V::Bytes& sum, typename V::Bytes a,
                   typename V::Bytes b) {
    carry = V::majority(sum, a, b);
    sum = V::parity(sum, a, b);
  }

  // Sixteen more vectors.
  void add16(const typename V::Bytes* in) {
    typename V::Bytes twos_a, twos_b, fours_a, fours_b, eights_a, eights_b, sixteens;
    const auto four = [&](const typename V::Bytes* x, typename V::Bytes& carry) {
      add3(twos_a, ones, x[0], x[1]);
      add3(twos_b, ones, x[2], x[3]);
      add3(carry, twos, twos_a, twos_b);
    };
    four(in, fours_a);
    four(in + 4, fours_b);
    add3(eights_a, fours, fours_a, fours_b);
    four(in + 8, fours_a);
    four(in + 12, fours_b);
    add3(eights_b, fours, fours_a, fours_b);
    add3(sixteens, eights, eights_a, eights_b);
    count(sixteens, 16);
  }

  void finish() {
    count(ones, 1);
    count(twos, 2);
    count(fours, 4);
    count(eights, 8);
  }

 private:
  void count(typename V::Bytes bits, uint64_t weight) {
    for (int b = 7; b >= 0; --b) {
      counts[b] += weight * V::count_high_bits(bits);
      bits = V::double_bytes(bits);
    }
  }
};

// Sums over vectors in the precision of their lanes; several of each so that additions need not wait for each
// other, and few of them meet in one lane.
template <class V>
struct LaneSums {
  using R = typename V::Reals;
  R sum[V::kChains], abs_sum[V::kChains], squares[V::kChains];
  R min = V::all(V::kInfinity), max = V::all(-V::kInfinity);

  LaneSums() {
    for (size_t j = 0; j < V::kChains; ++j) sum[j] = abs_sum[j] = squares[j] = V::all(0);
  }

  void add4(const R* v, const R* magnitude) {
    min = V::min(min, V::min(V::min(v[0], v[1]), V::min(v[2], v[3])));
    max = V::max(max, V::max(V::max(v[0], v[1]), V::max(v[2], v[3])));
    for (size_t j = 0; j < 4; ++j) {
      constexpr size_t n = V::kChains;
      sum[j % n] = V::add(sum[j % n], v[j]);
      abs_sum[j % n] = V::add(abs_sum[j % n], magnitude[j]);
      squares[j % n] = V::multiply_add(v[j], v[j], squares[j % n]);
    }
  }

  static R total(const R* chains) {
    R out = chains[0];
    for (size_t j = 1; j < V::kChains; ++j) out = V::add(out, chains[j]);
    return out;
  }
};

// What is known of all blocks so far.
template <class V>
struct Running {
  typename V::Doubles sum = V::zero_doubles(), abs_sum = sum, square_sum = sum;
  typename V::Reals min = V::all(V::kInfinity), max = V::all(-V::kInfinity);
  BitCounter<V> low, high;  // magnitude buckets 0-7 and 8-15

  // Takes the sums of one block, or returns false and takes nothing: an element is not finite, or the squares
  // leave the range where the precision of the lanes is good.
  bool take(const LaneSums<V>& block) {
    const auto abs_total = block.total(block.abs_sum);
    const auto square_total = block.total(block.squares);
    // A NaN or an infinity anywhere makes its lane of abs_total NaN or infinite, and so fail.
    if (!V::all_less(abs_total, V::kHuge) || !V::all_less(square_total, V::kHuge)) return false;
    // Squares of floats below 2^-126 round coarsely (each by at most 2^-150): 2048 of them do not matter
    // beside 2^-100. Those of doubles would not be better the second time: kTiny is 0.
    if (!V::any_not_less(square_total, V::kTiny) && V::any_not_less(abs_total, V::kLeast)) return false;
    sum = V::add_as_doubles(sum, block.total(block.sum));
    abs_sum = V::add_as_doubles(abs_sum, abs_total);
    square_sum = V::add_as_doubles(square_sum, square_total);
    min = V::min(min, block.min);
    max = V::max(max, block.max);
    return true;
  }
};

struct BlockFlags {
  bool sums_taken;     // else add_block_exactly has to
  bool zero_exponent;  // there are zeros or denormals, which the histogram has in bucket 0
};

// Bytes to prefetch ahead. What the machine prefetches by itself ends with the page, and did half of it here.
constexpr size_t kAhead = 4096;
constexpr size_t kLine = 64;

// One block of kBlock elements. The histogram is always added, NaN and infinities as bucket 15.
template <class V, class T>
BlockFlags add_block(const T* x, Running<V>& running) {
  constexpr size_t kVectors = sizeof(typename V::Bytes) / V::kLanes;  // whose exponents fill one byte vector
  constexpr size_t kStep = kVectors * V::kLanes;
  static_assert(kBlock % (16 * kStep) == 0 && kVectors % 4 == 0);
  LaneSums<V> sums;
  typename V::Bytes smallest = V::all_ones();
  for (size_t i = 0; i < kBlock; i += 16 * kStep) {
    typename V::Bytes low[16], high[16];
    for (size_t j = 0; j < 16; ++j) {
      const T* step = x + i + j * kStep;
      for (size_t byte = 0; byte < kStep * sizeof(T); byte += kLine)
        __builtin_prefetch(reinterpret_cast<const char*>(step) + byte + kAhead);
      typename V::Reals v[kVectors], magnitude[kVectors];
      for (size_t k = 0; k < kVectors; ++k) {
        v[k] = V::load(step + k * V::kLanes);
        magnitude[k] = V::abs(v[k]);
      }
      for (size_t k = 0; k < kVectors; k += 4) sums.add4(v + k, magnitude + k);
      const typename V::Bytes exponents = V::exponents(magnitude);
      smallest = V::min_bytes(smallest, exponents);
      const typename V::Bytes bucket = V::bucket_of_exponent(exponents);
      low[j] = V::one_bit_low(bucket);
      high[j] = V::one_bit_high(bucket);
    }
    running.low.add16(low);
    running.high.add16(high);
  }
  return {running.take(sums), V::any_zero_byte(smallest)};
}

template <class T>
uint64_t count_zeros(const T* x, size_t count) {
  uint32_t zeros = 0;
  for (size_t i = 0; i < count; ++i) zeros += is_zero(x[i]);
  return zeros;
}

// Sums and specials of a block whose lane sums were not taken. The histogram has its magnitudes already.
template <class T>
void add_block_exactly(const T* x, size_t count, Totals& totals) {
  Totals block;
  for (size_t i = 0; i < count; ++i) accumulate_one(to_double(x[i]), block);
  totals.nan += block.nan;
  totals.inf += block.inf;
  totals.sum += block.sum;
  totals.abs_sum += block.abs_sum;
  totals.square_sum += block.square_sum;
  if (block.min < totals.min) totals.min = block.min;
  if (block.max > totals.max) totals.max = block.max;
}

// The elements behind the last whole block, as a block that is filled up with zeros. These add nothing but
// themselves to the histogram, where they are taken off again, and to the extremes, which are found apart.
// Returns its zeros.
template <class V, class T>
uint64_t add_tail(const T* x, size_t count, Running<V>& running, Totals& totals) {
  alignas(64) T block[kBlock] = {};
  __builtin_memcpy(block, x, count * sizeof *x);
  const auto min = running.min, max = running.max;
  const bool sums_taken = add_block(block, running).sums_taken;
  running.min = min;
  running.max = max;
  totals.magnitude[0] -= kBlock - count;
  if (!sums_taken) {
    add_block_exactly(x, count, totals);
  } else {
    for (size_t i = count; i < kBlock; ++i) block[i] = x[0];
    for (size_t i = 0; i < kBlock; i += V::kLanes) {
      running.min = V::min(running.min, V::load(block + i));
      running.max = V::max(running.max, V::load(block + i));
    }
  }
  return count_zeros(x, count);
}

constexpr size_t kSmallestTail = 96;  // shorter ones are faster one by one

template <class V, class T>
void accumulate_elements(const T* data, size_t count, Totals& totals) {
  Running<V> running;
  const size_t blocks = count / kBlock;
  const uint64_t specials_before = totals.nan + totals.inf;
  uint64_t zeros = 0;
  for (size_t b = 0; b < blocks; ++b) {
    const T* x = data + b * kBlock;
    const BlockFlags flags = add_block(x, running);
    if (!flags.sums_taken) add_block_exactly(x, kBlock, totals);
    if (flags.zero_exponent) zeros += count_zeros(x, kBlock);
  }
  size_t done = blocks * kBlock;
  if (count - done >= kSmallestTail) {
    zeros += add_tail(data + done, count - done, running, totals);
    done = count;
  }
  if (done > 0) {
    running.low.finish();
    running.high.finish();
    for (int k = 0; k < 8; ++k) totals.magnitude[k] += running.low.counts[k];
    for (int k = 0; k < 8; ++k) totals.magnitude[8 + k] += running.high.counts[k];
    totals.magnitude[0] -= zeros;
    totals.magnitude[kBuckets - 1] -= totals.nan + totals.inf - specials_before;
    totals.zero += zeros;
    totals.sum += V::reduce(running.sum);
    totals.abs_sum += V::reduce(running.abs_sum);
    totals.square_sum += V::reduce(running.square_sum);
    const double min = V::reduce_min(running.min), max = V::reduce_max(running.max);
    if (min < totals.min) totals.min = min;
    if (max > totals.max) totals.max = max;
  }
  for (size_t i = done; i < count; ++i) accumulate_one(to_double(data[i]), totals);
}

// The integers of 32 and 64 bits need the precision of doubles.
template <class Floats, class Doubles>
bool accumulate_with(const void* data, pawl_dtype dtype, uint64_t count, Totals& totals) {
  return visit_elements(data, dtype, [&]<class T>(const T* elements) {
    constexpr bool kSingle = std::is_same_v<T, float> || sizeof(T) < 4;
    accumulate_elements<std::conditional_t<kSingle, Floats, Doubles>>(elements, count, totals);
  });
}

// What vectors of floats and of doubles are for the kernel, whatever the instruction set.
struct FloatLimits {
  using Real = float;
  static constexpr float kInfinity = __builtin_inff(), kHuge = 0x1p127f, kTiny = 0x1p-100f,
                         kLeast = 0x1p-149f;
};
struct DoubleLimits {
  using Real = double;
  static constexpr double kInfinity = __builtin_inf(), kHuge = 0x1p1023, kTiny = 0, kLeast = 0x1p-1074;
};

}  // namespace
}  // namespace pawl::capture
