// Tensors on a GPU through the C ABI, with a stand-in for the driver.
#include <gmock/gmock.h>

#include <cstdlib>
#include <thread>

#include "tests/unit/capture/capture_fixture.h"
#include "tests/unit/capture/fake_cuda.h"

namespace pawl::capture {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

int stream_memory[2];
void* const kStream = &stream_memory[0];
void* const kOtherStream = &stream_memory[1];

pawl_status record(pawl_capture* capture, const std::vector<pawl_tensor>& tensors, void* stream = kStream,
                   int device = 0) {
  return pawl_capture_cuda_tensors(capture, tensors.data(), tensors.size(), sizeof(pawl_tensor), device,
                                   stream);
}

class Cuda : public CaptureTest {
 protected:
  void SetUp() override {
    if (!PAWL_HAS_CUDA_COMPILER) GTEST_SKIP() << "there was no compiler for the kernel";
    setenv("PAWL_CUDA_LIB", PAWL_FAKE_CUDA_PATH, 1);
    fake_cuda::reset();
  }

  void begin(pawl_capture* capture, uint64_t step) {
    EXPECT_EQ(pawl_capture_step_begin(capture, step, 0), PAWL_OK);
  }

  // What is in the trace, in order: "begin 0", "stats 1.5" (the sum), "scalar 2", "end 0".
  std::vector<std::string> story() const {
    std::vector<std::string> out;
    const auto number = [](double x) { return std::to_string(x).substr(0, std::to_string(x).find('.') + 2); };
    for (const trace::Record& record : read_all()) {
      if (const auto* begun = std::get_if<trace::StepBegin>(&record)) {
        out.push_back("begin " + std::to_string(begun->step));
      } else if (const auto* ended = std::get_if<trace::StepEnd>(&record)) {
        out.push_back("end " + std::to_string(ended->step));
      } else if (const auto* scalar = std::get_if<trace::ScalarValue>(&record)) {
        out.push_back("scalar " + number(scalar->value));
      } else if (const auto* stats = std::get_if<trace::StatsValue>(&record)) {
        out.push_back("stats " + number(stats->stats.sum));
      }
    }
    return out;
  }

  std::vector<std::string> flushed_story(pawl_capture* capture) const {
    flush(capture);
    return story();
  }
};

TEST_F(Cuda, RecordsArriveInTheirStep) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT), empty = series(capture, "e", PAWL_WEIGHT),
                 loss = series(capture, "loss");
  const std::vector<float> data(100000, 0.5f);
  begin(capture, 0);
  pawl_capture_scalar(capture, loss, 1);
  ASSERT_EQ(record(capture, {{data.data(), data.size(), w, PAWL_F32}, {nullptr, 0, empty, PAWL_F32}}),
            PAWL_OK)
      << pawl_capture_cuda_error(capture);
  pawl_capture_scalar(capture, loss, 2);
  EXPECT_EQ(pawl_capture_step_end(capture), PAWL_OK);
  begin(capture, 1);
  EXPECT_THAT(flushed_story(capture), ElementsAre("begin 0", "scalar 1.0"));

  fake_cuda::run(kStream);
  pawl_capture_scalar(capture, loss, 3);
  EXPECT_EQ(pawl_capture_step_end(capture), PAWL_OK);
  EXPECT_THAT(flushed_story(capture), ElementsAre("begin 0", "scalar 1.0", "stats 50000.0", "stats 0.0",
                                                  "scalar 2.0", "end 0", "begin 1", "scalar 3.0", "end 1"));
  pawl_capture_close(capture);
  EXPECT_EQ(only<trace::StatsValue>(read_all())[0].stats.magnitude[9], 100000u);
}

