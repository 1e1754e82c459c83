// The C ABI in one process: what goes in comes out.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "engine/base/subprocess.h"
#include "hooks/capture/wire.h"
#include "tests/unit/capture/capture_fixture.h"

namespace pawl::capture {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using trace::ScalarValue;

using Capture = CaptureTest;

TEST_F(Capture, WhatGoesInComesOut) {
  pawl_capture* capture = open();
  const uint32_t loss = series(capture, "loss", PAWL_LOSS);
  const int64_t shape[] = {2, 3};
  uint32_t weight;
  ASSERT_EQ(pawl_capture_series(capture, "fc1.weight", PAWL_WEIGHT, PAWL_F16, shape, 2, &weight), PAWL_OK);
  EXPECT_EQ(pawl_capture_step_begin(capture, 7, 1), PAWL_OK);
  EXPECT_EQ(pawl_capture_scalar(capture, loss, -0.5), PAWL_OK);
  pawl_stats stats = make_stats();
  stats.count = 6, stats.nan = 1, stats.inf = 2, stats.zero = 3, stats.min = -4, stats.max = 5;
  stats.sum = 6.5, stats.abs_sum = 7.5, stats.square_sum = 8.5, stats.magnitude[15] = 9;
  EXPECT_EQ(pawl_capture_stats(capture, weight, &stats), PAWL_OK);
  EXPECT_EQ(pawl_capture_step_end(capture), PAWL_OK);
  EXPECT_STREQ(pawl_capture_last_error(capture), "");
  pawl_capture_close(capture);

  trace::Anomalies anomalies;
  const auto records = read_all(&anomalies);
  EXPECT_EQ(anomalies, trace::Anomalies());
  const auto headers = only<trace::Header>(records);
  ASSERT_THAT(headers, SizeIs(1));
  EXPECT_EQ(headers[0].version, 1u);
  EXPECT_EQ(headers[0].world_size, 1u);
  EXPECT_EQ(headers[0].pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(headers[0].segment, 1u);
  EXPECT_EQ(headers[0].producer, "test");
  EXPECT_GT(headers[0].start_ns, 1'700'000'000'000'000'000u);
  EXPECT_GE(headers[0].wall_ns, headers[0].start_ns);
  EXPECT_THAT(only<trace::SeriesDeclaration>(records),
              ElementsAre(trace::SeriesDeclaration{loss, trace::Kind::loss, trace::Dtype::f32, {}, "loss"},
                          trace::SeriesDeclaration{
                              weight, trace::Kind::weight, trace::Dtype::f16, {2, 3}, "fc1.weight"}));
  const auto begins = only<trace::StepBegin>(records);
  ASSERT_THAT(begins, SizeIs(1));
  EXPECT_EQ(begins[0].step, 7u);
  EXPECT_EQ(begins[0].mode, 1u);
  EXPECT_THAT(only<ScalarValue>(records), ElementsAre(ScalarValue{loss, -0.5}));
  const trace::TensorStats want{6, 1,   2,   3,   -4,
                                5, 6.5, 7.5, 8.5, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}};
  EXPECT_THAT(only<trace::StatsValue>(records), ElementsAre(trace::StatsValue{weight, want}));
  const auto ends = only<trace::StepEnd>(records);
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].step, 7u);
  EXPECT_GE(ends[0].mono_ns, begins[0].mono_ns);
  EXPECT_TRUE(std::holds_alternative<trace::End>(records.back()));
}

TEST_F(Capture, NotFiniteScalarsSurvive) {
  pawl_capture* capture = open();
  const uint32_t id = series(capture, "s");
  pawl_capture_step_begin(capture, 0, 0);
  for (const double x : {std::nan(""), HUGE_VAL, -HUGE_VAL, std::numeric_limits<double>::denorm_min()}) {
    pawl_capture_scalar(capture, id, x);
  }
  pawl_capture_close(capture);
  const auto values = only<ScalarValue>(read_all());
  ASSERT_THAT(values, SizeIs(4));
  EXPECT_TRUE(std::isnan(values[0].value));
  EXPECT_EQ(values[1].value, HUGE_VAL);
  EXPECT_EQ(values[2].value, -HUGE_VAL);
  EXPECT_EQ(values[3].value, std::numeric_limits<double>::denorm_min());
}

