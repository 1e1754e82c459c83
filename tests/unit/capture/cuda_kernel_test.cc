// What the kernels of the GPU compute, run on the CPU, against the CPU's own statistics and plain arithmetic:
// their code, and the PTX that was made of it.
#include "hooks/capture/cuda_kernel.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "hooks/capture/cuda.h"
#include "hooks/capture/stats.h"
#include "tests/unit/capture/kernel_on_host.h"
#include "tests/unit/capture/sample_numbers.h"
#if PAWL_HAS_CUDA_COMPILER
#include "tests/unit/capture/ptx_on_host.h"
#endif

namespace pawl::capture {
namespace {

using Launch = void (*)(const cuda::Work& work, uint32_t blocks);

// Both kernels, one way.
struct Way {
  const char* name;
  Launch reduce, fold;
};

constexpr Way kWays[] = {
    {"code", cuda::reduce_on_host, cuda::fold_on_host},
#if PAWL_HAS_CUDA_COMPILER
    {"ptx",
     [](const cuda::Work& work, uint32_t blocks) {
       cuda::ptx::run<cuda::ptx::pawl_reduce>(work, blocks, cuda::kReduceThreads, sizeof(cuda::ReduceShared));
     },
     [](const cuda::Work& work, uint32_t blocks) {
       cuda::ptx::run<cuda::ptx::pawl_fold>(work, blocks, cuda::kFoldThreads, sizeof(cuda::FoldShared));
     }},
#endif
};

const Way* way = nullptr;

class CudaKernel : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override { way = &GetParam(); }
};
std::string way_name(const testing::TestParamInfo<Way>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Way, CudaKernel, testing::ValuesIn(kWays), way_name);

struct Input {
  const void* data;
  pawl_dtype dtype;
  uint64_t count;
};

// All in one launch, as the launcher lays it out.
std::vector<pawl_stats> on_gpu(const std::vector<Input>& inputs) {
  std::vector<cuda::Tensor> tensors;
  std::vector<uint32_t> tensor_of_chunk;
  for (const Input& input : inputs) {
    const auto index = static_cast<uint32_t>(tensors.size());
    tensors.push_back({input.data, input.count, input.dtype, static_cast<uint32_t>(tensor_of_chunk.size())});
    tensor_of_chunk.insert(tensor_of_chunk.end(), cuda::chunks_of(input.count), index);
  }
  std::vector<cuda::Sums> chunks(tensor_of_chunk.size()), results(tensors.size());
  const cuda::Work work{tensors.data(), tensor_of_chunk.data(), chunks.data(), results.data()};
  way->reduce(work, static_cast<uint32_t>(chunks.size()));
  way->fold(work, static_cast<uint32_t>(results.size()));
  std::vector<pawl_stats> stats;
  for (size_t i = 0; i < inputs.size(); ++i) stats.push_back(cuda::stats_of(results[i], inputs[i].count));
  return stats;
}

pawl_stats on_cpu(const Input& input) {
  pawl_stats stats{};
  stats.struct_size = sizeof stats;
  EXPECT_EQ(pawl_compute_stats(input.data, input.dtype, input.count, &stats), PAWL_OK);
  return stats;
}

// Everything exact but the sums; these within the bounds of both together.
void expect_same(const pawl_stats& gpu, const pawl_stats& cpu) {
  EXPECT_EQ(gpu.count, cpu.count);
  EXPECT_EQ(gpu.nan, cpu.nan);
  EXPECT_EQ(gpu.inf, cpu.inf);
  EXPECT_EQ(gpu.zero, cpu.zero);
  EXPECT_EQ(gpu.min, cpu.min);
  EXPECT_EQ(gpu.max, cpu.max);
  for (int k = 0; k < kBuckets; ++k) EXPECT_EQ(gpu.magnitude[k], cpu.magnitude[k]) << "bucket " << k;
  constexpr double kBound = 0x1p-15;
  EXPECT_LE(std::fabs(gpu.sum - cpu.sum), kBound * cpu.abs_sum);
  EXPECT_LE(std::fabs(gpu.abs_sum - cpu.abs_sum), kBound * cpu.abs_sum);
  if (std::isinf(cpu.square_sum)) {
    EXPECT_EQ(gpu.square_sum, cpu.square_sum);
  } else {
    EXPECT_LE(std::fabs(gpu.square_sum - cpu.square_sum), kBound * cpu.square_sum);
  }
}

template <class T>
void expect_same_as_cpu(const std::vector<T>& data, pawl_dtype dtype) {
  const Input input{data.data(), dtype, data.size()};
  expect_same(on_gpu({input})[0], on_cpu(input));
}

TEST_P(CudaKernel, Empty) {
  expect_same_as_cpu(std::vector<float>(), PAWL_F32);
  EXPECT_TRUE(on_gpu({}).empty());
}

TEST_P(CudaKernel, SmallKnownVector) {
  const std::vector<float> data = {0.5f, 1, -2, 0, kNan, -kInf, kDenormal, -0.0f};
  const pawl_stats got = on_gpu({{data.data(), PAWL_F32, data.size()}})[0];
  EXPECT_EQ(got.count, 8u);
  EXPECT_EQ(got.nan, 1u);
  EXPECT_EQ(got.inf, 1u);
  EXPECT_EQ(got.zero, 2u);
  EXPECT_EQ(got.min, -2);
  EXPECT_EQ(got.max, 1);
  EXPECT_DOUBLE_EQ(got.sum, -0.5);
  EXPECT_DOUBLE_EQ(got.abs_sum, 3.5);
  EXPECT_DOUBLE_EQ(got.square_sum, 5.25);
  EXPECT_EQ(got.magnitude[0], 1u);   // the denormal
  EXPECT_EQ(got.magnitude[9], 1u);   // 0.5
  EXPECT_EQ(got.magnitude[10], 2u);  // 1 and 2
}

TEST_P(CudaKernel, EverySizeAroundAVectorAGroupAndAChunk) {
  const size_t wave = 4 * size_t{cuda::kReduceThreads}, group = size_t{cuda::kGroup} * cuda::kReduceThreads;
  for (const size_t count :
       {size_t{1}, size_t{3}, size_t{4}, size_t{5}, size_t{31}, wave - 1, wave, wave + 1, 3 * wave + 5,
        4 * wave, 4 * wave + 3, group - 1, group, group + 1, size_t{cuda::kChunk} - 1, size_t{cuda::kChunk},
        size_t{cuda::kChunk} + 1, 3 * size_t{cuda::kChunk} + 77}) {
    SCOPED_TRACE(count);
    expect_same_as_cpu(normal_floats(count, 0.05f, static_cast<unsigned>(count)), PAWL_F32);
  }
}

// Where a tensor begins: at every element of a vector.
template <class T>
void expect_same_at_every_start(const std::vector<T>& data, pawl_dtype dtype) {
  for (size_t start = 0; start < 16 / sizeof(T); ++start) {
    for (const size_t count : {size_t{1}, size_t{7}, size_t{20}, data.size() - start}) {
      SCOPED_TRACE(std::to_string(start) + " " + std::to_string(count));
      const Input input{data.data() + start, dtype, count};
      expect_same(on_gpu({input})[0], on_cpu(input));
    }
  }
}

TEST_P(CudaKernel, EveryAlignment) {
  const auto floats = normal_floats(cuda::kChunk + 1000, 1.0f, 1);
  expect_same_at_every_start(floats, PAWL_F32);
  std::vector<uint16_t> brains;
  std::vector<int8_t> bytes;
  std::vector<double> doubles;
  for (const float x : floats) {
    brains.push_back(static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16));
    bytes.push_back(static_cast<int8_t>(x * 30));
    doubles.push_back(static_cast<double>(x));
  }
  expect_same_at_every_start(brains, PAWL_BF16);
  expect_same_at_every_start(bytes, PAWL_I8);
  expect_same_at_every_start(doubles, PAWL_F64);
}