TEST_F(Cuda, AStepCostsNeitherWaitNorAllocation) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT);
  const std::vector<float> data(1000, 1.0f);
  fake_cuda::Counts before{};
  for (uint64_t step = 0; step < 20; ++step) {
    if (step == 2) before = fake_cuda::counts();
    begin(capture, step);
    EXPECT_EQ(record(capture, {{data.data(), data.size(), w, PAWL_F32}}), PAWL_OK);
    pawl_capture_step_end(capture);
    fake_cuda::run(kStream);
  }
  const fake_cuda::Counts after = fake_cuda::counts();
  EXPECT_EQ(after.launches - before.launches, 2 * 18u);
  EXPECT_EQ(after.allocations, before.allocations);
  EXPECT_EQ(after.waits, 0u);
  EXPECT_EQ(after.violations, 0u);
  pawl_capture_close(capture);
  EXPECT_THAT(only<trace::StatsValue>(read_all()), SizeIs(20));
  EXPECT_EQ(fake_cuda::counts().live, 0u);
}

TEST_F(Cuda, TensorsAreReadInTheOrderOfTheStream) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT);
  std::vector<float> data(10, 1.0f);
  begin(capture, 0);
  fake_cuda::enqueue(kStream, [&] { data.assign(10, 2.0f); });
  EXPECT_EQ(record(capture, {{data.data(), data.size(), w, PAWL_F32}}), PAWL_OK);
  fake_cuda::enqueue(kStream, [&] { data.assign(10, 3.0f); });
  pawl_capture_step_end(capture);
  fake_cuda::run(kStream);
  EXPECT_THAT(flushed_story(capture), ElementsAre("begin 0", "stats 20.0", "end 0"));
  pawl_capture_close(capture);
}

TEST_F(Cuda, SeveralStepsOnTheWayKeepTheirOrder) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT);
  std::vector<std::vector<float>> data;
  for (uint64_t step = 0; step < 4; ++step) {
    data.emplace_back(10, static_cast<float>(step));
    begin(capture, step);
    // Two streams: the later steps are done first.
    EXPECT_EQ(record(capture, {{data.back().data(), 10, w, PAWL_F32}}, step < 2 ? kStream : kOtherStream),
              PAWL_OK);
    pawl_capture_step_end(capture);
  }
  fake_cuda::run(kOtherStream);
  EXPECT_THAT(flushed_story(capture), ElementsAre("begin 0"));
  fake_cuda::run(kStream);
  EXPECT_THAT(flushed_story(capture),
              ElementsAre("begin 0", "stats 0.0", "end 0", "begin 1", "stats 10.0", "end 1", "begin 2",
                          "stats 20.0", "end 2", "begin 3", "stats 30.0", "end 3"));
  pawl_capture_close(capture);
}

TEST_F(Cuda, OneMoreThanTheBoundWaitsForTheOldest) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT);
  const std::vector<float> data(10, 1.0f);
  fake_cuda::run_after_queries(50);
  for (uint64_t step = 0; step < 9; ++step) {
    pawl_capture_step_begin(capture, step, 0);
    EXPECT_EQ(record(capture, {{data.data(), 10, w, PAWL_F32}}), PAWL_OK);
    pawl_capture_step_end(capture);
  }
  pawl_capture_close(capture);
  EXPECT_THAT(only<trace::StatsValue>(read_all()), SizeIs(9));
  EXPECT_THAT(only<trace::Dropped>(read_all()), IsEmpty());
}

TEST_F(Cuda, CloseWaitsForWhatIsOnTheWay) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT);
  const std::vector<float> data(10, 1.0f);
  begin(capture, 0);
  EXPECT_EQ(record(capture, {{data.data(), 10, w, PAWL_F32}}), PAWL_OK);
  pawl_capture_step_end(capture);
  fake_cuda::run_after_queries(20);
  pawl_capture_close(capture);
  EXPECT_THAT(story(), ElementsAre("begin 0", "stats 10.0", "end 0"));
  EXPECT_EQ(fake_cuda::counts().live, 0u);
  EXPECT_EQ(fake_cuda::counts().waits, 0u);
}