TEST_F(Capture, TensorIsComputedAndRecorded) {
  pawl_capture* capture = open();
  const uint32_t id = series(capture, "w", PAWL_WEIGHT);
  const float data[] = {0.5f, -1, 0, 2, std::nanf("")};
  pawl_capture_step_begin(capture, 0, 0);
  EXPECT_EQ(pawl_capture_tensor(capture, id, data, PAWL_F32, 5), PAWL_OK);
  EXPECT_EQ(pawl_capture_tensor(capture, id, nullptr, PAWL_F32, 0), PAWL_OK);
  EXPECT_EQ(pawl_capture_tensor(capture, id, nullptr, PAWL_F32, 1), PAWL_E_ARGUMENT);
  pawl_capture_close(capture);
  const auto values = only<trace::StatsValue>(read_all());
  ASSERT_THAT(values, SizeIs(2));
  EXPECT_EQ(values[0].stats.count, 5u);
  EXPECT_EQ(values[0].stats.nan, 1u);
  EXPECT_EQ(values[0].stats.sum, 1.5);
  EXPECT_EQ(values[1].stats, trace::TensorStats());  // min and max of nothing are 0
}

TEST_F(Capture, SeriesAreNamedByNameAndKind) {
  pawl_capture* capture = open();
  const uint32_t weight = series(capture, "fc.weight", PAWL_WEIGHT);
  EXPECT_NE(series(capture, "fc.weight", PAWL_GRADIENT), weight);
  EXPECT_EQ(series(capture, "fc.weight", PAWL_WEIGHT), weight);
  pawl_capture_close(capture);
  EXPECT_THAT(only<trace::SeriesDeclaration>(read_all()), SizeIs(2));
}

TEST_F(Capture, WrongArguments) {
  pawl_capture* capture = nullptr;
  auto wrong = options();
  wrong.struct_size = 8;
  EXPECT_EQ(pawl_capture_open(&wrong, &capture), PAWL_E_ARGUMENT);
  EXPECT_EQ(capture, nullptr);
  EXPECT_THAT(pawl_capture_last_error(nullptr), HasSubstr("size"));
  wrong = options();
  wrong.rank = 1;
  EXPECT_EQ(pawl_capture_open(&wrong, &capture), PAWL_E_ARGUMENT);
  wrong = options();
  wrong.trace_dir = nullptr;
  EXPECT_EQ(pawl_capture_open(&wrong, &capture), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_open(nullptr, &capture), PAWL_E_ARGUMENT);

  capture = open();
  uint32_t id;
  const std::string too_long(4097, 'x');
  EXPECT_EQ(pawl_capture_series(capture, too_long.c_str(), PAWL_SCALAR, PAWL_F32, nullptr, 0, &id),
            PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_series(capture, "", PAWL_SCALAR, PAWL_F32, nullptr, 0, &id), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_series(capture, nullptr, PAWL_SCALAR, PAWL_F32, nullptr, 0, &id), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_series(capture, "x", PAWL_SCALAR, PAWL_F32, nullptr, 2, &id), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_series(capture, "x", PAWL_SCALAR, PAWL_F32, nullptr, 0, nullptr), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_scalar(capture, 0, 1), PAWL_E_ARGUMENT);  // no such series
  EXPECT_EQ(pawl_capture_step_end(capture), PAWL_E_ARGUMENT);      // none was begun
  EXPECT_EQ(pawl_capture_step_begin(capture, 0, 2), PAWL_E_ARGUMENT);
  pawl_stats stats{};
  EXPECT_EQ(pawl_capture_stats(capture, 0, &stats), PAWL_E_ARGUMENT);  // without its size
  EXPECT_EQ(pawl_compute_stats("", PAWL_U8, 1, &stats), PAWL_E_ARGUMENT);
  pawl_capture_close(capture);

  EXPECT_EQ(pawl_capture_scalar(nullptr, 0, 1), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_stop_requested(nullptr), 0);
  EXPECT_EQ(pawl_capture_dropped(nullptr), 0u);
  pawl_capture_close(nullptr);
}

