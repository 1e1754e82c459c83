// The statistics of many tensors on a GPU, in plain C++: cuda_kernel.cu makes the two kernels of it, and the
// tests run the same functions on the CPU.
//
// A chunk is up to kChunk elements of one tensor. reduce_chunk() is what a block of kReduceThreads threads
// does with one, fold_tensor() what a second launch does with the chunks of one tensor: always in the same
// order, so that the sums of the same data are the same. Both are sequences of phases: `each` runs a function
// for every thread of the block, and the next phase sees what all threads have written.
//
// Memory-bound by design: 16-byte loads, up to four of them under way in a thread; single-precision sums of
// kGroup elements, which are then added in double; and a histogram in shared memory in which each thread has
// a column of its own, so that counting needs neither atomics nor the same bank twice. A group for which
// single precision would not do (NaN, infinity, squares out of range) is summed again in double, as on the
// CPU (stats.h), with the same bounds. Doubles and 32- and 64-bit integers are summed in double throughout.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "hooks/capture/include/pawl/capture.h"

namespace pawl::capture::cuda {

inline constexpr uint32_t kReduceThreads = 256;
inline constexpr uint32_t kFoldThreads = 1024;
inline constexpr uint32_t kChunk = 65536;
inline constexpr uint32_t kGroup = 128;
inline constexpr int kMagnitudes = 16;

// What is known of some elements: 8-byte words, so that a thread can add up one of them whichever it is.
// magnitude[0] counts zeros too, magnitude[15] NaN and infinities.
struct Sums {
  double sum, abs_sum, square_sum, min, max;
  uint64_t nan, inf, zero;
  uint64_t magnitude[kMagnitudes];
};
inline constexpr uint32_t kWords = sizeof(Sums) / 8;

struct Tensor {
  const void* data;  // aligned to its elements
  uint64_t count;
  uint32_t dtype;  // pawl_dtype
  uint32_t first_chunk;
};

// The argument of both kernels. All in memory that the GPU can reach.
struct Work {
  const Tensor* tensors;
  const uint32_t* tensor_of_chunk;
  Sums* chunks;
  Sums* results;  // of each tensor
};

constexpr uint64_t chunks_of(uint64_t count) {
  return count / kChunk + (count % kChunk != 0 ? 1 : 0);
}

// What a thread of reduce_chunk() keeps in registers.
struct Thread {
  double sum = 0, abs_sum = 0, square_sum = 0;
  double min = __builtin_inf(), max = -__builtin_inf();
  uint32_t nan = 0, inf = 0, zero = 0;
};

inline constexpr uint32_t kParts = kReduceThreads / kMagnitudes;

struct ReduceShared {
  union {
    uint32_t histogram[kMagnitudes][kReduceThreads];
    struct {
      double sums[5][kReduceThreads];
      uint32_t counts[3][kReduceThreads];
    } threads;
  };
  uint32_t parts[kMagnitudes][kParts];
};

struct FoldShared {
  uint64_t words[kFoldThreads / 32][32];
};

typedef uint32_t Vector __attribute__((vector_size(16)));

template <class T>
inline T load(const T* from) {
#if defined(__CUDA_ARCH__)
  return *(const __attribute__((address_space(1))) T*)from;  // known to be no shared memory
#else
  return *from;
#endif
}

inline float float_of_bits(uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

inline uint32_t bits_of_float(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline float float_of_half(uint16_t half) {
#if defined(__CUDA_ARCH__)
  float x;
  __asm__("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(half));
  return x;
#else
  // Moved to the place of a float's bits, the exponent is 112 too small, for denormals too.
  const float magnitude = float_of_bits(static_cast<uint32_t>(half & 0x7fff) << 13) * 0x1p112f;
  const uint32_t special = magnitude >= 65536.0f ? 0x7f800000 : 0;
  return float_of_bits(bits_of_float(magnitude) | special | static_cast<uint32_t>(half & 0x8000) << 16);
#endif
}

// The types of which a float holds every value. `Element` is what is in memory; a 4-byte word of it holds
// 4 / sizeof(Element) elements.
struct F32 {
  using Element = uint32_t;
  static float value(Element x) { return float_of_bits(x); }
};
struct F16 {
  using Element = uint16_t;
  static float value(Element x) { return float_of_half(x); }
};
struct BF16 {
  using Element = uint16_t;
  static float value(Element x) { return float_of_bits(static_cast<uint32_t>(x) << 16); }
};
template <class Integer>
struct Small {
  using Element = Integer;
  static float value(Element x) { return static_cast<float>(x); }
};
struct Bool {
  using Element = uint8_t;
  static float value(Element x) { return x != 0 ? 1.0f : 0.0f; }
};

template <class Type>
inline constexpr uint32_t kPerVector = 16 / sizeof(typename Type::Element);

// Vectors that a thread loads before it looks at the first: 16 elements of them, so that the code stays
// small.
template <class Type>
inline constexpr uint32_t kAtOnce = 16 / kPerVector<Type>;

// All elements of a vector.
template <class Type, class Function>
inline void each_of(Vector vector, Function function) {
  using Element = typename Type::Element;
  constexpr uint32_t kPerWord = 4 / sizeof(Element);
#pragma GCC unroll 4
  for (uint32_t w = 0; w < 4; ++w) {
#pragma GCC unroll 4
    for (uint32_t i = 0; i < kPerWord; ++i) {
      function(Type::value(static_cast<Element>(vector[w] >> (8 * sizeof(Element) * i))));
    }
  }
}

// One column of the histogram.
struct Column {
  uint32_t* top;

  uint32_t& row(int k) { return top[k * static_cast<int>(kReduceThreads)]; }

  void count(float x) {
    // Without the sign and within [2^-20, 2^12): the exponents 107 and 108 are row 0, and so on.
    constexpr uint32_t kLeast = 107u << 24, kMost = (139u << 24) - 1;
    uint32_t bits = bits_of_float(x) << 1;
    bits = bits < kLeast ? kLeast : bits > kMost ? kMost : bits;
    row(static_cast<int>((bits + (1u << 24)) >> 25) - 54) += 1;
  }

  void count(double x) {
    uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    int k = (static_cast<int>((bits >> 52) & 0x7ff) - 1023 + 20) >> 1;
    if (k < 0) k = 0;
    if (k >= kMagnitudes) k = kMagnitudes - 1;
    row(k) += 1;
  }
};

// Everything but the histogram and the zeros.
inline void add_exactly(double x, Thread& own) {
  if (x != x) {
    ++own.nan;
  } else if (__builtin_fabs(x) == __builtin_inf()) {
    ++own.inf;
  } else {
    own.sum += x;
    own.abs_sum += __builtin_fabs(x);
    own.square_sum += x * x;
    if (x < own.min) own.min = x;
    if (x > own.max) own.max = x;
  }
}

inline void add_one(double x, Thread& own, Column column) {
  add_exactly(x, own);
  column.count(x);
  if (x == 0) ++own.zero;
}

struct GroupSums {
  float sum = 0, abs_sum = 0, square_sum = 0;
  float min = __builtin_inff(), max = -__builtin_inff();

  void add(float x) {
    sum += x;
    abs_sum += __builtin_fabsf(x);
    square_sum += x * x;
    min = __builtin_fminf(min, x);
    max = __builtin_fmaxf(max, x);
  }

  // False, and nothing is taken, when an element is not finite or the squares leave the range where single
  // precision is good: see Running::take in stats_block.h.
  bool take(Thread& own) const {
    if (!(abs_sum < 0x1p127f && square_sum < 0x1p127f)) return false;
    if (square_sum < 0x1p-100f && abs_sum >= 0x1p-149f) return false;
    own.sum += static_cast<double>(sum);
    own.abs_sum += static_cast<double>(abs_sum);
    own.square_sum += static_cast<double>(square_sum);
    if (static_cast<double>(min) < own.min) own.min = static_cast<double>(min);
    if (static_cast<double>(max) > own.max) own.max = static_cast<double>(max);
    return true;
  }
};

// A group that was not taken. Rare, and no reason for much code.
template <class Type>
inline void add_group_exactly(const Vector* vectors, uint32_t begin, uint32_t end, Thread& own) {
  for (uint32_t i = begin; i < end; i += kReduceThreads) {
    const auto* elements = reinterpret_cast<const typename Type::Element*>(vectors + i);
#pragma GCC unroll 1
    for (uint32_t k = 0; k < kPerVector<Type>; ++k) {
      add_exactly(static_cast<double>(Type::value(load(elements + k))), own);
    }
  }
}

// The thread's share of `count` vectors.
template <class Type>
inline void add_vectors(const Vector* vectors, uint32_t count, uint32_t thread, Thread& own, Column column) {
  constexpr uint32_t kStride = kGroup / kPerVector<Type> * kReduceThreads;
  for (uint32_t begin = thread; begin < count; begin += kStride) {
    const uint32_t end = begin + kStride < count ? begin + kStride : count;
    GroupSums sums;
    const auto add = [&](Vector vector) {
      each_of<Type>(vector, [&](float x) {
        sums.add(x);
        column.count(x);
        own.zero += x == 0 ? 1 : 0;
      });
    };
    uint32_t i = begin;
    for (; i + (kAtOnce<Type> - 1) * kReduceThreads < end; i += kAtOnce<Type> * kReduceThreads) {
      Vector some[kAtOnce<Type>];
#pragma GCC unroll 4
      for (uint32_t k = 0; k < kAtOnce<Type>; ++k) some[k] = load(vectors + i + k * kReduceThreads);
#pragma GCC unroll 4
      for (uint32_t k = 0; k < kAtOnce<Type>; ++k) add(some[k]);
    }
    for (; i < end; i += kReduceThreads) add(load(vectors + i));
    if (!sums.take(own)) add_group_exactly<Type>(vectors, begin, end, own);
  }
}

// The elements before the first and behind the last whole vector are one for a thread.
template <class Type>
inline void add_floats(const void* data, uint64_t begin, uint32_t count, uint32_t thread, Thread& own,
                       Column column) {
  using Element = typename Type::Element;
  const Element* first = static_cast<const Element*>(data) + begin;
  const auto past = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(first) % 16 / sizeof(Element));
  uint32_t head = past == 0 ? 0 : kPerVector<Type> - past;
  if (head > count) head = count;
  const uint32_t vectors = (count - head) / kPerVector<Type>;
  const uint32_t tail = head + vectors * kPerVector<Type>;
  add_vectors<Type>(reinterpret_cast<const Vector*>(first + head), vectors, thread, own, column);
  const auto single = [&](uint32_t i) {
    add_one(static_cast<double>(Type::value(load(first + i))), own, column);
  };
  if (thread < head) single(thread);
  if (tail + thread < count) single(tail + thread);
}

template <class T>
inline void add_wide(const void* data, uint64_t begin, uint32_t count, uint32_t thread, Thread& own,
                     Column column) {
  const T* first = static_cast<const T*>(data) + begin;
  for (uint32_t i = thread; i < count; i += kReduceThreads) {
    add_one(static_cast<double>(load(first + i)), own, column);
  }
}

inline void add_share(const Tensor& tensor, uint64_t begin, uint32_t count, uint32_t thread, Thread& own,
                      Column column) {
  switch (tensor.dtype) {
    case PAWL_F32:
      return add_floats<F32>(tensor.data, begin, count, thread, own, column);
    case PAWL_F16:
      return add_floats<F16>(tensor.data, begin, count, thread, own, column);
    case PAWL_BF16:
      return add_floats<BF16>(tensor.data, begin, count, thread, own, column);
    case PAWL_I8:
      return add_floats<Small<int8_t>>(tensor.data, begin, count, thread, own, column);
    case PAWL_I16:
      return add_floats<Small<int16_t>>(tensor.data, begin, count, thread, own, column);
    case PAWL_U8:
      return add_floats<Small<uint8_t>>(tensor.data, begin, count, thread, own, column);
    case PAWL_BOOL:
      return add_floats<Bool>(tensor.data, begin, count, thread, own, column);
    case PAWL_F64:
      return add_wide<double>(tensor.data, begin, count, thread, own, column);
    case PAWL_I32:
      return add_wide<int32_t>(tensor.data, begin, count, thread, own, column);
    case PAWL_I64:
      return add_wide<int64_t>(tensor.data, begin, count, thread, own, column);
    default:
      return;
  }
}

// `b` into `a`: a sum, or for words 3 and 4 of Sums an extreme.
inline double joined(uint32_t word, double a, double b) {
  if (word == 3) return b < a ? b : a;
  if (word == 4) return b > a ? b : a;
  return a + b;
}

// Each thread its part of the chunk, into registers and its column.
inline void reduce_elements(const Work& work, uint32_t chunk, uint32_t thread, Thread& own,
                            ReduceShared& shared) {
  const Tensor tensor = work.tensors[load(work.tensor_of_chunk + chunk)];
  const uint64_t begin = static_cast<uint64_t>(chunk - tensor.first_chunk) * kChunk;
  const uint64_t left = tensor.count - begin;
  Column column{&shared.histogram[0][thread]};
  for (int k = 0; k < kMagnitudes; ++k) column.row(k) = 0;
  add_share(tensor, begin, left < kChunk ? static_cast<uint32_t>(left) : kChunk, thread, own, column);
}

// Sixteen threads for each row of the histogram; neighbours read neighbours.
inline void reduce_histogram(uint32_t thread, ReduceShared& shared) {
  const uint32_t row = thread / kParts, part = thread % kParts;
  uint32_t total = 0;
  for (uint32_t i = part; i < kReduceThreads; i += kParts) total += shared.histogram[row][i];
  shared.parts[row][part] = total;
}

// Registers into the place of the histogram, which is done with.
inline void spread_registers(uint32_t thread, const Thread& own, ReduceShared& shared, Sums& out) {
  const double sums[] = {own.sum, own.abs_sum, own.square_sum, own.min, own.max};
  const uint32_t counts[] = {own.nan, own.inf, own.zero};
  for (uint32_t k = 0; k < 5; ++k) shared.threads.sums[k][thread] = sums[k];
  for (uint32_t k = 0; k < 3; ++k) shared.threads.counts[k][thread] = counts[k];
  if (thread >= kMagnitudes) return;
  uint64_t total = 0;
  for (uint32_t i = 0; i < kParts; ++i) total += shared.parts[thread][i];
  out.magnitude[thread] = total;
}

// The first `stride` of a row take up all that are a multiple of `stride` behind them.
inline void join_row(uint32_t row, uint32_t at, uint32_t stride, uint32_t size, ReduceShared& shared) {
  if (row < 5) {
    double* sums = shared.threads.sums[row];
    for (uint32_t i = at + stride; i < size; i += stride) sums[at] = joined(row, sums[at], sums[i]);
  } else {
    uint32_t* counts = shared.threads.counts[row - 5];
    for (uint32_t i = at + stride; i < size; i += stride) counts[at] += counts[i];
  }
}

inline void write_row(uint32_t row, const ReduceShared& shared, Sums& out) {
  if (row < 5) {
    (&out.sum)[row] = shared.threads.sums[row][0];
  } else {
    (&out.nan)[row - 5] = shared.threads.counts[row - 5][0];
  }
}

template <class Each>
inline void reduce_chunk(const Work& work, uint32_t chunk, ReduceShared& shared, Each& each) {
  Sums& out = work.chunks[chunk];
  each([&](uint32_t thread, Thread& own) { reduce_elements(work, chunk, thread, own, shared); });
  each([&](uint32_t thread, Thread&) { reduce_histogram(thread, shared); });
  each([&](uint32_t thread, Thread& own) { spread_registers(thread, own, shared, out); });
  each([&](uint32_t thread, Thread&) { join_row(thread / 32, thread % 32, 32, kReduceThreads, shared); });
  each([&](uint32_t thread, Thread&) {
    if (thread >= 8) return;
    join_row(thread, 0, 1, 32, shared);
    write_row(thread, shared, out);
  });
}

inline uint64_t word_of(double x) {
  uint64_t word;
  __builtin_memcpy(&word, &x, sizeof word);
  return word;
}

inline double double_of(uint64_t word) {
  double x;
  __builtin_memcpy(&x, &word, sizeof x);
  return x;
}

inline uint64_t joined_words(uint32_t word, uint64_t a, uint64_t b) {
  return word < 5 ? word_of(joined(word, double_of(a), double_of(b))) : a + b;
}

// Of no element at all.
inline uint64_t empty_word(uint32_t word) {
  return word == 3 ? word_of(__builtin_inf()) : word == 4 ? word_of(-__builtin_inf()) : 0;
}

// Thread (slice, word): one word of every 32nd chunk.
inline void fold_slice(const Work& work, uint32_t tensor, uint32_t thread, FoldShared& shared) {
  const uint32_t slice = thread / 32, word = thread % 32;
  if (word >= kWords) return;
  const uint32_t begin = load(&work.tensors[tensor].first_chunk);
  const auto end = static_cast<uint32_t>(begin + chunks_of(load(&work.tensors[tensor].count)));
  uint64_t total = empty_word(word);
  for (uint32_t chunk = begin + slice; chunk < end; chunk += kFoldThreads / 32) {
    total = joined_words(word, total, load(reinterpret_cast<const uint64_t*>(work.chunks + chunk) + word));
  }
  shared.words[slice][word] = total;
}

inline void fold_word(const Work& work, uint32_t tensor, uint32_t word, const FoldShared& shared) {
  if (word >= kWords) return;
  uint64_t total = shared.words[0][word];
  for (uint32_t slice = 1; slice < kFoldThreads / 32; ++slice) {
    total = joined_words(word, total, shared.words[slice][word]);
  }
  reinterpret_cast<uint64_t*>(work.results + tensor)[word] = total;
}

template <class Each>
inline void fold_tensor(const Work& work, uint32_t tensor, FoldShared& shared, Each& each) {
  each([&](uint32_t thread, Thread&) { fold_slice(work, tensor, thread, shared); });
  each([&](uint32_t thread, Thread&) { fold_word(work, tensor, thread, shared); });
}

}  // namespace pawl::capture::cuda