// Takes as long as close() is patient. What the GPU may still use is not given back.
TEST_F(Cuda, CloseLeavesAGpuThatDoesNotAnswer) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT), loss = series(capture, "loss");
  const std::vector<float> data(10, 1.0f);
  begin(capture, 0);
  EXPECT_EQ(record(capture, {{data.data(), 10, w, PAWL_F32}}), PAWL_OK);
  pawl_capture_scalar(capture, loss, 1);
  pawl_capture_step_end(capture);
  pawl_capture_close(capture);
  EXPECT_THAT(story(), ElementsAre("begin 0", "scalar 1.0", "end 0"));
  EXPECT_EQ(only<trace::Dropped>(read_all()).back().total, 1u);
  EXPECT_GT(fake_cuda::counts().live, 0u);
  fake_cuda::run(kStream);  // into memory that is still there
}

TEST_F(Cuda, StatisticsThatTheGpuLostAreDropped) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT), loss = series(capture, "loss");
  const std::vector<float> data(10, 1.0f);
  begin(capture, 0);
  EXPECT_EQ(record(capture, {{data.data(), 10, w, PAWL_F32}, {data.data(), 5, w, PAWL_F32}}), PAWL_OK);
  pawl_capture_scalar(capture, loss, 1);
  fake_cuda::fail("cuEventQuery", 700);
  pawl_capture_step_end(capture);
  EXPECT_THAT(flushed_story(capture), ElementsAre("begin 0", "scalar 1.0", "end 0"));
  EXPECT_EQ(pawl_capture_dropped(capture), 2u);
  EXPECT_THAT(pawl_capture_cuda_error(capture), HasSubstr("an illegal memory access (700)"));
  EXPECT_EQ(record(capture, {{data.data(), 10, w, PAWL_F32}}), PAWL_E_CUDA);
  pawl_capture_close(capture);
}

TEST_F(Cuda, MemoryGrowsWithTheBatch) {
  pawl_capture* capture = open();
  std::vector<uint32_t> ids;
  for (int i = 0; i < 2000; ++i)
    ids.push_back(series(capture, ("w" + std::to_string(i)).c_str(), PAWL_WEIGHT));
  const std::vector<float> data(70000, 1.0f);
  for (const size_t count : {size_t{1}, size_t{2000}, size_t{3}}) {
    std::vector<pawl_tensor> tensors;
    for (size_t i = 0; i < count; ++i) tensors.push_back({data.data(), i * 35 + 1, ids[i], PAWL_F32});
    begin(capture, count);
    EXPECT_EQ(record(capture, tensors), PAWL_OK);
    fake_cuda::run(kStream);
    pawl_capture_step_end(capture);
  }
  pawl_capture_close(capture);
  const auto stats = only<trace::StatsValue>(read_all());
  ASSERT_THAT(stats, SizeIs(2004));
  for (size_t i = 0; i < 2000; ++i) EXPECT_EQ(stats[1 + i].stats.sum, static_cast<double>(i * 35 + 1));
}

TEST_F(Cuda, EachDeviceHasItsContext) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT);
  const std::vector<float> data(10, 1.0f);
  begin(capture, 0);
  for (const int device : {0, 1, 0}) {
    EXPECT_EQ(record(capture, {{data.data(), 10, w, PAWL_F32}}, device == 0 ? kStream : kOtherStream, device),
              PAWL_OK);
  }
  fake_cuda::run(kStream);
  fake_cuda::run(kOtherStream);
  pawl_capture_step_end(capture);
  EXPECT_EQ(record(capture, {{data.data(), 10, w, PAWL_F32}}, kStream, 2), PAWL_E_CUDA);
  EXPECT_THAT(pawl_capture_cuda_error(capture), HasSubstr("cuDeviceGet"));
  pawl_capture_close(capture);
  EXPECT_THAT(only<trace::StatsValue>(read_all()), SizeIs(3));
  EXPECT_EQ(fake_cuda::counts().violations, 0u);
  EXPECT_EQ(fake_cuda::counts().live, 0u);
}

