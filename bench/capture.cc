// pawl_compute_stats against the cheapest thing one thread can do with the same memory: read it once. Several
// ways of reading, with and without prefetching at several distances, are measured in turn with it in the
// same run, and the fastest of them counts; on a buffer far larger than any cache, aligned to 64 bytes as
// tensors are and with the pages malloc gives. Then, fewer times, the other element types and views of floats
// against that way of reading as many bytes.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "bench/bench.h"
#include "pawl/capture.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pawl::bench {

namespace {

constexpr size_t kFloats = 64u << 20;  // 256 MiB
constexpr size_t kBytes = kFloats * sizeof(float);
constexpr int kRepetitions = 15;
constexpr int kOtherRepetitions = 5;

// A way of reading: the sum of all elements, with nothing but loads and additions in eight independent
// chains.
struct Reader {
  const char* name;
  float (*read)(const float* data, size_t count);
};

#if defined(__x86_64__)
// `Ahead`: bytes, 0 for what the machine prefetches by itself.
template <size_t Ahead>
__attribute__((target("avx2"))) float read_avx2(const float* data, size_t count) {
  __m256 sums[8];
  for (__m256& sum : sums) sum = _mm256_setzero_ps();
  for (size_t i = 0; i + 64 <= count; i += 64) {
    if constexpr (Ahead > 0) {
      for (size_t line = 0; line < 256; line += 64)
        _mm_prefetch(reinterpret_cast<const char*>(data + i) + Ahead + line, _MM_HINT_T0);
    }
#pragma GCC unroll 8
    for (size_t j = 0; j < 8; ++j) sums[j] = _mm256_add_ps(sums[j], _mm256_loadu_ps(data + i + 8 * j));
  }
  alignas(32) float lanes[8];
  float total = 0;
  for (const __m256& sum : sums) {
    _mm256_store_ps(lanes, sum);
    for (const float lane : lanes) total += lane;
  }
  return total;
}

template <size_t Ahead>
__attribute__((target("avx512f"))) float read_avx512(const float* data, size_t count) {
  __m512 sums[8];
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  for (size_t i = 0; i + 128 <= count; i += 128) {
    if constexpr (Ahead > 0) {
      for (size_t line = 0; line < 512; line += 64)
        _mm_prefetch(reinterpret_cast<const char*>(data + i) + Ahead + line, _MM_HINT_T0);
    }
#pragma GCC unroll 8
    for (size_t j = 0; j < 8; ++j) sums[j] = _mm512_add_ps(sums[j], _mm512_loadu_ps(data + i + 16 * j));
  }
  alignas(64) float lanes[16];
  float total = 0;
  for (const __m512& sum : sums) {
    _mm512_store_ps(lanes, sum);
    for (const float lane : lanes) total += lane;
  }
  return total;
}
#endif

float read_portable(const float* data, size_t count) {
  float sums[8] = {};
  for (size_t i = 0; i + 8 <= count; i += 8) {
    for (size_t j = 0; j < 8; ++j) sums[j] += data[i + j];
  }
  return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}

std::vector<Reader> readers() {
  std::vector<Reader> out;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    out.insert(out.end(), {{"avx2", read_avx2<0>},
                           {"avx2, 512 bytes ahead", read_avx2<512>},
                           {"avx2, 2 KiB ahead", read_avx2<2048>}});
  }
  if (__builtin_cpu_supports("avx512f")) {
    out.insert(out.end(), {{"avx512", read_avx512<0>},
                           {"avx512, 1 KiB ahead", read_avx512<1024>},
                           {"avx512, 4 KiB ahead", read_avx512<4096>}});
  }
#endif
  if (out.empty()) out.push_back({"portable", read_portable});
  return out;
}

// Like weights: normally distributed around zero, near enough (a sum of four uniform numbers), 0.07 wide.
class Weights {
 public:
  float next() {
    float sum = 0;
    for (int k = 0; k < 4; ++k) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      sum += static_cast<float>(static_cast<int32_t>(state_ >> 32));
    }
    return sum * 0x1p-35f;
  }

 private:
  uint64_t state_ = 1;
};