TEST_F(Capture, LongerStructsOfANewerCaller) {
  struct {
    pawl_capture_options options;
    uint64_t added[4] = {1, 2, 3, 4};
  } newer{options(), {}};
  newer.options.struct_size = sizeof newer;
  pawl_capture* capture = open(newer.options);
  ASSERT_NE(capture, nullptr);
  struct {
    pawl_stats stats;
    uint64_t added[4];
  } longer{make_stats(), {}};
  longer.stats.struct_size = sizeof longer;
  const uint8_t data[] = {1, 2};
  EXPECT_EQ(pawl_compute_stats(data, PAWL_U8, 2, &longer.stats), PAWL_OK);
  EXPECT_EQ(longer.stats.struct_size, sizeof longer);
  EXPECT_EQ(longer.stats.sum, 3);
  EXPECT_EQ(pawl_capture_stats(capture, series(capture, "s"), &longer.stats), PAWL_OK);
  pawl_capture_close(capture);
}

TEST_F(Capture, AFinishedStepReachesAReaderByItself) {
  pawl_capture* capture = open();
  const uint32_t id = series(capture, "loss", PAWL_LOSS);
  auto tail = trace::TraceTail::open(trace_dir()).value();
  for (uint64_t step = 0; step < 3; ++step) {
    pawl_capture_step_begin(capture, step, 0);
    pawl_capture_scalar(capture, id, 1.0);
    pawl_capture_step_end(capture);  // and no flush
    bool seen = false;
    while (!seen) {
      const auto batch = tail.poll();
      for (const auto& record : batch.records) {
        const auto* end = std::get_if<trace::StepEnd>(&record.record);
        seen = seen || (end != nullptr && end->step == step);
      }
      pollfd wait{tail.fd(), POLLIN, 0};
      if (seen) break;
      ASSERT_EQ(::poll(&wait, 1, 30'000), 1) << "step " << step << " did not come";
    }
  }
  pawl_capture_close(capture);
}

TEST_F(Capture, SegmentsCanBeReadAlone) {
  auto small = options();
  small.segment_bytes = 2000;
  pawl_capture* capture = open(small);
  const uint32_t first = series(capture, "first");
  uint32_t late = 0;
  for (uint64_t step = 0; step < 100; ++step) {
    if (step == 50) late = series(capture, "late");
    pawl_capture_step_begin(capture, step, 0);
    pawl_capture_scalar(capture, first, static_cast<double>(step));
    if (step >= 50) pawl_capture_scalar(capture, late, static_cast<double>(step));
    pawl_capture_step_end(capture);
    flush(capture);
  }
  pawl_capture_close(capture);

  const auto values = only<ScalarValue>(read_all());
  ASSERT_THAT(values, SizeIs(150));
  const auto names = list_dir(rank_dir()).value();
  uint32_t segments = 0;
  for (const auto& entry : names) {
    if (entry.name == "lock") continue;
    ++segments;
    const std::string bytes = read_file(rank_dir() + "/" + entry.name, 1 << 20).value();
    EXPECT_LT(bytes.size(), 3000u);
    trace::Decoder decoder;
    decoder.feed({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
    auto record = decoder.next();
    ASSERT_TRUE(record);
    const auto* header = std::get_if<trace::Header>(&*record);
    ASSERT_NE(header, nullptr);
    EXPECT_EQ(header->segment, segments);
    size_t declared = 0;
    while ((record = decoder.next())) {
      if (const auto* series = std::get_if<trace::SeriesDeclaration>(&*record)) {
        EXPECT_EQ(series->id, declared);
        ++declared;
      }
      if (const auto* value = std::get_if<ScalarValue>(&*record)) {
        EXPECT_LT(value->series, declared);
      }
    }
  }
  EXPECT_GT(segments, 3u);
}

TEST_F(Capture, ManyThreads) {
  pawl_capture* capture = open();
  constexpr int kThreads = 4, kEach = 2000;
  const uint32_t shared = series(capture, "shared");
  pawl_capture_step_begin(capture, 0, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([capture, shared, t] {
      const uint32_t own = series(capture, ("thread" + std::to_string(t)).c_str());
      for (int i = 0; i < kEach; ++i) pawl_capture_scalar(capture, i % 2 == 0 ? own : shared, i);
    });
  }
  for (auto& thread : threads) thread.join();
  pawl_capture_step_end(capture);
  const uint64_t dropped = pawl_capture_dropped(capture);
  pawl_capture_close(capture);
  const auto records = read_all();
  EXPECT_EQ(only<ScalarValue>(records).size() + dropped, size_t{kThreads} * kEach);
  EXPECT_EQ(dropped, 0u);
  EXPECT_THAT(only<trace::SeriesDeclaration>(records), SizeIs(kThreads + 1));
}

TEST_F(CaptureTest, ManyTensorsInOneCall) {
  pawl_capture* capture = open();
  const float floats[] = {1, 2, 3};
  const int64_t integers[] = {-4, 5};
  const pawl_tensor tensors[] = {{floats, 3, series(capture, "a", PAWL_WEIGHT), PAWL_F32},
                                 {integers, 2, series(capture, "b", PAWL_WEIGHT), PAWL_I64}};
  ASSERT_EQ(pawl_capture_step_begin(capture, 0, 0), PAWL_OK);
  EXPECT_EQ(pawl_capture_tensors(capture, tensors, 2, sizeof tensors[0]), PAWL_OK);
  EXPECT_EQ(pawl_capture_tensors(capture, nullptr, 0, sizeof tensors[0]), PAWL_OK);
  EXPECT_EQ(pawl_capture_tensors(capture, tensors, 2, 8), PAWL_E_ARGUMENT);
  const pawl_tensor unknown[] = {{floats, 3, 99, PAWL_F32}, tensors[0]};
  EXPECT_EQ(pawl_capture_tensors(capture, unknown, 2, sizeof unknown[0]), PAWL_E_ARGUMENT);
  pawl_capture_close(capture);
  const auto recorded = only<trace::StatsValue>(read_all());
  ASSERT_THAT(recorded, SizeIs(2));
  EXPECT_EQ(recorded[0].stats.sum, 6);
  EXPECT_EQ(recorded[1].stats.min, -4);
}

TEST_F(CaptureTest, ViewsInOneCall) {
  pawl_capture* capture = open();
  const float floats[] = {1, 2, 3, 4, 5, 6};
  const int64_t transposed[] = {3, 2}, transposed_strides[] = {1, 3};
  const int64_t expanded[] = {4, 2}, expanded_strides[] = {0, -3};
  const pawl_strided_tensor tensors[] = {
      {floats, transposed, transposed_strides, 2, series(capture, "a", PAWL_WEIGHT), PAWL_F32, 0},
      {floats + 5, expanded, expanded_strides, 2, series(capture, "b", PAWL_WEIGHT), PAWL_F32, 0}};
  ASSERT_EQ(pawl_capture_step_begin(capture, 0, 0), PAWL_OK);
  EXPECT_EQ(pawl_capture_strided_tensors(capture, tensors, 2, sizeof tensors[0]), PAWL_OK);
  EXPECT_EQ(pawl_capture_strided_tensors(capture, nullptr, 0, sizeof tensors[0]), PAWL_OK);
  EXPECT_EQ(pawl_capture_strided_tensors(capture, tensors, 2, sizeof(pawl_tensor)), PAWL_E_ARGUMENT);
  pawl_strided_tensor wrong = tensors[0];
  wrong.shape = nullptr;
  EXPECT_EQ(pawl_capture_strided_tensors(capture, &wrong, 1, sizeof wrong), PAWL_E_ARGUMENT);
  wrong = tensors[0];
  wrong.dims = 65;
  EXPECT_EQ(pawl_capture_strided_tensors(capture, &wrong, 1, sizeof wrong), PAWL_E_ARGUMENT);
  pawl_capture_close(capture);
  const auto recorded = only<trace::StatsValue>(read_all());
  ASSERT_THAT(recorded, SizeIs(2));
  EXPECT_EQ(recorded[0].stats.sum, 21);
  EXPECT_EQ(recorded[1].stats.sum, 4 * (6 + 3));
  EXPECT_EQ(recorded[1].stats.count, 8u);
}

TEST(ComputeFineHistogram, FillsTheStruct) {
  const float floats[] = {1.5f, 1.75f, 0, -200};
  pawl_fine_histogram out{};
  EXPECT_EQ(pawl_compute_fine_histogram(floats, PAWL_F32, 4, &out), PAWL_E_ARGUMENT);  // without its size
  out.struct_size = sizeof out;
  out.bins[3] = 77;
  EXPECT_EQ(pawl_compute_fine_histogram(nullptr, PAWL_F32, 4, &out), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_compute_fine_histogram(floats, static_cast<pawl_dtype>(77), 4, &out), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_compute_fine_histogram(floats, PAWL_F32, 4, &out), PAWL_OK);
  EXPECT_EQ(out.sampled, 4u);
  EXPECT_EQ(out.bins[3], 0u);
  EXPECT_EQ(out.bins[1], 1u);
  EXPECT_EQ(out.bins[127], 1u);
  EXPECT_EQ(out.bins[227], 1u);
  EXPECT_EQ(out.bins[228], 1u);
}

class Control : public CaptureTest {
 protected:
  std::string path() const { return dir_.path() + "/control"; }
  void write(const wire::ControlPage& page, const std::string& request = "") const {
    const wire::ControlRequest head{
        static_cast<uint32_t>(request.size()),
        wire::crc32c(reinterpret_cast<const uint8_t*>(request.data()), request.size())};
    std::string bytes(reinterpret_cast<const char*>(&page), sizeof page);
    bytes.append(reinterpret_cast<const char*>(&head), sizeof head);
    bytes += request;
    bytes.resize(wire::kControlBytes);
    ASSERT_TRUE(write_file_atomic(path(), bytes).ok());
  }
  void write_at(size_t offset, const void* bytes, size_t size) const {
    const UniqueFd file(::open(path().c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(::pwrite(file.get(), bytes, size, static_cast<off_t>(offset)), static_cast<ssize_t>(size));
  }
  pawl_capture* open_with_control() {
    path_ = path();
    auto with = options();
    with.control_path = path_.c_str();
    return open(with);
  }

 private:
  std::string path_;
};

TEST_F(Control, StopIsSeenWhenTheFlagIsWritten) {
  write({wire::kControlMagic, wire::kControlVersion, 1, 0, 0});
  pawl_capture* capture = open_with_control();
  EXPECT_EQ(pawl_capture_stop_requested(capture), 0);
  const uint32_t stop = 1;
  write_at(wire::kControlStopOffset, &stop, sizeof stop);
  EXPECT_EQ(pawl_capture_stop_requested(capture), 1);
  pawl_capture_close(capture);
}

TEST_F(Control, MissingShortOrForeignFilesAskForNothing) {
  pawl_capture* capture = open_with_control();
  EXPECT_EQ(pawl_capture_stop_requested(capture), 0);
  pawl_capture_close(capture);
  ASSERT_TRUE(write_file_atomic(path(), "").ok());
  capture = open_with_control();
  EXPECT_EQ(pawl_capture_stop_requested(capture), 0);
  pawl_capture_close(capture);
  write({0x12345678, 1, 1, 1, 0});
  capture = open_with_control();
  EXPECT_EQ(pawl_capture_stop_requested(capture), 0);
  EXPECT_EQ(pawl_capture_request_generation(capture), 0u);
  std::vector<char> text(PAWL_REQUEST_CAPACITY);
  uint64_t generation = 0;
  EXPECT_EQ(pawl_capture_request(capture, text.data(), text.size(), &generation), PAWL_E_BUSY);
  EXPECT_EQ(pawl_capture_request(capture, text.data(), 100, &generation), PAWL_E_ARGUMENT);
  pawl_capture_close(capture);
}

TEST_F(Control, AChangedRequestIsReadWholeAndRecorded) {
  write({wire::kControlMagic, wire::kControlVersion, 1, 0, 0}, "losses every=1");
  pawl_capture* capture = open_with_control();
  EXPECT_EQ(pawl_capture_request_generation(capture), 1u);
  const std::string changed = "losses every=1\ngradients every=1 include=fc";
  const wire::ControlRequest head{
      static_cast<uint32_t>(changed.size()),
      wire::crc32c(reinterpret_cast<const uint8_t*>(changed.data()), changed.size())};
  write_at(sizeof(wire::ControlPage), &head, sizeof head);
  std::vector<char> text(PAWL_REQUEST_CAPACITY);
  uint64_t generation = 0;
  // Between the length and the text: not to be taken.
  EXPECT_EQ(pawl_capture_request(capture, text.data(), text.size(), &generation), PAWL_E_BUSY);
  write_at(wire::kControlTextOffset, changed.data(), changed.size());
  const uint64_t next = 2;
  write_at(wire::kControlGenerationOffset, &next, sizeof next);
  EXPECT_EQ(pawl_capture_request_generation(capture), 2u);
  EXPECT_EQ(pawl_capture_step_begin(capture, 7, 0), PAWL_OK);
  ASSERT_EQ(pawl_capture_request(capture, text.data(), text.size(), &generation), PAWL_OK);
  EXPECT_EQ(generation, 2u);
  EXPECT_EQ(std::string(text.data()), changed);
  pawl_capture_close(capture);
  const auto requests = only<trace::Request>(read_all());
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0], (trace::Request{2, false, changed}));
}

TEST_F(CaptureTest, WhatCouldBeRecordedIsToldOncePerSegment) {
  auto with = options();
  with.segment_bytes = 1;  // every batch starts one
  pawl_capture* capture = open(with);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pawl_capture_available(capture, "fc", PAWL_GRADIENT), PAWL_OK);
  EXPECT_EQ(pawl_capture_available(capture, "fc", PAWL_WEIGHT), PAWL_OK);
  EXPECT_EQ(pawl_capture_available(capture, "", PAWL_WEIGHT), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_available(capture, "x", static_cast<pawl_kind>(99)), PAWL_E_ARGUMENT);
  flush(capture);
  pawl_capture_close(capture);
  const auto records = read_all();
  const auto segments = only<trace::Header>(records).size();
  const auto told = only<trace::Available>(records);
  EXPECT_GE(segments, 2u);
  ASSERT_GE(told.size(), 2u);
  EXPECT_LE(told.size(), 2 * segments);
  EXPECT_EQ(told[0], (trace::Available{trace::Kind::gradient, "fc"}));
  EXPECT_EQ(told[1], (trace::Available{trace::Kind::weight, "fc"}));
}

TEST(CaptureLibrary, ExportsTheAbiOnly) {
  CommandOptions nm;
  nm.argv = {"nm", "-D", "--defined-only", PAWL_CAPTURE_LIBRARY};
  const auto result = run_command(nm);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  size_t symbols = 0;
  std::string_view rest = result->out;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::string_view symbol = line.substr(line.rfind(' ') + 1);
    EXPECT_TRUE(symbol.starts_with("pawl_")) << symbol;
    ++symbols;
  }
  EXPECT_GE(symbols, 14u);
}

TEST(CaptureLibrary, NeedsLibcAndLibstdcxxOnly) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizers add their own";
#endif
  CommandOptions readelf;
  readelf.argv = {"readelf", "-d", PAWL_CAPTURE_LIBRARY};
  const auto result = run_command(readelf);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  std::string_view rest = result->out;
  size_t needed = 0;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.find("(NEEDED)") == line.npos) continue;
    ++needed;
    const std::string_view name = line.substr(line.find('[') + 1);
    EXPECT_TRUE(name.starts_with("libc.") || name.starts_with("libstdc++.") || name.starts_with("libm.") ||
                name.starts_with("libgcc_s.") || name.starts_with("ld-linux"))
        << line;
  }
  EXPECT_GE(needed, 2u);
}

}  // namespace
}  // namespace pawl::capture