TEST_F(Cuda, DoesNotDisturbAGraphThatAnotherThreadCaptures) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT);
  const std::vector<float> data(10, 1.0f);
  fake_cuda::set_capturing_elsewhere(true);
  begin(capture, 0);
  EXPECT_EQ(record(capture, {{data.data(), 10, w, PAWL_F32}}), PAWL_OK);
  fake_cuda::run(kStream);
  pawl_capture_step_end(capture);
  pawl_capture_close(capture);
  EXPECT_EQ(fake_cuda::counts().violations, 0u);
}

// Whatever fails: it is said, the driver is left alone from then on, and the rest is recorded.
TEST_F(Cuda, AnyErrorOfTheDriverTurnsItOff) {
  for (const char* function :
       {"cuInit", "cuDevicePrimaryCtxRetain", "cuModuleLoadData", "cuModuleGetFunction", "cuMemAlloc_v2",
        "cuMemHostAlloc", "cuMemHostGetDevicePointer_v2", "cuMemcpyHtoDAsync_v2", "cuLaunchKernel",
        "cuEventCreate", "cuEventRecord"}) {
    SCOPED_TRACE(function);
    fake_cuda::reset();
    pawl_capture* capture = open();
    const uint32_t w = series(capture, "w", PAWL_WEIGHT);
    const std::vector<float> data(10, 1.0f);
    begin(capture, 0);
    fake_cuda::fail(function, 2);
    EXPECT_EQ(record(capture, {{data.data(), 10, w, PAWL_F32}}), PAWL_E_CUDA);
    EXPECT_THAT(pawl_capture_cuda_error(capture), HasSubstr("out of memory (2)"));
    fake_cuda::fail(nullptr, 0);
    const size_t calls = fake_cuda::counts().calls;
    EXPECT_EQ(record(capture, {{data.data(), 10, w, PAWL_F32}}), PAWL_E_CUDA);
    EXPECT_EQ(fake_cuda::counts().calls, calls);
    EXPECT_EQ(pawl_capture_step_end(capture), PAWL_OK);
    EXPECT_STREQ(pawl_capture_last_error(capture), "");
    pawl_capture_close(capture);
    fake_cuda::run(kStream);  // what was put on the stream before it failed
  }
  EXPECT_EQ(only<trace::StepEnd>(read_all()).size(), 11u);
}

TEST_F(Cuda, WithoutADriver) {
  for (const auto& [path, text] : {std::pair{"/nonexistent/libcuda.so.1", "no NVIDIA driver"},
                                   std::pair{"libm.so.6", "is no usable CUDA driver"}}) {
    setenv("PAWL_CUDA_LIB", path, 1);
    pawl_capture* capture = open();
    const uint32_t w = series(capture, "w", PAWL_WEIGHT);
    const float data[4] = {1, 2, 3, 4};
    begin(capture, 0);
    EXPECT_EQ(record(capture, {{data, 4, w, PAWL_F32}}), PAWL_E_CUDA);
    EXPECT_THAT(pawl_capture_cuda_error(capture), HasSubstr(text));
    EXPECT_EQ(pawl_capture_tensor(capture, w, data, PAWL_F32, 4), PAWL_OK);
    pawl_capture_close(capture);
  }
  EXPECT_THAT(only<trace::StatsValue>(read_all()), SizeIs(2));
}