template <class Convert>
void fill(void* data, Convert convert) {
  using T = std::invoke_result_t<Convert, float>;
  Weights weights;
  for (size_t i = 0; i < kBytes / sizeof(T); ++i) static_cast<T*>(data)[i] = convert(weights.next());
}

uint16_t upper_bits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<uint16_t>(bits >> 16);
}

// A half of about the same value, or zero: exponent rebiased, mantissa of 7 bits.
uint16_t half_bits(float x) {
  const uint32_t bits = upper_bits(x), magnitude = (bits & 0x7fff) << 3, rebias = 112 << 10;
  return static_cast<uint16_t>((bits & 0x8000) | (magnitude > rebias ? magnitude - rebias : 0));
}

struct ElementType {
  const char* name;
  pawl_dtype dtype;
  size_t size;
  void (*fill)(void* data);
};

constexpr ElementType kOtherTypes[] = {
    {"f64", PAWL_F64, 8, [](void* to) { fill(to, [](float x) { return static_cast<double>(x); }); }},
    {"f16", PAWL_F16, 2, [](void* to) { fill(to, half_bits); }},
    {"bf16", PAWL_BF16, 2, [](void* to) { fill(to, upper_bits); }},
    {"i8", PAWL_I8, 1, [](void* to) { fill(to, [](float x) { return static_cast<int8_t>(x * 400); }); }},
    {"i16", PAWL_I16, 2, [](void* to) { fill(to, [](float x) { return static_cast<int16_t>(x * 1e5f); }); }},
    {"i32", PAWL_I32, 4, [](void* to) { fill(to, [](float x) { return static_cast<int32_t>(x * 1e9f); }); }},
    {"i64", PAWL_I64, 8, [](void* to) { fill(to, [](float x) { return static_cast<int64_t>(x * 1e18f); }); }},
    {"u8", PAWL_U8, 1,
     [](void* to) { fill(to, [](float x) { return static_cast<uint8_t>(x * 400 + 128); }); }},
    {"bool", PAWL_BOOL, 1, [](void* to) { fill(to, [](float x) { return static_cast<uint8_t>(x > 0); }); }},
};

struct FloatView {
  const char* name;
  uint32_t dims;
  int64_t shape[3];
  int64_t strides[3];
};

constexpr int64_t kRows = kFloats / 4096;
constexpr FloatView kViews[] = {
    {"transposed", 2, {4096, kRows}, {1, 4096}},
    {"channels_last", 3, {kRows, 64, 64}, {4096, 1, 64}},
    {"columns_3000_of_4096", 2, {kRows, 3000}, {4096, 1}},
    {"columns_3_of_64", 2, {kFloats / 64, 3}, {64, 1}},
    {"every_second", 1, {kFloats / 2}, {2}},
};

