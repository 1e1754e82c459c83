// The float kernel, written once over a vector type `V` and compiled once per instruction set (stats_avx2.cc,
// stats_avx512.cc). Everything is in an unnamed namespace: code built for a newer machine must not be shared
// with the rest of the program by the linker.
//
// The histogram is a positional population count. The 8-bit exponent of four vectors of floats is packed into
// one vector of bytes (their order does not matter), mapped to a bucket 0..15, and by two table look-ups to a
// byte with one bit set: buckets 0-7 in one vector, 8-15 in another. Counting how often each bit position is
// set is done with carry-save adders as by Harley and Seal (Mula, Kurz, Lemire, "Faster Population Counts
// Using AVX2 Instructions", 2018; Klarqvist, Mula, Lemire, "Efficient Computation of Positional Population
// Counts Using SIMD Instructions", 2019): full adders on whole vectors hold the ones, twos, fours and eights,
// and only each sixteenth input is really counted.
#pragma once

#include "hooks/capture/stats.h"

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

// Sums over vectors of floats, in single precision; two of each so that additions need not wait for each
// other.
template <class V>
struct LaneSums {
  using F = typename V::Floats;
  F sum[2] = {V::all(0), V::all(0)};
  F abs_sum[2] = {V::all(0), V::all(0)};
  F squares[2] = {V::all(0), V::all(0)};
  F min = V::all(__builtin_inff()), max = V::all(-__builtin_inff());

  void add4(const F* v, const F* magnitude) {
    min = V::min(min, V::min(V::min(v[0], v[1]), V::min(v[2], v[3])));
    max = V::max(max, V::max(V::max(v[0], v[1]), V::max(v[2], v[3])));
    for (size_t j = 0; j < 4; ++j) {
      sum[j % 2] = V::add(sum[j % 2], v[j]);
      abs_sum[j % 2] = V::add(abs_sum[j % 2], magnitude[j]);
      squares[j % 2] = V::multiply_add(v[j], v[j], squares[j % 2]);
    }
  }
};

// What is known of all blocks so far.
template <class V>
struct Running {
  typename V::Doubles sum = V::zero_doubles(), abs_sum = sum, square_sum = sum;
  typename V::Floats min = V::all(__builtin_inff()), max = V::all(-__builtin_inff());
  BitCounter<V> low, high;  // magnitude buckets 0-7 and 8-15

  // Takes the sums of one block, or returns false and takes nothing: an element is not finite, or the squares
  // leave the range where single precision is good.
  bool take(const LaneSums<V>& block) {
    const auto abs_total = V::add(block.abs_sum[0], block.abs_sum[1]);
    const auto square_total = V::add(block.squares[0], block.squares[1]);
    // A NaN or an infinity anywhere makes its lane of abs_total NaN or infinite, and so fail.
    if (!V::all_less(abs_total, 0x1p127f) || !V::all_less(square_total, 0x1p127f)) return false;
    // Squares below 2^-126 round coarsely (each by at most 2^-150): 2048 of them do not matter beside 2^-100.
    if (!V::any_not_less(square_total, 0x1p-100f) && V::any_not_less(abs_total, 0x1p-149f)) return false;
    sum = V::add_as_doubles(sum, V::add(block.sum[0], block.sum[1]));
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

// Floats to prefetch ahead: 4 KiB. What the machine prefetches by itself ends with the page, and did half of
// it here.
constexpr size_t kAhead = 1024;

// One block of kBlock floats. The histogram is always added, NaN and infinities as bucket 15.
template <class V>
BlockFlags add_block(const float* x, Running<V>& running) {
  constexpr size_t kStep = 4 * V::kFloats;  // floats whose exponents fill one byte vector
  static_assert(kBlock % (16 * kStep) == 0);
  LaneSums<V> sums;
  typename V::Bytes smallest = V::all_ones();
  for (size_t i = 0; i < kBlock; i += 16 * kStep) {
    typename V::Bytes low[16], high[16];
    for (size_t j = 0; j < 16; ++j) {
      typename V::Floats v[4], magnitude[4];
      for (size_t k = 0; k < 4; ++k) {
        __builtin_prefetch(x + i + j * kStep + k * V::kFloats + kAhead);
        v[k] = V::load(x + i + j * kStep + k * V::kFloats);
        magnitude[k] = V::abs(v[k]);
      }
      sums.add4(v, magnitude);
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

inline uint64_t count_zeros(const float* x, size_t count) {
  uint32_t zeros = 0;
  for (size_t i = 0; i < count; ++i) zeros += x[i] == 0.0f;
  return zeros;
}

// Sums and specials of a block whose lane sums were not taken. The histogram has its magnitudes already.
inline void add_block_exactly(const float* x, size_t count, Totals& totals) {
  Totals block;
  for (size_t i = 0; i < count; ++i) accumulate_one(static_cast<double>(x[i]), block);
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
template <class V>
uint64_t add_tail(const float* x, size_t count, Running<V>& running, Totals& totals) {
  alignas(64) float block[kBlock] = {};
  __builtin_memcpy(block, x, count * sizeof *x);
  const auto min = running.min, max = running.max;
  const bool sums_taken = add_block<V>(block, running).sums_taken;
  running.min = min;
  running.max = max;
  totals.magnitude[0] -= kBlock - count;
  if (!sums_taken) {
    add_block_exactly(x, count, totals);
  } else {
    for (size_t i = count; i < kBlock; ++i) block[i] = x[0];
    for (size_t i = 0; i < kBlock; i += V::kFloats) {
      running.min = V::min(running.min, V::load(block + i));
      running.max = V::max(running.max, V::load(block + i));
    }
  }
  return count_zeros(x, count);
}

constexpr size_t kSmallestTail = 96;  // shorter ones are faster one by one

template <class V>
void accumulate_floats(const float* data, size_t count, Totals& totals) {
  Running<V> running;
  const size_t blocks = count / kBlock;
  const uint64_t specials_before = totals.nan + totals.inf;
  uint64_t zeros = 0;
  for (size_t b = 0; b < blocks; ++b) {
    const float* x = data + b * kBlock;
    const BlockFlags flags = add_block<V>(x, running);
    if (!flags.sums_taken) add_block_exactly(x, kBlock, totals);
    if (flags.zero_exponent) zeros += count_zeros(x, kBlock);
  }
  size_t done = blocks * kBlock;
  if (count - done >= kSmallestTail) {
    zeros += add_tail<V>(data + done, count - done, running, totals);
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
  for (size_t i = done; i < count; ++i) accumulate_one(static_cast<double>(data[i]), totals);
}

}  // namespace
}  // namespace pawl::capture