TEST_F(Cuda, Arguments) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT);
  const double data[4] = {};
  const auto* bytes = reinterpret_cast<const char*>(data);
  begin(capture, 0);
  EXPECT_EQ(record(capture, {}), PAWL_OK);
  EXPECT_EQ(record(capture, {{nullptr, 1, w, PAWL_F32}}), PAWL_E_ARGUMENT);
  EXPECT_EQ(record(capture, {{bytes + 2, 1, w, PAWL_F32}}), PAWL_E_ARGUMENT);
  EXPECT_EQ(record(capture, {{bytes + 4, 1, w, PAWL_F64}}), PAWL_E_ARGUMENT);
  EXPECT_EQ(record(capture, {{data, 1, w, 10}}), PAWL_E_ARGUMENT);
  EXPECT_EQ(record(capture, {{data, 1, w + 1, PAWL_F64}}), PAWL_E_ARGUMENT);
  EXPECT_EQ(record(capture, {{data, 1, w, PAWL_F64}}, kStream, -1), PAWL_E_ARGUMENT);
  EXPECT_EQ(record(nullptr, {{data, 1, w, PAWL_F64}}), PAWL_E_ARGUMENT);
  const pawl_tensor tensor{data, 1, w, PAWL_F64};
  EXPECT_EQ(pawl_capture_cuda_tensors(capture, &tensor, 1, sizeof tensor - 1, 0, kStream), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_cuda_tensors(capture, nullptr, 1, sizeof tensor, 0, kStream), PAWL_E_ARGUMENT);
  EXPECT_STREQ(pawl_capture_cuda_error(capture), "");
  EXPECT_STREQ(pawl_capture_cuda_error(nullptr), "");
  EXPECT_EQ(fake_cuda::counts().calls, 0u);
  // More than can be: an error of this call, not the end of the process.
  EXPECT_EQ(record(capture, {{data, UINT64_MAX, w, PAWL_F64}, {data, UINT64_MAX, w, PAWL_F64}}), PAWL_E_CUDA);
  pawl_capture_close(capture);
}

// A GPU that is far behind: what is held back is bounded too, but for the steps themselves.
TEST_F(Cuda, WhatIsHeldBackIsBounded) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT), loss = series(capture, "loss");
  const float data[1] = {1};
  begin(capture, 0);
  EXPECT_EQ(record(capture, {{data, 1, w, PAWL_F32}}), PAWL_OK);
  constexpr uint64_t kHalf = ((4u << 20) / 2 - 1024) / 32;  // of the ring, in scalars
  uint64_t refused = 0;
  for (int i = 0; i < 100'000; ++i) refused += pawl_capture_scalar(capture, loss, i) == PAWL_E_FULL ? 1 : 0;
  EXPECT_EQ(refused, 100'000 - kHalf);
  EXPECT_EQ(pawl_capture_dropped(capture), refused);
  EXPECT_EQ(pawl_capture_step_end(capture), PAWL_OK);
  fake_cuda::run(kStream);
  pawl_capture_close(capture);
  const auto records = read_all();
  EXPECT_THAT(only<trace::StatsValue>(records), SizeIs(1));
  EXPECT_THAT(only<trace::ScalarValue>(records), SizeIs(kHalf));
  EXPECT_THAT(only<trace::StepEnd>(records), SizeIs(1));
  EXPECT_EQ(only<trace::End>(records).back().dropped, refused);
}

// A training that does something else for long, or ends without a close.
TEST_F(Cuda, WhatHasArrivedIsWrittenWithoutAnotherCall) {
  pawl_capture* capture = open();
  const uint32_t w = series(capture, "w", PAWL_WEIGHT);
  const std::vector<float> data(10, 1.0f);
  begin(capture, 0);
  EXPECT_EQ(record(capture, {{data.data(), 10, w, PAWL_F32}}), PAWL_OK);
  pawl_capture_step_end(capture);
  fake_cuda::set_capturing_elsewhere(true);
  fake_cuda::run(kStream);
  while (only<trace::StepEnd>(read_all()).empty()) std::this_thread::yield();
  EXPECT_THAT(story(), ElementsAre("begin 0", "stats 10.0", "end 0"));
  EXPECT_EQ(fake_cuda::counts().violations, 0u);
  fake_cuda::set_capturing_elsewhere(false);
  pawl_capture_close(capture);
}

}  // namespace
}  // namespace pawl::capture