// Processor time of this thread: the work is one thread's and never waits, so on a quiet machine this is the
// time that passes, and on a busy one what others took does not count.
double thread_seconds() {
  struct timespec now;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds_of(const auto& work) {
  const double start = thread_seconds();
  work();
  return thread_seconds() - start;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Result {
  const char* name;
  double gbps;   // of elements, not of the memory between them
  double ratio;  // to the GB/s of a plain read
};

// `work` looks at `bytes` of elements. Alternates with a read of the whole buffer.
Result measure(const char* name, double bytes, const Reader& reader, const float* data, const auto& work) {
  std::vector<double> work_s, read_s;
  volatile float sink = 0;
  for (int i = 0; i < kOtherRepetitions; ++i) {
    read_s.push_back(seconds_of([&] { sink = reader.read(data, kFloats); }));
    work_s.push_back(seconds_of(work));
  }
  const double gbps = bytes * 1e-9 / median(work_s);
  return {name, gbps, gbps / (static_cast<double>(kBytes) * 1e-9 / median(read_s))};
}

std::vector<Result> measure_views(const Reader& reader, const float* data, pawl_stats& stats) {
  std::vector<Result> out;
  for (const FloatView& view : kViews) {
    double bytes = sizeof(float);
    for (uint32_t d = 0; d < view.dims; ++d) bytes *= static_cast<double>(view.shape[d]);
    out.push_back(measure(view.name, bytes, reader, data, [&] {
      pawl_compute_strided(data, PAWL_F32, view.dims, view.shape, view.strides, &stats);
    }));
  }
  return out;
}

// Overwrites the buffer.
std::vector<Result> measure_types(const Reader& reader, float* data, pawl_stats& stats) {
  std::vector<Result> out;
  for (const ElementType& type : kOtherTypes) {
    type.fill(data);
    out.push_back(measure(type.name, static_cast<double>(kBytes), reader, data,
                          [&] { pawl_compute_stats(data, type.dtype, kBytes / type.size, &stats); }));
  }
  return out;
}

void print(const char* title, const std::vector<Result>& results, bool json) {
  std::string separator = json ? "" : "  ";
  std::printf(json ? ",\"%s\":{" : "%s, GB/s (ratio):", title);
  for (const Result& result : results) {
    std::printf(json ? "%s\"%s\":{\"gbps\":%.2f,\"ratio\":%.3f}" : "%s%s %.2f (%.3f)", separator.c_str(),
                result.name, result.gbps, result.ratio);
    separator = json ? "," : ", ";
  }
  std::printf(json ? "}" : "\n");
}

}  // namespace

int bench_capture(bool json) {
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  const std::unique_ptr<float[], Free> data(static_cast<float*>(std::aligned_alloc(64, kBytes)));
  if (data == nullptr) {
    std::fprintf(stderr, "pawl-bench: no memory\n");
    return 3;
  }
  fill(data.get(), [](float x) { return x; });
  pawl_stats stats{};
  stats.struct_size = sizeof stats;
  const std::vector<Reader> ways = readers();
  std::vector<double> stats_s;
  std::vector<std::vector<double>> read_s(ways.size());
  volatile float sink = 0;
  for (int i = 0; i < kRepetitions; ++i) {
    for (size_t w = 0; w < ways.size(); ++w)
      read_s[w].push_back(seconds_of([&] { sink = ways[w].read(data.get(), kFloats); }));
    stats_s.push_back(seconds_of([&] { pawl_compute_stats(data.get(), PAWL_F32, kFloats, &stats); }));
  }
  size_t best = 0;
  for (size_t w = 1; w < ways.size(); ++w) {
    if (median(read_s[w]) < median(read_s[best])) best = w;
  }
  if (stats.count != kFloats || stats.nan != 0 || !std::isfinite(stats.square_sum)) {
    std::fprintf(stderr, "pawl-bench: the statistics are wrong\n");
    return 1;
  }
  const double gigabytes = static_cast<double>(kBytes) * 1e-9;
  const double stats_gbps = gigabytes / median(stats_s), read_gbps = gigabytes / median(read_s[best]);
  const double ratio = stats_gbps / read_gbps;
  const std::vector<Result> views = measure_views(ways[best], data.get(), stats);
  const std::vector<Result> types = measure_types(ways[best], data.get(), stats);
  if (json) {
    std::printf(
        "{\"stats_gbps\":%.2f,\"read_gbps\":%.2f,\"ratio\":%.3f,\"simd\":\"%s\",\"read\":\"%s\",\"bytes\":%"
        "zu,"
        "\"repetitions\":%d",
        stats_gbps, read_gbps, ratio, pawl_capture_simd(), ways[best].name, kBytes, kRepetitions);
  } else {
    std::printf("statistics %.2f GB/s (%s), read %.2f GB/s (%s), ratio %.3f; median of %d over %zu MiB\n",
                stats_gbps, pawl_capture_simd(), read_gbps, ways[best].name, ratio, kRepetitions,
                kBytes >> 20);
  }
  print("dtypes", types, json);
  print("views", views, json);
  if (json) std::printf("}\n");
  return 0;
}

}  // namespace pawl::bench