TEST_P(CudaKernel, EveryMagnitude) {
  std::vector<float> data;
  for (int exponent = -149; exponent < 128; ++exponent) {
    for (const float x : {std::ldexp(1.0f, exponent), -std::nextafter(std::ldexp(1.0f, exponent), 0.0f)}) {
      data.insert(data.end(), 40, x);
    }
  }
  expect_same_as_cpu(data, PAWL_F32);
  std::vector<double> wide(data.begin(), data.end());
  wide.insert(wide.end(), {1e-310, 1e300, -1e-300});
  expect_same_as_cpu(wide, PAWL_F64);
}

TEST_P(CudaKernel, SpecialsAnywhere) {
  const size_t size = cuda::kChunk + 500;
  for (const size_t at : {size_t{0}, size_t{17}, size_t{cuda::kChunk} - 1, size_t{cuda::kChunk}, size - 1}) {
    for (const float special : {kNan, -kNan, kInf, -kInf, 0.0f, -0.0f, kDenormal, 3e38f, -3e38f, 1e-30f}) {
      SCOPED_TRACE(std::to_string(at) + " " + std::to_string(special));
      auto data = normal_floats(size, 1.0f, 7);
      data[at] = special;
      expect_same_as_cpu(data, PAWL_F32);
    }
  }
}

TEST_P(CudaKernel, AllTheSameSpecial) {
  for (const float special : {kNan, kInf, -kInf, 0.0f, kDenormal, -3e38f, 1e-30f, 1e-22f, 1e-15f}) {
    SCOPED_TRACE(special);
    expect_same_as_cpu(std::vector<float>(cuda::kChunk + 300, special), PAWL_F32);
    expect_same_as_cpu(std::vector<double>(3000, static_cast<double>(special)), PAWL_F64);
  }
}

TEST_P(CudaKernel, EveryScale) {
  for (int exponent = -140; exponent <= 120; exponent += 10) {
    SCOPED_TRACE(exponent);
    expect_same_as_cpu(normal_floats(40000, std::ldexp(1.0f, exponent), 3), PAWL_F32);
  }
}

