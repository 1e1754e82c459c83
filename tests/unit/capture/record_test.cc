// Records that are neither scalars nor statistics: what is handed in is what a reader finds.
#include <gmock/gmock.h>

#include <cstring>

#include "engine/trace/steps.h"
#include "tests/unit/capture/capture_fixture.h"

namespace pawl::capture {
namespace {

using testing::ElementsAre;
using testing::SizeIs;
using trace::Batch;
using trace::Digest;
using trace::FineHistogram;
using trace::Of;
using trace::RawPiece;
using trace::Span;

class Records : public CaptureTest {
 protected:
  // The observations of the one step in the trace.
  std::vector<trace::Observation> observations() {
    trace::StepAssembler assembler;
    for (const trace::Record& record : read_all()) assembler.add(0, record, 0);
    EXPECT_EQ(assembler.anomalies().broken_tensors, 0u);
    std::vector<trace::Step> steps = assembler.finish();
    return steps.size() == 1 ? std::move(steps[0].observations) : std::vector<trace::Observation>();
  }
};

TEST_F(Records, SpansBatchesHashesAndFineHistograms) {
  pawl_capture* capture = open();
  const uint64_t counts[] = {5, 0, 2};
  pawl_fine_histogram histogram{};
  histogram.struct_size = sizeof histogram;
  histogram.sampled = 7;
  histogram.bins[255] = 7;
  ASSERT_EQ(pawl_capture_step_begin(capture, 3, 0), PAWL_OK);
  EXPECT_EQ(pawl_capture_span(capture, series(capture, "forward", PAWL_SPAN), 10, 25), PAWL_OK);
  EXPECT_EQ(pawl_capture_batch(capture, series(capture, "x", PAWL_BATCH), 77, 7, counts, 3), PAWL_OK);
  EXPECT_EQ(pawl_capture_hash(capture, series(capture, "w", PAWL_HASH), 88), PAWL_OK);
  EXPECT_EQ(pawl_capture_fine_histogram(capture, series(capture, "w", PAWL_WEIGHT), &histogram), PAWL_OK);
  ASSERT_EQ(pawl_capture_step_end(capture), PAWL_OK);
  pawl_capture_close(capture);

  const auto found = observations();
  ASSERT_THAT(found, SizeIs(4));
  EXPECT_EQ(std::get<Span>(found[0].value), (Span{10, 25}));
  EXPECT_EQ(std::get<Batch>(found[1].value), (Batch{77, 7, {5, 0, 2}}));
  EXPECT_EQ(std::get<Digest>(found[2].value), (Digest{88}));
  EXPECT_EQ(std::get<FineHistogram>(found[3].value).sampled, 7u);
  EXPECT_EQ(std::get<FineHistogram>(found[3].value).bins.back(), 7u);
}

TEST_F(Records, ArgumentsThatMakeNoSenseAreRefused) {
  pawl_capture* capture = open();
  const uint32_t known = series(capture, "s", PAWL_SPAN);
  const int64_t negative[] = {1 << 30, 1 << 30, -1};
  const float value = 0;
  EXPECT_EQ(pawl_capture_span(capture, known, 25, 10), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_span(capture, known + 1, 10, 25), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_batch(capture, known, 1, 1, nullptr, 1), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_values(capture, known, &value, PAWL_F32, negative, 3), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_values(capture, known, nullptr, PAWL_F32, nullptr, 0), PAWL_E_ARGUMENT);
  EXPECT_EQ(pawl_capture_note_request(capture, ""), PAWL_E_ARGUMENT);
  pawl_capture_close(capture);
  EXPECT_EQ(pawl_capture_hash(nullptr, 0, 1), PAWL_E_ARGUMENT);
}

TEST_F(Records, ValuesAreASafetensorsDocumentInPieces) {
  pawl_capture* capture = open();
  const uint32_t weight = series(capture, "w", PAWL_WEIGHT);
  std::vector<float> values(3 * 10'000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const int64_t shape[] = {3, 10'000};
  ASSERT_EQ(pawl_capture_step_begin(capture, 0, 0), PAWL_OK);
  EXPECT_EQ(pawl_capture_values(capture, weight, values.data(), PAWL_F32, shape, 2), PAWL_OK);
  EXPECT_EQ(pawl_capture_values(capture, weight, nullptr, PAWL_I64, std::vector<int64_t>{0}.data(), 1),
            PAWL_OK);
  ASSERT_EQ(pawl_capture_step_end(capture), PAWL_OK);
  pawl_capture_close(capture);

  EXPECT_GT(only<RawPiece>(read_all()).size(), 2u);
  const auto found = observations();
  ASSERT_THAT(found, SizeIs(2));
  const auto& document = std::get<trace::RawTensor>(found[0].value).safetensors;
  const std::string_view text(reinterpret_cast<const char*>(document.data()), document.size());
  uint64_t head = 0;
  std::memcpy(&head, document.data(), sizeof head);
  EXPECT_EQ((sizeof head + head) % 8, 0u);
  EXPECT_TRUE(
      text.substr(8).starts_with(R"({"value":{"dtype":"F32","shape":[3,10000],"data_offsets":[0,120000]}})"));
  ASSERT_EQ(document.size(), 8 + head + 120'000);
  EXPECT_EQ(std::memcmp(document.data() + 8 + head, values.data(), 120'000), 0);
  EXPECT_GT(std::get<trace::RawTensor>(found[1].value).safetensors.size(), 8u);
}

TEST_F(Records, ATensorThatDoesNotFitIsDroppedAsAWhole) {
  pawl_capture_options small = options();
  small.ring_bytes = 64u << 10;
  pawl_capture* capture = open(small);
  const std::vector<float> values(16'000);
  const int64_t shape[] = {16'000};
  ASSERT_EQ(pawl_capture_step_begin(capture, 0, 0), PAWL_OK);
  EXPECT_EQ(
      pawl_capture_values(capture, series(capture, "w", PAWL_WEIGHT), values.data(), PAWL_F32, shape, 1),
      PAWL_E_FULL);
  ASSERT_EQ(pawl_capture_step_end(capture), PAWL_OK);
  EXPECT_EQ(pawl_capture_dropped(capture), 1u);
  pawl_capture_close(capture);
  EXPECT_THAT(only<RawPiece>(read_all()), SizeIs(0));
}

// However large it is, and whatever the ring has room for: with its head it is more than a record may hold.
TEST_F(Records, ATensorThatIsTooLargeIsDroppedAndCounted) {
  pawl_capture_options large = options();
  large.ring_bytes = 256u << 20;
  pawl_capture* capture = open(large);
  const uint32_t weight = series(capture, "w", PAWL_WEIGHT);
  const float value = 0;
  const int64_t just[] = {16 << 20}, huge[] = {1 << 20, 1 << 20}, beyond[] = {int64_t{1} << 62, 1 << 20},
                empty[] = {int64_t{1} << 62, int64_t{1} << 62, 0};
  ASSERT_EQ(pawl_capture_step_begin(capture, 0, 0), PAWL_OK);
  EXPECT_EQ(pawl_capture_values(capture, weight, &value, PAWL_F32, just, 1), PAWL_E_FULL);
  EXPECT_EQ(pawl_capture_values(capture, weight, &value, PAWL_F32, huge, 2), PAWL_E_FULL);
  EXPECT_EQ(pawl_capture_values(capture, weight, &value, PAWL_F32, beyond, 2), PAWL_E_FULL);
  EXPECT_EQ(pawl_capture_values(capture, weight, &value, PAWL_F32, empty, 3), PAWL_OK);
  ASSERT_EQ(pawl_capture_step_end(capture), PAWL_OK);
  EXPECT_EQ(pawl_capture_dropped(capture), 3u);
  pawl_capture_close(capture);
  EXPECT_THAT(observations(), SizeIs(1));
}

TEST_F(Records, WhatTheHookDecidesByItselfIsNoted) {
  pawl_capture* capture = open();
  ASSERT_EQ(pawl_capture_step_begin(capture, 4, 0), PAWL_OK);
  EXPECT_EQ(pawl_capture_note_request(capture, "gradients every=40"), PAWL_OK);
  pawl_capture_close(capture);
  EXPECT_THAT(only<trace::Request>(read_all()), ElementsAre(trace::Request{1, true, "gradients every=40"}));
}

TEST(Digests, DependOnEveryByteAndGoOn) {
  const char text[] = "the quick brown fox jumps over the lazy dog";
  const uint64_t whole = pawl_digest(text, sizeof text, 0);
  EXPECT_EQ(whole, pawl_digest(text, sizeof text, 0));
  EXPECT_NE(whole, pawl_digest(text, sizeof text - 1, 0));
  EXPECT_NE(whole, pawl_digest(text, sizeof text, 1));
  EXPECT_EQ(pawl_digest(nullptr, 0, 0), 0x2d06800538d394c2u);  // XXH3_64bits of nothing
}

}  // namespace
}  // namespace pawl::capture