TEST_P(CudaKernel, EveryHalfAndBrainFloat) {
  std::vector<uint16_t> data(65536 * 2);
  for (uint32_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint16_t>(i * 40503);  // in no order
  expect_same_as_cpu(data, PAWL_F16);
  expect_same_as_cpu(data, PAWL_BF16);
}

TEST_P(CudaKernel, Integers) {
  std::vector<int8_t> i8;
  std::vector<int16_t> i16;
  std::vector<uint8_t> u8;
  std::vector<int32_t> i32 = {INT32_MIN, INT32_MAX};
  std::vector<int64_t> i64 = {INT64_MIN, INT64_MAX};
  for (int i = -50000; i < 50000; ++i) {
    i8.push_back(static_cast<int8_t>(i));
    i16.push_back(static_cast<int16_t>(i * 7));
    u8.push_back(static_cast<uint8_t>(i));
    i32.push_back(i * 1000);
    i64.push_back(int64_t{i} << 40);
  }
  expect_same_as_cpu(i8, PAWL_I8);
  expect_same_as_cpu(i16, PAWL_I16);
  expect_same_as_cpu(u8, PAWL_U8);
  expect_same_as_cpu(u8, PAWL_BOOL);
  expect_same_as_cpu(i32, PAWL_I32);
  expect_same_as_cpu(i64, PAWL_I64);
}

TEST_P(CudaKernel, DoublesOverflowAsOnTheCpu) {
  expect_same_as_cpu(std::vector<double>{1e-310, -1e300, 0.0, std::nan(""), HUGE_VAL, 3.0}, PAWL_F64);
}

// Against the definition and not the CPU's kernel: the documented bounds hold.
TEST_P(CudaKernel, TenMillionFloats) {
  const auto data = normal_floats(10'000'000, 0.02f, 11);
  long double sum = 0, abs_sum = 0, square_sum = 0;
  for (const float x : data) {
    const auto wide = static_cast<long double>(x);
    sum += wide;
    abs_sum += std::fabs(wide);
    square_sum += wide * wide;
  }
  const pawl_stats got = on_gpu({{data.data(), PAWL_F32, data.size()}})[0];
  EXPECT_EQ(got.count, data.size());
  EXPECT_LE(std::fabs(got.sum - sum), 0x1p-16L * abs_sum);
  EXPECT_LE(std::fabs(got.abs_sum - abs_sum), 0x1p-16L * abs_sum);
  EXPECT_LE(std::fabs(got.square_sum - square_sum), 0x1p-16L * square_sum);
  expect_same(got, on_cpu({data.data(), PAWL_F32, data.size()}));
}

// The worst that rounding can do to a group: all of one size, so that no errors cancel.
TEST_P(CudaKernel, EqualFloatsStayWithinTheBound) {
  for (const float x : {0.1f, 0.7f, 1.0f / 3, 0x1.fffffep0f}) {
    SCOPED_TRACE(x);
    const std::vector<float> data(1u << 20, x);
    const double exact = static_cast<double>(x) * (1 << 20);
    const pawl_stats got = on_gpu({{data.data(), PAWL_F32, data.size()}})[0];
    EXPECT_NEAR(got.sum, exact, 0x1p-16 * exact);
    EXPECT_NEAR(got.square_sum, exact * static_cast<double>(x), 0x1p-16 * exact * static_cast<double>(x));
  }
}

// Many tensors of all sizes and types in one launch do not touch each other, and twice is the same.
TEST_P(CudaKernel, ManyTensorsAtOnce) {
  const auto floats = normal_floats(3 * cuda::kChunk, 1.0f, 5);
  const std::vector<int64_t> integers(1000, -3);
  std::vector<Input> inputs;
  for (uint64_t count : {0u, 1u, 5u, 70000u, 0u, 65536u, 131073u, 2u}) {
    inputs.push_back({floats.data() + count % 7, PAWL_F32, count});
    inputs.push_back({integers.data(), PAWL_I64, count % 1000});
    inputs.push_back({floats.data(), PAWL_BF16, count});
  }
  const auto first = on_gpu(inputs), second = on_gpu(inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    SCOPED_TRACE(i);
    expect_same(first[i], on_cpu(inputs[i]));
    EXPECT_EQ(std::memcmp(&first[i], &second[i], sizeof first[i]), 0);
  }
}

// What a driver needs of the text that is built in: both kernels, for the oldest GPU that is meant.
TEST(CudaKernelText, IsWhatADriverNeeds) {
  if (!PAWL_HAS_CUDA_COMPILER) GTEST_SKIP() << "there was no compiler for it";
  const std::string ptx = cuda::kernel_ptx();
  const auto has = [&](const char* text) { return ptx.find(text) != std::string::npos; };
  EXPECT_TRUE(has(".version 6.0\n"));
  EXPECT_TRUE(has(".target sm_70\n"));
  EXPECT_TRUE(has(".visible .entry pawl_reduce("));
  EXPECT_TRUE(has(".visible .entry pawl_fold("));
  EXPECT_TRUE(has("ld.global.v4."));   // whole vectors
  EXPECT_TRUE(has("cvt.f32.f16"));     // halves by the machine
  EXPECT_FALSE(has(".local "));        // everything in registers
  EXPECT_FALSE(has(".extern .func"));  // nothing is missing
}

}  // namespace
}  // namespace pawl::capture
